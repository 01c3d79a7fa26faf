/**
 * Policy to ruleset. Each chain is one function that reads from top to bottom as the chain does.
 *
 * Our chains only ever take away: what passes leaves with RETURN, never ACCEPT, so that Docker's own drops (clear-text VXLAN of
 * encrypted networks, isolation of bridges) and anyone else's (fail2ban) still follow. What does not pass is dropped.
 */
import { type Family, formatElement } from "./address";
import {
  anySource,
  coversPorts,
  coversSources,
  mergeEntries,
  networksOf,
  type PolicyEntry,
  type PortOpening,
  type PortRange,
  rangesOverlap,
} from "./entries";
import { PolicyError } from "./errors";
import { appliesTo, dockerInterfaces, openingText, type Policy } from "./policy";
import {
  type Chain,
  type Hook,
  type Match,
  peerSets,
  type Rule,
  type Ruleset,
  type SourceSet,
  type Table,
} from "./ruleset";

export type NodeRole = "manager" | "worker" | "standalone";

/** What the rules need to know of a node. */
export interface NodeFacts {
  readonly name: string;
  readonly pool: string;
  /** `standalone` hosts are in no swarm and have no peers. */
  readonly role: NodeRole;
  readonly swarm?: {
    /** UDP port of the swarm's data path (VXLAN), `--data-path-port` of `swarm init`; default: 4789. */
    readonly dataPathPort?: number;
  };
  /**
   * Control group (version 2) that all containers of the node are in, relative to its root, such as `docker.slice`. With it,
   * containers on the host's network are kept from the metadata service too. It must exist when the rules are loaded.
   */
  readonly cgroupPath?: string;
}

export const defaultDataPathPort = 4789;
/** Swarm's cluster management (managers only) and gossip between nodes. */
export const managementPort = 2377;
export const gossipPort = 7946;
/** Where Hetzner's metadata service answers; it has no IPv6 address. */
export const metadataAddress = "169.254.169.254/32";

/** ICMPv6 that neighbour discovery lives on; conntrack leaves these untracked. Router solicitation to neighbour advertisement. */
const neighbourDiscovery = [133, 134, 135, 136];
/** ICMPv6 multicast listener discovery, without which switches stop handing on neighbour solicitations. From link-local only. */
const listenerDiscovery = [130, 131, 132, 143];

/**
 * The rules of one node.
 * @throws PolicyError when the policy opens one of the swarm's own ports on the host: those are the peers' alone.
 */
export function compileRuleset(policy: Policy, node: NodeFacts): Ruleset {
  refuseSwarmPorts(policy, node);
  const plan = planOf(policy, node);
  const sets = (["inet", "inet6"] as const).flatMap((family) => setsOf(plan, family));
  return { hooks: hooksOf(plan), sets, inet: tablesOf(plan, "inet"), inet6: tablesOf(plan, "inet6") };
}

/** Ports that only the cluster's own nodes may dial on this node. */
export function swarmPorts(node: NodeFacts): readonly PortOpening[] {
  if (node.role === "standalone") return [];
  const at = (protocol: "tcp" | "udp", port: number): PortOpening => ({ protocol, port, endPort: port });
  const dataPath = node.swarm?.dataPathPort ?? defaultDataPathPort;
  return [at("tcp", managementPort), at("tcp", gossipPort), at("udp", gossipPort), at("udp", dataPath)];
}

/** One way in that the policy opens, with the name that its set of sources would have. */
interface Opening {
  readonly entry: PolicyEntry;
  readonly setName: string;
}

interface Plan {
  readonly policy: Policy;
  readonly node: NodeFacts;
  readonly inSwarm: boolean;
  readonly dataPathPort: number;
  readonly bridges: readonly string[];
  readonly ssh: Opening;
  readonly published: readonly Opening[];
  readonly hostServices: readonly Opening[];
  readonly containerToHost: readonly Opening[];
  /** Ports of the host that a range of published ports must not open with it. */
  readonly reserved: readonly PortOpening[];
}

