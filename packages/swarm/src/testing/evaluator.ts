/**
 * An evaluator of packets over the text of a bundle, for tests. It shares no code with the compiler, the renderer or the
 * parser: it reads the lines as iptables documents them, with Node's own arithmetic on addresses.
 */
import { BlockList, isIPv6 } from "node:net";

export type Path = "input" | "forward" | "output";

export interface Packet {
  readonly family: "inet" | "inet6";
  readonly path: Path;
  readonly inInterface: string;
  /** Where a forwarded packet leaves. */
  readonly outInterface: string;
  readonly source: string;
  /** Where it goes now, and where it went before address translation. */
  readonly destination: string;
  readonly dialedAddress: string;
  readonly protocol: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly dialedPort: number;
  /** Whether its connection's destination was translated. */
  readonly translated: boolean;
  readonly state: "NEW" | "ESTABLISHED" | "RELATED" | "INVALID" | "UNTRACKED";
  readonly direction: "ORIGINAL" | "REPLY";
  /** Of a TCP packet: it opens a connection. */
  readonly syn: boolean;
  readonly icmpType: number;
  /** The way back to its source leads out of another interface. */
  readonly wrongWay: boolean;
  /** More of the kind came than any rate limit allows. */
  readonly overRate: boolean;
  readonly cgroup: string;
}

export interface Decision {
  readonly open: boolean;
  /** The line that decided, or `policy` when none did. */
  readonly by: string;
  /** A rule of ours has let it pass for good: whatever Docker's rules would do with it, they are not asked. */
  readonly accepted: boolean;
}

export interface Bundle {
  /** Jumps as `table chain target`. */
  readonly hooks: readonly string[];
  readonly sets: ReadonlyMap<string, NetworkList>;
  /** Lines of rules by `family table chain`. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
}

const tablesOf: Readonly<Record<Path, readonly string[]>> = {
  input: ["raw PREROUTING", "mangle INPUT", "filter INPUT"],
  forward: ["raw PREROUTING", "mangle FORWARD", "filter FORWARD"],
  output: ["filter OUTPUT"],
};

/** Networks of both families, kept apart: to a `BlockList` an IPv4 address is in `::/0`. */
export interface NetworkList {
  readonly ipv4: BlockList;
  readonly ipv6: BlockList;
}

const listOf = remembered((network: string) => networkList([network]));

export function networkList(networks: readonly string[]): NetworkList {
  const list = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const network of networks) {
    const [address = "", prefix] = network.split("/");
    const family = familyOf(address);
    list[family].addSubnet(address, Number(prefix ?? (family === "ipv6" ? 128 : 32)), family);
  }
  return list;
}

export function contains(list: NetworkList, address: string): boolean {
  const family = familyOf(address);
  return list[family].check(address, family);
}

export function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv6(address) ? "ipv6" : "ipv4";
}

export function readBundle(text: string, peers: readonly string[]): Bundle {
  const hooks: string[] = [];
  const elements = new Map<string, string[]>();
  const chains = new Map<string, string[]>();
  let section = "";
  let table = "";
  for (const line of text.split("\n")) {
    const [word = "", second = "", third = ""] = line.split(" ");
    const family = section === "iptables" ? "inet" : "inet6";
    if (line.startsWith("### ")) section = line.slice(4);
    else if (section === "hooks") hooks.push(line);
    else if (section === "sets" && word === "create") elements.set(second, []);
    else if (section === "sets") elements.get(second)?.push(third);
    else if (line.startsWith("*")) table = line.slice(1);
    else if (line.startsWith(":")) chains.set(`${family} ${table} ${word.slice(1)}`, []);
    else if (line.startsWith("-A ")) chains.get(`${family} ${table} ${second}`)?.push(line);
  }
  const sets = new Map([...elements].map(([name, list]) => [name, networkList(list)]));
  sets.set("hc-peers4", networkList(peers.filter((peer) => familyOf(peer) === "ipv4")));
  sets.set("hc-peers6", networkList(peers.filter((peer) => familyOf(peer) === "ipv6")));
  return { hooks, sets, chains };
}

/** Whether a packet gets past the bundle. The chains of the kernel hold nothing but our jumps, and accept at their end. */
export function evaluate(bundle: Bundle, packet: Packet): Decision {
  let accepted = false;
  for (const base of tablesOf[packet.path]) {
    const decided = runBase(bundle, packet, base);
    if (decided === undefined) continue;
    if (!decided.endsWith("-j ACCEPT")) return { open: false, by: decided, accepted: false };
    accepted = true;
  }
  return { open: true, by: "policy", accepted };
}

/** Whether a packet that passes leaves with the address of its node. */
export function isMasqueraded(bundle: Bundle, packet: Packet): boolean {
  return runBase(bundle, packet, "nat POSTROUTING")?.endsWith("-j MASQUERADE") === true;
}

