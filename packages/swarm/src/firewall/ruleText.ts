/** A rule as one line, exactly as `iptables -S` of iptables-nft prints it, and back. */
import type { Family } from "./address";
import type { PortRange } from "./entries";
import type { ConnectionState, Match, Rule, RuleProtocol, Target } from "./ruleset";

const protocols: readonly RuleProtocol[] = ["tcp", "udp", "sctp", "icmp", "ipv6-icmp", "esp"];
const states: readonly ConnectionState[] = ["NEW", "ESTABLISHED", "RELATED", "INVALID", "DNAT"];
const notSynFlags = "FIN,SYN,RST,ACK SYN";

/** `-A CHAIN …` */
export function renderRule(chain: string, rule: Rule): string {
  const parts = [
    rule.source === undefined ? "" : `-s ${rule.source}`,
    rule.destination === undefined ? "" : `-d ${rule.destination}`,
    rule.inInterface === undefined ? "" : `${rule.inInterface.negated ? "! " : ""}-i ${rule.inInterface.name}`,
    rule.outInterface === undefined ? "" : `-o ${rule.outInterface}`,
    rule.protocol === undefined ? "" : `-p ${rule.protocol}`,
    ...rule.matches.map(renderMatch),
    renderTarget(rule.target),
  ];
  return [`-A ${chain}`, ...parts.filter((part) => part !== "")].join(" ");
}

function renderMatch(match: Match): string {
  switch (match.kind) {
    case "ports": {
      const source = match.source === undefined ? "" : ` --sport ${colonRange(match.source)}`;
      const destination = match.destination === undefined ? "" : ` --dport ${colonRange(match.destination)}`;
      return `-m ${match.protocol}${source}${destination}`;
    }
    case "tcpNotSyn":
      return `-m tcp ! --tcp-flags ${notSynFlags}`;
    case "icmpType":
      return match.family === "inet" ? `-m icmp --icmp-type ${match.type}` : `-m icmp6 --icmpv6-type ${match.type}`;
    case "state":
      return `-m conntrack ${match.negated ? "! " : ""}--ctstate ${match.state}`;
    case "dialed":
      return `-m conntrack --ctstate NEW --ctorigdstport ${colonRange(match.port)} --ctdir ORIGINAL`;
    case "set":
      return `-m set --match-set ${match.name} ${match.side}`;
    case "wrongWay":
      return "-m rpfilter --invert";
    case "limit":
      return `-m limit --limit ${renderRate(match.perMinute, 10_000)}`;
    case "rate": {
      const mask = match.family === "inet" ? "" : " --hashlimit-srcmask 64";
      const rate = renderRate(match.perMinute, 1_000_000);
      return `-m hashlimit --hashlimit-upto ${rate} --hashlimit-burst ${match.burst} --hashlimit-mode srcip --hashlimit-name ${match.name}${mask}`;
    }
    case "cgroup":
      return `-m cgroup --path ${quote(match.path)}`;
    case "comment":
      return `-m comment --comment ${quote(match.text)}`;
    default:
      return match satisfies never;
  }
}

function renderTarget(target: Target): string {
  switch (target.kind) {
    case "return":
      return "-j RETURN";
    case "accept":
      return "-j ACCEPT";
    case "masquerade":
      return "-j MASQUERADE";
    case "drop":
      return "-j DROP";
    case "reset":
      return "-j REJECT --reject-with tcp-reset";
    case "log":
      return `-j LOG --log-prefix ${quote(target.prefix)}`;
    case "goto":
      return `-g ${target.chain}`;
    default:
      return target satisfies never;
  }
}

/**
 * Reads a line that `renderRule` wrote.
 * @throws Error with the reason when the line is anything else, be it the same rule in another spelling.
 */
export function parseRule(line: string): { readonly chain: string; readonly rule: Rule } {
  const words = new Words(tokenize(line));
  words.expect("-A");
  const chain = words.next();
  const head: { -readonly [K in "source" | "destination" | "inInterface" | "outInterface" | "protocol"]?: Rule[K] } =
    {};
  const matches: Match[] = [];
  let target: Target | undefined;
  while (target === undefined) {
    const word = words.next();
    if (word === "-s") head.source = words.next();
    else if (word === "-d") head.destination = words.next();
    else if (word === "-i") head.inInterface = { name: words.next(), negated: false };
    else if (word === "!" && words.take("-i")) head.inInterface = { name: words.next(), negated: true };
    else if (word === "-o") head.outInterface = words.next();
    else if (word === "-p") head.protocol = words.oneOf(protocols);
    else if (word === "-m") matches.push(parseMatch(words));
    else if (word === "-g") target = { kind: "goto", chain: words.next() };
    else if (word === "-j") target = parseTarget(words);
    else throw new Error(`unexpected ${word}`);
  }
  words.end();
  const rule = { ...head, matches, target } as Rule;
  if (renderRule(chain, rule) !== line) throw new Error("not written as iptables -S prints it");
  return { chain, rule };
}