function planOf(policy: Policy, node: NodeFacts): Plan {
  const sshPort: PortOpening = { protocol: "tcp", port: policy.ssh.port, endPort: policy.ssh.port };
  const published = openingsOn(node, policy.publishedPorts, "p");
  const patterns = [...dockerInterfaces, ...policy.trustedInterfaces];
  return {
    policy,
    node,
    inSwarm: node.role !== "standalone",
    dataPathPort: node.swarm?.dataPathPort ?? defaultDataPathPort,
    bridges: patterns.filter(
      (name) => !patterns.some((pattern) => pattern !== name && matchesInterface(pattern, name)),
    ),
    ssh: { entry: { ...sshPort, sources: policy.ssh.sources }, setName: "hc-ssh" },
    published,
    hostServices: openingsOn(node, policy.hostServices, "h"),
    containerToHost: policy.containerToHost.map((opening) => ({
      entry: { ...opening, sources: anySource },
      setName: "",
    })),
    reserved: [sshPort, ...swarmPorts(node)].filter(
      (port) =>
        overlapsAny(
          port,
          published.map(({ entry }) => entry),
        ) && !isDataPath(port, node),
    ),
  };
}

function hooksOf(plan: Plan): readonly Hook[] {
  return [
    { table: "raw", chain: "PREROUTING", target: "HC-RAW" },
    { table: "mangle", chain: "FORWARD", target: "HC-BELT" },
    { table: "filter", chain: "INPUT", target: "HC-IN" },
    { table: "filter", chain: "FORWARD", target: "DOCKER-USER" },
    { table: "filter", chain: "DOCKER-USER", target: "HC-FWD" },
    ...(closesHostNetworkMetadata(plan) ? [{ table: "filter", chain: "OUTPUT", target: "HC-OUT" } as const] : []),
  ];
}

function tablesOf(plan: Plan, family: Family): readonly Table[] {
  const output = closesHostNetworkMetadata(plan) ? [outputChain(plan, family)] : [];
  return [
    { name: "raw", chains: [rawChain(plan, family)] },
    { name: "mangle", chains: [forwardChain(plan, family, "HC-BELT")] },
    {
      name: "filter",
      chains: [inputChain(plan, family), containerChain(plan, family), forwardChain(plan, family, "HC-FWD"), ...output],
    },
  ];
}

/** Before conntrack and address translation: what cannot be, whatever it asks for. */
function rawChain(plan: Plan, family: Family): Chain {
  const notLoopback = { name: "lo", negated: true };
  const rules: Rule[] = [];
  if (family === "inet") {
    // Swarm switches route_localnet on, and Docker translates addresses before the kernel looks for martians: a neighbour (or a
    // container) could reach what is published on loopback only. For IPv6 the kernel refuses ::1 on a wire by itself.
    rules.push(drop({ source: "127.0.0.0/8", inInterface: notLoopback }, comment("loopback on a wire")));
    rules.push(drop({ destination: "127.0.0.0/8", inInterface: notLoopback }, comment("loopback on a wire")));
  }
  // A peer's address is worth something, so it must come in the way that leads back to it. Asking the routing table needs no
  // interface's name.
  if (plan.inSwarm) rules.push(drop({}, fromPeers(family), { kind: "wrongWay" }, comment("not the way to a peer")));
  return { name: "HC-RAW", rules };
}

