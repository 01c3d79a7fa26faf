/**
 * The payload: the ruleset as text. A bundle of sections that the host agent splits at `### name`; it is the standard input of
 * `hcloud-iptables.sh apply`, and because it is plain text, `pulumi preview --diff` shows it rule by rule.
 *
 * A payload's digest is the SHA-256, in hexadecimal, of its text without the peers' section, from `### hcloud-swarm payload 1`
 * to the newline after `### end`.
 */
import { canonicalAddress, type Family, formatElement, simplifyNetworks } from "./address";
import { PayloadError } from "./errors";
import type { Chain, Hook, Ruleset, SourceSet, Table, TableName } from "./ruleset";
import { parseRule, renderRule } from "./ruleText";

const header = "### hcloud-swarm payload 1";
const end = "### end";
const peersSection = "### peers";
const tableNames: readonly TableName[] = ["nat", "raw", "mangle", "filter"];

/** The whole bundle, without peers. Ends with a newline. */
export function renderPayload(ruleset: Ruleset): string {
  const lines = [
    header,
    "### hooks",
    ...ruleset.hooks.map(({ table, chain, target }) => `${table} ${chain} ${target}`),
    "### sets",
    ...ruleset.sets.flatMap(renderSet),
    "### iptables",
    ...ruleset.inet.flatMap(renderTable),
    "### ip6tables",
    ...ruleset.inet6.flatMap(renderTable),
    end,
  ];
  return `${lines.join("\n")}\n`;
}

/**
 * A payload with the addresses of the cluster's own nodes. Their order does not matter.
 * @throws PayloadError when a peer is no single address.
 */
export function renderBundle({
  payload,
  peers,
}: {
  readonly payload: string;
  readonly peers: readonly string[];
}): string {
  const bare = payloadWithoutPeers(payload);
  return `${bare.slice(0, -`${end}\n`.length)}${renderPeers(peers)}${end}\n`;
}

/** A bundle that changes nothing but the peers. */
export function renderPeersOnly(peers: readonly string[]): string {
  return `${header}\n${renderPeers(peers)}${end}\n`;
}

/** The part of a bundle that its digest is made of. */
export function payloadWithoutPeers(bundle: string): string {
  const lines = linesOf(bundle);
  const start = lines.indexOf(peersSection);
  const kept = start === -1 ? lines : [...lines.slice(0, start), end];
  return `${kept.join("\n")}\n`;
}

/** The peers of a bundle, or undefined when it has no section for them. */
export function peersOf(bundle: string): readonly string[] | undefined {
  const lines = linesOf(bundle);
  const start = lines.indexOf(peersSection);
  return start === -1 ? undefined : lines.slice(start + 1, -1);
}

/**
 * Reads what `renderPayload` or `renderBundle` wrote (peers are checked and left out).
 * @throws PayloadError for anything else.
 */
export function parsePayload(text: string): Ruleset {
  const reader = new Reader(linesOf(text));
  reader.expect(header);
  reader.expect("### hooks");
  const hooks = reader.takeWhile(isContent).map(({ line, number }) => parseHook(line, number));
  reader.expect("### sets");
  const sets = parseSets(reader.takeWhile(isContent));
  reader.expect("### iptables");
  const inet = parseTables(reader);
  reader.expect("### ip6tables");
  const inet6 = parseTables(reader);
  if (reader.take(peersSection)) {
    for (const { line, number } of reader.takeWhile(isContent)) {
      if (canonicalAddress(line)?.address !== line) throw new PayloadError(number, "a peer's address expected");
    }
  }
  reader.expect(end);
  reader.end();
  return { hooks, sets, inet, inet6 };
}

function renderSet({ name, family, hashSize, maxElements, elements }: SourceSet): readonly string[] {
  const create = `create ${name} hash:net family ${family} hashsize ${hashSize} maxelem ${maxElements}`;
  return [create, ...elements.map((element) => `add ${name} ${element}`)];
}

function renderTable({ name, chains }: Table): readonly string[] {
  return [
    `*${name}`,
    ...chains.map((chain) => `:${chain.name} - [0:0]`),
    ...chains.flatMap((chain) => chain.rules.map((rule) => renderRule(chain.name, rule))),
    "COMMIT",
  ];
}

