/**
 * Every way to change the live rules of a payload by one step: each rule deleted, doubled, moved, widened, each jump and each set
 * broken. Pure: a mutation is shell text for a host that has the payload loaded, and the names of the checks that must notice.
 */
import type { Chain, Hook, Match, Rule, Ruleset, SourceSet, TableName } from "../../firewall/ruleset";
import { renderRule } from "../../firewall/ruleText";

export interface Mutation {
  /** Unique; says what is changed, and where. */
  readonly name: string;
  readonly kind: string;
  /** Shell text that breaks the host. It must succeed. */
  readonly apply: string;
  /** Shell text that mends it. It must succeed. */
  readonly undo: string;
  /** Checks that must fail, all of them. */
  readonly caughtBy: readonly string[];
}

type Version = 4 | 6;
const versions: readonly Version[] = [4, 6];
const tool = (version: Version): string => (version === 4 ? "iptables" : "ip6tables");
const tablesOf = (ruleset: Ruleset, version: Version) => (version === 4 ? ruleset.inet : ruleset.inet6);

/** All mutations of the rules, jumps and sets of a payload. Names are unique, and no mutation leaves things as they were. */
export function ruleMutations(ruleset: Ruleset): readonly Mutation[] {
  return [
    ...versions.flatMap((version) =>
      tablesOf(ruleset, version).flatMap(({ name, chains }) =>
        chains.flatMap((chain) => mutationsOfChain(version, name, chain)),
      ),
    ),
    ...versions.flatMap((version) => ruleset.hooks.flatMap((hook) => mutationsOfHook(version, hook))),
    ...ruleset.sets.flatMap(mutationsOfSet),
    ...mutationsOfPeers,
  ];
}

function mutationsOfChain(version: Version, table: TableName, chain: Chain): readonly Mutation[] {
  const command = `${tool(version)} -w -t ${table}`;
  const lines = chain.rules.map((rule) => renderRule(chain.name, rule));
  const bodies = lines.map((line) => line.slice(`-A ${chain.name} `.length));
  const mutation = (kind: string, what: string, apply: string): Mutation => ({
    name: `${kind}: ${table} ${chain.name} IPv${version} ${what}`,
    kind,
    apply,
    undo: [
      `${tool(version)}-restore -w --noflush <<'RULES'`,
      `*${table}`,
      `:${chain.name} - [0:0]`,
      ...lines,
      "COMMIT",
      "RULES",
    ].join("\n"),
    caughtBy: [`chain-${table}-${chain.name.toLowerCase()}-v${version}`],
  });
  const at = (index: number): string => `rule ${index + 1} (${bodies[index]})`;
  const last = chain.rules.length;
  return [
    ...bodies.map((_, i) => mutation("delete", at(i), `${command} -D ${chain.name} ${i + 1}`)),
    ...bodies.map((body, i) => mutation("duplicate", at(i), `${command} -I ${chain.name} ${i + 1} ${body}`)),
    ...bodies
      .slice(1)
      .map((body, i) => ({ body, i }))
      .filter(({ body, i }) => body !== bodies[i])
      .map(({ body, i }) =>
        mutation(
          "reorder",
          `${at(i)} and the next`,
          `${command} -D ${chain.name} ${i + 2} && ${command} -I ${chain.name} ${i + 1} ${body}`,
        ),
      ),
    ...chain.rules.flatMap((rule, i) =>
      widened(rule).map(({ what, wider }) => {
        const body = renderRule(chain.name, wider).slice(`-A ${chain.name} `.length);
        return mutation("widen", `${at(i)}: ${what}`, `${command} -R ${chain.name} ${i + 1} ${body}`);
      }),
    ),
    mutation("insert", "a RETURN before all rules", `${command} -I ${chain.name} 1 -j RETURN`),
    mutation("insert", "an ACCEPT before all rules", `${command} -I ${chain.name} 1 -j ACCEPT`),
    mutation("append", "an ACCEPT behind all rules", `${command} -A ${chain.name} -j ACCEPT`),
    ...(last === 0
      ? []
      : [
          mutation("insert", "an ACCEPT before the last rule", `${command} -I ${chain.name} ${last} -j ACCEPT`),
          mutation("flush", "all rules", `${command} -F ${chain.name}`),
        ]),
  ];
}

/** The rule with one condition less, and with another verdict. */
function widened(rule: Rule): readonly { readonly what: string; readonly wider: Rule }[] {
  const { source, destination, inInterface, outInterface, ...rest } = rule;
  const less: { what: string; wider: Rule }[] = [];
  if (source !== undefined) less.push({ what: "any source", wider: omit(rule, "source") });
  if (destination !== undefined) less.push({ what: "any destination", wider: omit(rule, "destination") });
  if (inInterface !== undefined) less.push({ what: "any interface", wider: omit(rule, "inInterface") });
  if (outInterface !== undefined) less.push({ what: "any way out", wider: omit(rule, "outInterface") });
  rest.matches.forEach((match, index) => {
    if (match.kind === "comment") return;
    less.push({ what: `without ${match.kind}`, wider: { ...rule, matches: without(rule.matches, index) } });
    const wide = widerPorts(match);
    if (wide !== undefined)
      less.push({ what: "more ports", wider: { ...rule, matches: rule.matches.with(index, wide) } });
  });
  if (rule.target.kind === "drop") less.push({ what: "RETURN", wider: { ...rule, target: { kind: "return" } } });
  if (rule.target.kind === "accept") less.push({ what: "DROP", wider: { ...rule, target: { kind: "drop" } } });
  if (rule.target.kind === "return") less.push({ what: "DROP", wider: { ...rule, target: { kind: "drop" } } });
  return less;
}