/** To the host itself. */
function inputChain(plan: Plan, family: Family): Chain {
  const rules: Rule[] = [pass({ inInterface: { name: "lo", negated: false } })];
  if (plan.inSwarm) {
    const dataPath: Match = { kind: "ports", protocol: "udp", destination: single(plan.dataPathPort) };
    // Ahead of ESTABLISHED: an injected packet of a running VXLAN flow would count as established.
    rules.push(pass({ protocol: "udp" }, dataPath, fromPeers(family)));
    rules.push(drop({ protocol: "udp" }, dataPath, comment("data path is for peers")));
    rules.push(pass({ protocol: "esp" }, fromPeers(family)));
  }
  rules.push(...knownConnections(family));
  rules.push(drop({}, { kind: "state", state: "INVALID", negated: false }));
  rules.push(...icmpRules(plan, family));
  for (const name of plan.bridges)
    rules.push(rule({ inInterface: { name, negated: false } }, [], { kind: "goto", chain: "HC-CTR" }));
  rules.push(...sshRules(plan, family));
  rules.push(dhcpReplies(family));
  if (plan.inSwarm) rules.push(...peerRules(plan, family));
  // Over IPv6, docker-proxy is what answers on IPv4-only bridges, and it is a process of the host. Over IPv4 Docker translates
  // addresses, so a published port is no business of INPUT's.
  if (family === "inet6") rules.push(...reservedRules(plan));
  rules.push(
    ...openingRules(family, [], family === "inet6" ? [...plan.published, ...plan.hostServices] : plan.hostServices),
  );
  rules.push(...lastDrop(plan, "hc-in"));
  return { name: "HC-IN", rules };
}

/**
 * From containers to their own host, entered from HC-IN by goto. Published ports are here because a container that dials one on
 * its own node is not translated by Docker when both are on one bridge: docker-proxy answers on the host.
 */
function containerChain(plan: Plan, family: Family): Chain {
  const named = plan.containerToHost;
  const rules = [
    ...openingRules(family, [], named),
    ...reservedRules(plan),
    ...openingRules(family, named, [...plan.published, ...plan.hostServices]),
    ...lastDrop(plan, "hc-ctr"),
  ];
  return { name: "HC-CTR", rules };
}

/** Through the host: to containers and from them. The belt in mangle is the same chain, out of reach of whoever empties DOCKER-USER. */
function forwardChain(plan: Plan, family: Family, name: "HC-FWD" | "HC-BELT"): Chain {
  const rules: Rule[] = [];
  if (family === "inet" && !plan.policy.metadataAccess)
    rules.push(drop({ destination: metadataAddress }, comment("metadata service")));
  // A container's packet leaves with its node's address, which is a peer's: it must not speak to peers where peers trust peers.
  if (plan.inSwarm) {
    for (const { protocol, port } of swarmPorts(plan.node)) {
      if (protocol === "sctp") continue;
      rules.push(drop({ protocol }, { kind: "ports", protocol, destination: single(port) }, toPeers(family)));
    }
  }
  rules.push(...knownConnections(family));
  // A connection whose conntrack entry is gone (the agent deletes those that a new policy refuses) would be picked up again from
  // the container's side, as if the container had dialed. A reset ends it at once; mangle cannot send one.
  if (name === "HC-FWD") {
    const matches: readonly Match[] = [{ kind: "tcpNotSyn" }, { kind: "state", state: "NEW", negated: false }];
    rules.push(rule({ protocol: "tcp" }, matches, { kind: "reset" }));
  }
  for (const bridge of plan.bridges) rules.push(pass({ inInterface: { name: bridge, negated: false } }));
  // Nobody publishes without translation; who dials a container's own address found a route to it.
  rules.push(drop({}, { kind: "state", state: "DNAT", negated: true }, comment("not a published port")));
  rules.push(...openingRules(family, [], plan.published));
  rules.push(...lastDrop(plan, name.toLowerCase()));
  return { name, rules };
}

/** Containers on the host's network use OUTPUT like the host itself; their control group tells them apart. */
function outputChain({ node }: Plan, family: Family): Chain {
  const path = node.cgroupPath;
  if (family === "inet6" || path === undefined) return { name: "HC-OUT", rules: [] };
  return { name: "HC-OUT", rules: [drop({ destination: metadataAddress }, { kind: "cgroup", path })] };
}

/** RELATED is for ICMP errors alone: nothing else is expected without a conntrack helper, and helpers open what peers ask for. */
function knownConnections(family: Family): readonly Rule[] {
  return [
    pass({}, { kind: "state", state: "ESTABLISHED", negated: false }),
    pass({ protocol: icmpOf(family) }, { kind: "state", state: "RELATED", negated: false }),
  ];
}