function parseMatch(words: Words): Match {
  const module = words.next();
  switch (module) {
    case "tcp":
    case "udp": {
      if (module === "tcp" && words.take("!")) {
        words.expect("--tcp-flags", ...notSynFlags.split(" "));
        return { kind: "tcpNotSyn" };
      }
      const source = words.take("--sport") ? { source: parseRange(words.next()) } : {};
      const destination = words.take("--dport") ? { destination: parseRange(words.next()) } : {};
      return { kind: "ports", protocol: module, ...source, ...destination };
    }
    case "icmp":
      words.expect("--icmp-type");
      return { kind: "icmpType", family: "inet", type: words.number() };
    case "icmp6":
      words.expect("--icmpv6-type");
      return { kind: "icmpType", family: "inet6", type: words.number() };
    case "conntrack": {
      const negated = words.take("!");
      words.expect("--ctstate");
      const state = words.oneOf(states);
      if (!words.take("--ctorigdstport")) return { kind: "state", state, negated };
      const port = parseRange(words.next());
      words.expect("--ctdir", "ORIGINAL");
      return { kind: "dialed", port };
    }
    case "set":
      words.expect("--match-set");
      return { kind: "set", name: words.next(), side: words.oneOf(["src", "dst"]) };
    case "rpfilter":
      words.expect("--invert");
      return { kind: "wrongWay" };
    case "limit":
      words.expect("--limit");
      return { kind: "limit", perMinute: parseRate(words.next()) };
    case "hashlimit": {
      words.expect("--hashlimit-upto");
      const perMinute = parseRate(words.next());
      words.expect("--hashlimit-burst");
      const burst = words.number();
      words.expect("--hashlimit-mode", "srcip", "--hashlimit-name");
      const name = words.next();
      const family: Family = words.take("--hashlimit-srcmask") ? "inet6" : "inet";
      if (family === "inet6") words.expect("64");
      return { kind: "rate", name, family, perMinute, burst };
    }
    case "cgroup":
      words.expect("--path");
      return { kind: "cgroup", path: words.next() };
    case "comment":
      words.expect("--comment");
      return { kind: "comment", text: words.next() };
    default:
      throw new Error(`unknown match ${module}`);
  }
}

function parseTarget(words: Words): Target {
  const name = words.next();
  switch (name) {
    case "RETURN":
      return { kind: "return" };
    case "ACCEPT":
      return { kind: "accept" };
    case "MASQUERADE":
      return { kind: "masquerade" };
    case "DROP":
      return { kind: "drop" };
    case "REJECT":
      words.expect("--reject-with", "tcp-reset");
      return { kind: "reset" };
    case "LOG":
      words.expect("--log-prefix");
      return { kind: "log", prefix: words.next() };
    default:
      throw new Error(`unknown target ${name}`);
  }
}

const units = [
  ["day", 86_400],
  ["hour", 3_600],
  ["min", 60],
  ["sec", 1],
] as const;

/**
 * iptables keeps a rate as the time between two packets, in `scale` parts of a second, and prints the rate it finds by
 * dividing again: the largest unit in which no remainder outweighs the quotient comes last before the search stops.
 */
function renderRate(perMinute: number, scale: number): string {
  const period = Math.floor((60 * scale) / perMinute);
  let chosen: (typeof units)[number] = units[0];
  for (const unit of units.slice(1)) {
    const parts = unit[1] * scale;
    if (period > parts || Math.floor(parts / period) < parts % period) break;
    chosen = unit;
  }
  return `${Math.floor((chosen[1] * scale) / period)}/${chosen[0]}`;
}

function parseRate(text: string): number {
  const match = /^(\d+)\/(day|hour|min|sec)$/.exec(text);
  const seconds = units.find(([name]) => name === match?.[2])?.[1];
  if (match === null || seconds === undefined) throw new Error(`no rate: ${text}`);
  return Math.round((Number(match[1]) * 60) / seconds);
}

function colonRange({ port, endPort }: PortRange): string {
  return port === endPort ? `${port}` : `${port}:${endPort}`;
}

function parseRange(text: string): PortRange {
  const match = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(text);
  if (match === null) throw new Error(`no port: ${text}`);
  return { port: Number(match[1]), endPort: Number(match[2] ?? match[1]) };
}

/** iptables leaves a text bare only when it is made of these. */
function quote(text: string): string {
  return /^[A-Za-z0-9_-]+$/.test(text) ? text : `"${text.replace(/["\\']/g, "\\$&")}"`;
}

function tokenize(line: string): readonly string[] {
  const tokens = line.match(/"(?:[^"\\]|\\.)*"|[^\s"]+/g) ?? [];
  return tokens.map((token) => (token.startsWith('"') ? token.slice(1, -1).replace(/\\(.)/g, "$1") : token));
}

class Words {
  #position = 0;
  readonly #words: readonly string[];

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  next(): string {
    const word = this.#words[this.#position];
    if (word === undefined) throw new Error("ends too early");
    this.#position += 1;
    return word;
  }

  take(word: string): boolean {
    const found = this.#words[this.#position] === word;
    if (found) this.#position += 1;
    return found;
  }

  expect(...words: readonly string[]): void {
    for (const word of words) if (!this.take(word)) throw new Error(`${word} expected`);
  }

  oneOf<const T extends string>(allowed: readonly T[]): T {
    const word = this.next();
    const found = allowed.find((candidate) => candidate === word);
    if (found === undefined) throw new Error(`unexpected ${word}`);
    return found;
  }

  number(): number {
    const word = this.next();
    if (!/^\d{1,5}$/.test(word)) throw new Error(`no number: ${word}`);
    return Number(word);
  }

  end(): void {
    const word = this.#words[this.#position];
    if (word !== undefined) throw new Error(`unexpected ${word}`);
  }
}