function omit(rule: Rule, key: "source" | "destination" | "inInterface" | "outInterface"): Rule {
  const { [key]: _, ...rest } = rule;
  return rest as Rule;
}

const without = (matches: readonly Match[], index: number): readonly Match[] => matches.filter((_, i) => i !== index);

function widerPorts(match: Match): Match | undefined {
  if (match.kind === "dialed" && match.port.port > 1) return { ...match, port: { ...match.port, port: 1 } };
  if (match.kind !== "ports" || match.destination === undefined || match.destination.port === 1) return undefined;
  return { ...match, destination: { ...match.destination, port: 1 } };
}

function mutationsOfHook(version: Version, { table, chain, target }: Hook): readonly Mutation[] {
  const command = `${tool(version)} -w -t ${table}`;
  const jump = `-j ${target}`;
  const caughtBy = [`jump-${table}-${chain.toLowerCase()}-${target.toLowerCase()}-v${version}`];
  const mutation = (kind: string, what: string, apply: string, undo: string): Mutation => ({
    name: `${kind}: jump from ${table} ${chain} to ${target} IPv${version}, ${what}`,
    kind,
    apply,
    undo,
    caughtBy,
  });
  const above = (what: string, rule: string) =>
    mutation("insert", `${what} above it`, `${command} -I ${chain} 1 ${rule}`, `${command} -D ${chain} 1`);
  const replaced = (what: string, rule: string) =>
    mutation("widen", what, `${command} -R ${chain} 1 ${rule}`, `${command} -R ${chain} 1 ${jump}`);
  return [
    mutation("delete", "taken away", `${command} -D ${chain} ${jump}`, `${command} -I ${chain} 1 ${jump}`),
    mutation("duplicate", "twice", `${command} -I ${chain} 1 ${jump}`, `${command} -D ${chain} 1`),
    mutation("duplicate", "again at the end", `${command} -A ${chain} ${jump}`, moveBack(command, chain, jump)),
    mutation(
      "reorder",
      "second behind an ACCEPT of established connections",
      `${command} -I ${chain} 1 -m conntrack --ctstate ESTABLISHED -j ACCEPT`,
      `${command} -D ${chain} 1`,
    ),
    above("an ACCEPT", "-j ACCEPT"),
    above("a RETURN for one port", "-p tcp -m tcp --dport 8080 -j RETURN"),
    replaced("for one interface only", `${["POSTROUTING", "OUTPUT"].includes(chain) ? "-o" : "-i"} eth0 ${jump}`),
    replaced("for TCP only", `-p tcp ${jump}`),
    ...(table === "filter" && chain === "FORWARD"
      ? [mutation("reorder", "second behind a chain of others", ...behindAnother(command, chain))]
      : []),
  ];
}

/** Of two equal jumps the last one goes; then there is one, where it was. */
const moveBack = (command: string, chain: string, jump: string): string =>
  `${command} -D ${chain} ${jump} && ${command} -D ${chain} ${jump} && ${command} -I ${chain} 1 ${jump}`;

const behindAnother = (command: string, chain: string): [string, string] => [
  `${command} -N OTHERS && ${command} -A OTHERS -j ACCEPT && ${command} -I ${chain} 1 -j OTHERS`,
  `${command} -D ${chain} 1 && ${command} -F OTHERS && ${command} -X OTHERS`,
];

function mutationsOfSet({ name, family, elements }: SourceSet): readonly Mutation[] {
  const [first = ""] = elements;
  const half = family === "inet" ? "0.0.0.0/1" : "::/1";
  const mutation = (kind: string, what: string, apply: string, undo: string): Mutation => {
    return { name: `${kind}: set ${name}, ${what}`, kind, apply, undo, caughtBy: [`set-${name}`] };
  };
  const refill = elements.map((element) => `ipset add -exist ${name} ${element}`).join("\n");
  return [
    mutation("widen", `half of the internet added`, `ipset add ${name} ${half}`, `ipset del ${name} ${half}`),
    mutation("delete", `${first} taken out`, `ipset del ${name} ${first}`, refill),
    mutation("flush", "emptied", `ipset flush ${name}`, refill),
    mutation(
      "widen",
      `${first} an exception`,
      `ipset del ${name} ${first} && ipset add ${name} ${first} nomatch`,
      `ipset del ${name} ${first} && ${refill}`,
    ),
    mutation(
      "replace",
      "swapped with an empty one",
      `ipset create hc:spare hash:net family ${family} && ipset swap ${name} hc:spare`,
      `ipset swap ${name} hc:spare && ipset destroy hc:spare`,
    ),
    mutation(
      "replace",
      "swapped with one whose elements go by themselves",
      `ipset create hc:spare hash:net family ${family} timeout 3000 && ${refill.replaceAll(` ${name} `, " hc:spare ")}
ipset swap ${name} hc:spare`,
      `ipset swap ${name} hc:spare && ipset destroy hc:spare`,
    ),
  ];
}

const peer = (what: string, kind: string, apply: string, undo: string): Mutation => ({
  name: `${kind}: peers, ${what}`,
  kind,
  apply,
  undo,
  caughtBy: ["peers"],
});
const mutationsOfPeers: readonly Mutation[] = [
  peer("a stranger among those of IPv4", "widen", "ipset add hc-peers4 192.0.2.66", "ipset del hc-peers4 192.0.2.66"),
  peer(
    "a stranger among those of IPv6",
    "widen",
    "ipset add hc-peers6 2001:db8::66",
    "ipset del hc-peers6 2001:db8::66",
  ),
  peer(
    "swapped with a set of another kind",
    "replace",
    "ipset create hc:spare hash:ip family inet timeout 3000 && ipset swap hc-peers4 hc:spare",
    "ipset swap hc-peers4 hc:spare && ipset destroy hc:spare",
  ),
];