function icmpRules({ policy }: Plan, family: Family): readonly Rule[] {
  const type = (number: number): Match => ({ kind: "icmpType", family, type: number });
  const protocol = icmpOf(family);
  const echo = policy.icmp.echo ? [pass({ protocol }, type(family === "inet" ? 8 : 128))] : [];
  if (family === "inet") return echo;
  return [
    ...neighbourDiscovery.map((number) => pass({ protocol }, type(number))),
    ...listenerDiscovery.map((number) => pass({ source: "fe80::/10", protocol }, type(number))),
    ...echo,
  ];
}

function sshRules({ policy, ssh }: Plan, family: Family): readonly Rule[] {
  const from = sourcesOf(ssh, family);
  if (from === undefined) return [];
  const { port, rateLimit } = policy.ssh;
  const matches: Match[] = [{ kind: "ports", protocol: "tcp", destination: single(port) }, ...from.matches];
  if (rateLimit !== undefined) {
    // The kernel finds a limit by its name and keeps the old numbers under it, so the numbers are part of the name.
    const name = `hc-ssh-${rateLimit.perMinute}-${rateLimit.burst}`;
    matches.push({ kind: "rate", name, family, perMinute: rateLimit.perMinute, burst: rateLimit.burst });
  }
  return [pass({ ...from.head, protocol: "tcp" }, ...matches)];
}

/** Replies to the host's own DHCP client; they may come as broadcast, which conntrack cannot tie to the request. */
function dhcpReplies(family: Family): Rule {
  const [server, client] = family === "inet" ? [67, 68] : [547, 546];
  const ports: Match = { kind: "ports", protocol: "udp", source: single(server), destination: single(client) };
  return pass({ ...(family === "inet6" && { source: "fe80::/10" }), protocol: "udp" }, ports);
}

/** Swarm's own ports but the data path, which stands further up. */
function peerRules({ node }: Plan, family: Family): readonly Rule[] {
  return swarmPorts(node)
    .filter((port) => !isDataPath(port, node))
    .filter(({ port }) => port !== managementPort || node.role === "manager")
    .flatMap(({ protocol, port }) =>
      protocol === "sctp"
        ? []
        : [pass({ protocol }, { kind: "ports", protocol, destination: single(port) }, fromPeers(family))],
    );
}

function reservedRules({ reserved }: Plan): readonly Rule[] {
  return reserved.flatMap(({ protocol, port }) =>
    protocol === "sctp"
      ? []
      : [
          drop(
            { protocol },
            { kind: "ports", protocol, destination: single(port) },
            comment("not among published ports"),
          ),
        ],
  );
}

/** One rule for each opening that neither `known` nor another of `openings` opens anyway. */
function openingRules(family: Family, known: readonly Opening[], openings: readonly Opening[]): readonly Rule[] {
  const inFamily = [...known, ...openings].map((opening) => ({ opening, sources: sourcesIn(opening.entry, family) }));
  return inFamily.flatMap(({ opening, sources }, index) => {
    if (index < known.length) return [];
    const redundant = inFamily.some((other, otherIndex) => {
      const coversIt = coversPorts(other.opening.entry, opening.entry) && coversSources(other.sources, sources);
      if (other.opening === opening || !coversIt) return false;
      const isCovered = coversPorts(opening.entry, other.opening.entry) && coversSources(sources, other.sources);
      return otherIndex < known.length || !isCovered || otherIndex < index;
    });
    const from = redundant ? undefined : sourcesOf(opening, family);
    if (from === undefined) return [];
    const { protocol, port, endPort } = opening.entry;
    return [pass({ ...from.head, protocol }, { kind: "dialed", port: { port, endPort } }, ...from.matches)];
  });
}

function lastDrop({ policy }: Plan, prefix: string): readonly Rule[] {
  const { enabled, perMinute } = policy.logDrops;
  const log = enabled ? [rule({}, [{ kind: "limit", perMinute }], { kind: "log", prefix: `${prefix} ` })] : [];
  return [...log, drop({})];
}