/** The line that ends the packet's way through a chain of the kernel, or undefined. */
function runBase(bundle: Bundle, packet: Packet, base: string): string | undefined {
  const [table = ""] = base.split(" ");
  for (const hook of bundle.hooks) {
    if (!hook.startsWith(`${base} `)) continue;
    const target = hook.split(" ")[2] ?? "";
    // DOCKER-USER is not ours: what it holds is another hook.
    const decided = bundle.hooks.some((other) => other.startsWith(`${table} ${target} `))
      ? runBase(bundle, packet, `${table} ${target}`)
      : runChain(bundle, packet, table, target);
    if (decided !== undefined) return decided;
  }
  return undefined;
}

/** The line that drops the packet or lets it pass for good, or undefined when the chain returns. */
function runChain(bundle: Bundle, packet: Packet, table: string, chain: string): string | undefined {
  // A chain that is jumped to and not in the bundle is another's (DOCKER-USER emptied).
  for (const line of bundle.chains.get(`${packet.family} ${table} ${chain}`) ?? []) {
    const rule = words(line).slice(2);
    const outcome = applyRule(bundle, packet, rule, table);
    if (outcome === "RETURN") return undefined;
    if (outcome === "DROP" || outcome === "REJECT" || outcome === "ACCEPT" || outcome === "MASQUERADE") return line;
    if (outcome !== undefined && outcome !== "LOG") return runChain(bundle, packet, table, outcome);
  }
  return undefined;
}

/** The target when everything matches; the name of a chain for a goto. */
function applyRule(bundle: Bundle, packet: Packet, rule: readonly string[], table: string): string | undefined {
  const queue = [...rule];
  const take = (): string => queue.shift() ?? "";
  let module = "";
  while (queue.length > 0) {
    let word = take();
    const negated = word === "!";
    if (negated) word = take();
    if (word === "-m") {
      module = take();
      continue;
    }
    if (word === "-j" || word === "-g") return take();
    const matched = matches(bundle, packet, table, module, word, take);
    if (matched === negated) return undefined;
  }
  throw new Error("a rule without a target");
}

function matches(
  bundle: Bundle,
  packet: Packet,
  table: string,
  module: string,
  option: string,
  take: () => string,
): boolean {
  switch (`${module} ${option}`.trim().replace(/^\w+ (?=-[a-z]$)/, "")) {
    case "-s":
      return contains(listOf(take()), packet.source);
    case "-d":
      return contains(listOf(take()), table === "raw" ? packet.dialedAddress : packet.destination);
    case "-i":
      return isInterface(take(), packet.inInterface);
    case "-o":
      return isInterface(take(), packet.outInterface);
    case "-p":
      return take() === packet.protocol;
    case "tcp --dport":
    case "udp --dport":
      return inRange(packet.destinationPort, take());
    case "tcp --sport":
    case "udp --sport":
      return inRange(packet.sourcePort, take());
    case "tcp --tcp-flags":
      if (`${take()} ${take()}` !== "FIN,SYN,RST,ACK SYN") throw new Error("other flags than --syn");
      return packet.syn;
    case "icmp --icmp-type":
    case "icmp6 --icmpv6-type":
      return Number(take()) === packet.icmpType;
    case "conntrack --ctstate":
      return take()
        .split(",")
        .some((state) => (state === "DNAT" ? packet.translated : state === packet.state));
    case "conntrack --ctdir":
      return take() === packet.direction;
    case "conntrack --ctorigdstport":
      return inRange(packet.dialedPort, take());
    case "set --match-set": {
      const set = bundle.sets.get(take());
      if (set === undefined) throw new Error("a set that the bundle does not make");
      return contains(set, take() === "src" ? packet.source : packet.destination);
    }
    case "rpfilter --invert":
      return packet.wrongWay;
    case "hashlimit --hashlimit-upto":
      take();
      return !packet.overRate;
    case "cgroup --path": {
      const path = take();
      return packet.cgroup === path || packet.cgroup.startsWith(`${path}/`);
    }
    case "limit --limit":
    case "comment --comment":
    case "hashlimit --hashlimit-burst":
    case "hashlimit --hashlimit-mode":
    case "hashlimit --hashlimit-name":
    case "hashlimit --hashlimit-srcmask":
      take();
      return true;
    default:
      throw new Error(`the evaluator does not know ${module} ${option}`);
  }
}

function isInterface(pattern: string, name: string): boolean {
  return pattern.endsWith("+") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

export function inRange(port: number, range: string): boolean {
  const [first, last = first] = range.split(":").map(Number);
  return first !== undefined && last !== undefined && first <= port && port <= last;
}

/** Words of a line as a shell would see them. */
export const words = remembered((line: string): readonly string[] => {
  const found = line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g);
  return [...found].map(([, quoted, bare]) => quoted?.replace(/\\(.)/g, "$1") ?? bare ?? "");
});

/** Lines and networks come again with every packet. */
function remembered<T>(compute: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const value = known.get(text) ?? compute(text);
    known.set(text, value);
    return value;
  };
}