function renderPeers(peers: readonly string[]): string {
  const networks = peers.map((peer) => {
    const network = canonicalAddress(peer);
    if (network === undefined) throw new PayloadError(0, `a peer is a single address, not ${JSON.stringify(peer)}`);
    return network;
  });
  return [peersSection, ...simplifyNetworks(networks).map(formatElement)].map((line) => `${line}\n`).join("");
}

function linesOf(text: string): readonly string[] {
  if (!text.endsWith(`\n${end}\n`)) throw new PayloadError(text.split("\n").length, `${end} expected as last line`);
  return text.slice(0, -1).split("\n");
}

function isContent(line: string): boolean {
  return !line.startsWith("### ");
}

function parseHook(line: string, number: number): Hook {
  const match = /^(nat|raw|mangle|filter) ([A-Z-]+) ([A-Z-]+)$/.exec(line);
  if (match === null) throw new PayloadError(number, "a hook expected: TABLE CHAIN TARGET");
  return { table: match[1] as TableName, chain: match[2] as string, target: match[3] as string };
}

function parseSets(lines: readonly Line[]): readonly SourceSet[] {
  const sets: { set: SourceSet; elements: string[] }[] = [];
  for (const { line, number } of lines) {
    const create = /^create (hc-[a-z0-9-]{1,28}) hash:net family (inet6?) hashsize (\d+) maxelem (\d+)$/.exec(line);
    if (create !== null) {
      const elements: string[] = [];
      const [name, family] = [create[1] as string, create[2] as Family];
      const set = { name, family, hashSize: Number(create[3]), maxElements: Number(create[4]), elements };
      sets.push({ set, elements });
      continue;
    }
    const add = /^add (\S+) ([0-9a-f.:/]+)$/.exec(line);
    const current = sets.at(-1);
    if (add === null || current === undefined || current.set.name !== add[1])
      throw new PayloadError(number, "create or add of the set above expected");
    current.elements.push(add[2] as string);
  }
  return sets.map(({ set }) => set);
}

function parseTables(reader: Reader): readonly Table[] {
  const tables: Table[] = [];
  for (;;) {
    const name = tableNames.find((candidate) => reader.take(`*${candidate}`));
    if (name === undefined) return tables;
    const chains = reader
      .takeWhile((line) => line.startsWith(":"))
      .map(({ line, number }) => {
        const chain = /^:([A-Z-]+) - \[0:0\]$/.exec(line)?.[1];
        if (chain === undefined) throw new PayloadError(number, "a chain expected");
        return chain;
      });
    const rules = reader.takeWhile((line) => line.startsWith("-A ")).map(parseRuleLine);
    reader.expect("COMMIT");
    tables.push({ name, chains: chainsOf(chains, rules) });
  }
}

type NumberedRule = ReturnType<typeof parseRule> & { readonly number: number };

function parseRuleLine({ line, number }: Line): NumberedRule {
  try {
    return { ...parseRule(line), number };
  } catch (error) {
    throw new PayloadError(number, error instanceof Error ? error.message : String(error));
  }
}

/** Rules must stand chain by chain, in the order in which the chains are declared. */
function chainsOf(names: readonly string[], rules: readonly NumberedRule[]): readonly Chain[] {
  let position = 0;
  for (const { chain, number } of rules) {
    const found = names.indexOf(chain, position);
    if (found === -1) throw new PayloadError(number, `chain ${chain} is not declared, or its rules are not together`);
    position = found;
  }
  return names.map((name) => ({ name, rules: rules.filter(({ chain }) => chain === name).map(({ rule }) => rule) }));
}

interface Line {
  readonly line: string;
  /** Counts from 1. */
  readonly number: number;
}

class Reader {
  #position = 0;
  readonly #lines: readonly string[];

  constructor(lines: readonly string[]) {
    this.#lines = lines;
  }

  take(line: string): boolean {
    const found = this.#lines[this.#position] === line;
    if (found) this.#position += 1;
    return found;
  }

  expect(line: string): void {
    if (!this.take(line)) throw new PayloadError(this.#position + 1, `${line} expected`);
  }

  takeWhile(accept: (line: string) => boolean): readonly Line[] {
    const taken: Line[] = [];
    for (;;) {
      const line = this.#lines[this.#position];
      if (line === undefined || !accept(line)) return taken;
      this.#position += 1;
      taken.push({ line, number: this.#position });
    }
  }

  end(): void {
    if (this.#position < this.#lines.length) throw new PayloadError(this.#position + 1, "end of the payload expected");
  }
}