/** How a rule says "from these": nothing for everybody, an address for one network, a set for more; undefined for nobody. */
function sourcesOf(
  opening: Opening,
  family: Family,
): { head: { source?: string }; matches: readonly Match[] } | undefined {
  const [first, ...rest] = sourcesIn(opening.entry, family);
  if (first === undefined) return undefined;
  if (rest.length > 0) return { head: {}, matches: [{ kind: "set", name: setNameOf(opening, family), side: "src" }] };
  return first.endsWith("/0") ? { head: {}, matches: [] } : { head: { source: first }, matches: [] };
}

function setsOf(plan: Plan, family: Family): readonly SourceSet[] {
  return [plan.ssh, ...plan.published, ...plan.hostServices].flatMap((opening) => {
    const sources = sourcesIn(opening.entry, family);
    if (sources.length < 2) return [];
    const size = Math.max(1024, 2 ** Math.ceil(Math.log2(sources.length)));
    const elements = networksOf(sources).map(formatElement);
    return [{ name: setNameOf(opening, family), family, hashSize: size, maxElements: Math.max(65536, size), elements }];
  });
}

function setNameOf({ setName }: Opening, family: Family): string {
  return `${setName}-${family === "inet" ? 4 : 6}`;
}

function sourcesIn(entry: PolicyEntry, family: Family): readonly string[] {
  return entry.sources.filter((source) => source.includes(":") === (family === "inet6"));
}

/** What applies to the node, merged again now that no entry is limited to other nodes. */
function openingsOn(node: NodeFacts, entries: readonly PolicyEntry[], kind: "p" | "h"): readonly Opening[] {
  const here = entries.filter((entry) => appliesTo(entry, node)).map(({ pools: _, nodes: __, ...entry }) => entry);
  return mergeEntries(here).map((entry) => {
    const ports = entry.port === entry.endPort ? `${entry.port}` : `${entry.port}-${entry.endPort}`;
    return { entry, setName: `hc-${kind}-${entry.protocol}-${ports}` };
  });
}

function refuseSwarmPorts(policy: Policy, node: NodeFacts): void {
  const own = swarmPorts(node);
  const allowed = `host ports other than the swarm's own (${own.map(openingText).join(", ")}), which only its nodes may dial`;
  const named = [
    ...policy.hostServices
      .filter((entry) => appliesTo(entry, node))
      .map((opening) => ({ path: "hostServices", opening })),
    ...policy.containerToHost.map((opening) => ({ path: "containerToHost", opening })),
  ];
  const wrong = named.filter(({ opening }) => overlapsAny(opening, own));
  if (wrong.length === 0) return;
  throw new PolicyError(
    wrong.map(({ path, opening }) => ({ path, given: `${openingText(opening)} on ${node.name}`, allowed })),
  );
}

function overlapsAny(opening: PortOpening, others: readonly PortOpening[]): boolean {
  return others.some((other) => other.protocol === opening.protocol && rangesOverlap(other, opening));
}

function isDataPath({ protocol, port }: PortOpening, node: NodeFacts): boolean {
  return protocol === "udp" && port === (node.swarm?.dataPathPort ?? defaultDataPathPort);
}

function closesHostNetworkMetadata({ policy, node }: Plan): boolean {
  return !policy.metadataAccess && node.cgroupPath !== undefined;
}

function matchesInterface(pattern: string, name: string): boolean {
  return pattern.endsWith("+") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

type Head = Omit<Rule, "matches" | "target">;

function rule(head: Head, matches: readonly Match[], target: Rule["target"]): Rule {
  return { ...head, matches, target };
}

function pass(head: Head, ...matches: readonly Match[]): Rule {
  return rule(head, matches, { kind: "return" });
}

function drop(head: Head, ...matches: readonly Match[]): Rule {
  return rule(head, matches, { kind: "drop" });
}

function comment(text: string): Match {
  return { kind: "comment", text };
}

function fromPeers(family: Family): Match {
  return { kind: "set", name: peerSets[family], side: "src" };
}

function toPeers(family: Family): Match {
  return { kind: "set", name: peerSets[family], side: "dst" };
}

function single(port: number): PortRange {
  return { port, endPort: port };
}

function icmpOf(family: Family): "icmp" | "ipv6-icmp" {
  return family === "inet" ? "icmp" : "ipv6-icmp";
}
