/**
 * Policy to ruleset. Each chain is one function that reads from top to bottom as the chain does.
 *
 * Our chains only ever take away (but for what a way out lets through, see wayOut.ts): what passes leaves with RETURN, never ACCEPT, so that Docker's own drops (clear-text VXLAN of
 * encrypted networks, isolation of bridges) and anyone else's (fail2ban) still follow. What does not pass is dropped.
 */
import type { Family } from "./address";
import { comment, drop, fromPeers, icmpOf, pass, rule, single, toPeers } from "./builders";
import { anySource, coversPorts, type EgressProtocol, type PortOpening, rangesOverlap } from "./entries";
import { PolicyError } from "./errors";
import {
  appliesTo,
  dataPathPortOf,
  isDataPath,
  managementPort,
  metadataAddress,
  type NodeFacts,
  sshSources,
  swarmPorts,
} from "./node";
import { egressOn, networksAsRule, type Opening, openingRules, openingsOn, setsOf } from "./openings";
import { dockerInterfaces, openingText, type Policy } from "./policy";
import type { Chain, Hook, Match, Rule, Ruleset, Table, Target } from "./ruleset";
import { wayOutHooks, wayOutRules, wayOutTables } from "./wayOut";

/** TCP of connections that conntrack does not know. */
const strayTcp: readonly Match[] = [{ kind: "tcpNotSyn" }, { kind: "state", state: "NEW", negated: false }];

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
  const inet = tablesOf(plan, "inet");
  const inet6 = tablesOf(plan, "inet6");
  const openings = [plan.ssh, ...plan.published, ...plan.hostServices, ...(plan.egress ?? [])];
  const sets = [...setsOf(openings, "inet", inet), ...setsOf(openings, "inet6", inet6)];
  return { hooks: hooksOf(plan), sets, inet, inet6 };
}

interface Plan {
  readonly policy: Policy;
  readonly node: NodeFacts;
  readonly inSwarm: boolean;
  readonly bridges: readonly string[];
  readonly ssh: Opening;
  readonly published: readonly Opening[];
  readonly hostServices: readonly Opening[];
  readonly containerToHost: readonly Opening[];
  /** What containers may dial beyond the node; undefined for everything. */
  readonly egress: readonly Opening[] | undefined;
  /** The published ports as far as they matter to the host itself: without SSH's and the swarm's own ports. */
  readonly publishedOnHost: readonly Opening[];
  /** Host ports inside a range of `publishedOnHost`, which must not open with it. */
  readonly reserved: readonly PortOpening[];
}

function planOf(policy: Policy, node: NodeFacts): Plan {
  const sshPort: PortOpening = { protocol: "tcp", port: policy.ssh.port, endPort: policy.ssh.port };
  const published = openingsOn(node, policy.publishedPorts, "p");
  // SSH and the swarm decide alone who dials their ports on the host. (The data path has its own drop, further up.)
  const own = [sshPort, ...swarmPorts(node)].filter((port) => !isDataPath(port, node));
  const publishedOnHost = published.filter(({ entry }) => !own.some((port) => coversPorts(port, entry)));
  const patterns = [...dockerInterfaces, ...policy.trustedInterfaces];
  return {
    policy,
    node,
    inSwarm: node.role !== "standalone",
    bridges: patterns.filter(
      (name) => !patterns.some((pattern) => pattern !== name && matchesInterface(pattern, name)),
    ),
    ssh: { entry: { ...sshPort, sources: sshSources(policy.ssh.sources, node) }, setName: "hc-ssh" },
    published,
    hostServices: openingsOn(node, policy.hostServices, "h"),
    containerToHost: policy.containerToHost.map((opening) => ({
      entry: { ...opening, sources: anySource },
      setName: "",
    })),
    egress: egressOn(node, policy),
    publishedOnHost,
    reserved: own.filter((port) => publishedOnHost.some(({ entry }) => overlapsAny(port, [entry]))),
  };
}

function hooksOf(plan: Plan): readonly Hook[] {
  return [
    ...wayOutHooks(plan.node),
    { table: "raw", chain: "PREROUTING", target: "HC-RAW" },
    { table: "mangle", chain: "INPUT", target: "HC-BELTIN" },
    { table: "mangle", chain: "FORWARD", target: "HC-BELT" },
    { table: "filter", chain: "INPUT", target: "HC-IN" },
    { table: "filter", chain: "FORWARD", target: "DOCKER-USER" },
    { table: "filter", chain: "DOCKER-USER", target: "HC-FWD" },
    ...(limitsHostNetwork(plan) ? [{ table: "filter", chain: "OUTPUT", target: "HC-OUT" } as const] : []),
  ];
}

function tablesOf(plan: Plan, family: Family): readonly Table[] {
  const output = limitsHostNetwork(plan) ? [outputChain(plan, family)] : [];
  return [
    ...wayOutTables(plan.node, family),
    { name: "raw", chains: [rawChain(plan, family)] },
    { name: "mangle", chains: [...hostChains(plan, family, belt), ...forwardChains(plan, family, "HC-BELT")] },
    {
      name: "filter",
      chains: [...hostChains(plan, family, filter), ...forwardChains(plan, family, "HC-FWD"), ...output],
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
  rules.push(...wayOutRules(plan.node, family, metadataAddress).raw);
  // A peer's address is worth something, so it must come in the way that leads back to it. Asking the routing table needs no
  // interface's name.
  if (plan.inSwarm) rules.push(drop({}, fromPeers(family), { kind: "wrongWay" }, comment("not the way to a peer")));
  return { name: "HC-RAW", rules };
}

/** The chains of a packet for the host, where they stand. */
interface HostChains {
  readonly input: "HC-IN" | "HC-BELTIN";
  readonly container: "HC-CTR" | "HC-BELTCTR";
}
const filter: HostChains = { input: "HC-IN", container: "HC-CTR" };
/** In mangle the same once more, out of reach of whoever empties the table filter. The limit on SSH is in filter alone: it would count twice. */
const belt: HostChains = { input: "HC-BELTIN", container: "HC-BELTCTR" };

function hostChains(plan: Plan, family: Family, names: HostChains): readonly Chain[] {
  return [inputChain(plan, family, names), containerChain(plan, family, names)];
}

/** To the host itself. */
function inputChain(plan: Plan, family: Family, names: HostChains): Chain {
  const rules: Rule[] = [pass({ inInterface: { name: "lo", negated: false } })];
  if (plan.inSwarm) {
    const dataPath: Match = { kind: "ports", protocol: "udp", destination: single(dataPathPortOf(plan.node)) };
    // Ahead of ESTABLISHED: an injected packet of a running VXLAN flow would count as established.
    rules.push(pass({ protocol: "udp" }, dataPath, fromPeers(family)));
    rules.push(drop({ protocol: "udp" }, dataPath, comment("data path is for peers")));
    rules.push(pass({ protocol: "esp" }, fromPeers(family)));
  }
  rules.push(...knownConnections(family));
  rules.push(drop({}, { kind: "state", state: "INVALID", negated: false }));
  rules.push(...icmpRules(plan, family));
  for (const name of plan.bridges)
    rules.push(rule({ inInterface: { name, negated: false } }, [], { kind: "goto", chain: names.container }));
  rules.push(...sshRules(plan, family, names));
  rules.push(dhcpReplies(family));
  if (plan.inSwarm) rules.push(...peerRules(plan, family));
  // Over IPv6, docker-proxy is what answers on IPv4-only bridges, and it is a process of the host. Over IPv4 Docker translates
  // addresses, so a published port is no business of INPUT's.
  if (family === "inet6") rules.push(...reservedRules(plan, []));
  rules.push(
    ...openingRules(
      family,
      [],
      family === "inet6" ? [...plan.publishedOnHost, ...plan.hostServices] : plan.hostServices,
    ),
  );
  rules.push(...lastDrop(plan, names.input.toLowerCase()));
  return { name: names.input, rules };
}

/**
 * From containers to their own host, entered from HC-IN or its belt by goto. Published ports are here because a container that dials one on
 * its own node is not translated by Docker when both are on one bridge: docker-proxy answers on the host.
 */
function containerChain(plan: Plan, family: Family, names: HostChains): Chain {
  const named = plan.containerToHost;
  const rules = [
    ...openingRules(family, [], named),
    ...reservedRules(plan, named),
    ...openingRules(family, named, [...plan.publishedOnHost, ...plan.hostServices]),
    ...lastDrop(plan, names.container.toLowerCase()),
  ];
  return { name: names.container, rules };
}

/** The chain that each chain of forwarded packets hands those of containers to, where the policy limits them. */
const egressChains = { "HC-FWD": "HC-EGRESS", "HC-BELT": "HC-EGBELT" } as const;

function forwardChains(plan: Plan, family: Family, name: "HC-FWD" | "HC-BELT"): readonly Chain[] {
  const egress = plan.egress === undefined ? [] : [egressChain(plan, plan.egress, family, egressChains[name])];
  return [forwardChain(plan, family, name), ...egress];
}

/** Through the host: to containers and from them. The belt in mangle is the same chain, out of reach of whoever empties DOCKER-USER. */
function forwardChain(plan: Plan, family: Family, name: "HC-FWD" | "HC-BELT"): Chain {
  const rules: Rule[] = [];
  const wayOut = wayOutRules(plan.node, family, metadataAddress);
  if (family === "inet" && !plan.policy.metadataAccess)
    rules.push(drop({ destination: metadataAddress }, comment("metadata service")));
  else rules.push(...wayOut.metadata);
  // A container's packet leaves with its node's address, which is a peer's: it must not speak to peers where peers trust peers.
  if (plan.inSwarm) {
    for (const { protocol, port } of swarmPorts(plan.node))
      rules.push(drop({ protocol }, { kind: "ports", protocol, destination: single(port) }, toPeers(family)));
  }
  if (name === "HC-FWD") rules.push(...wayOut.known);
  rules.push(...knownConnections(family));
  // A connection whose conntrack entry is gone (the agent deletes those that a new policy refuses) would be picked up again from
  // the container's side, as if the container had dialed. A reset ends it at once; mangle cannot send one.
  if (name === "HC-FWD") rules.push(rule({ protocol: "tcp" }, strayTcp, { kind: "reset" }));
  const onward: Target = plan.egress === undefined ? { kind: "return" } : { kind: "goto", chain: egressChains[name] };
  for (const bridge of plan.bridges) rules.push(rule({ inInterface: { name: bridge, negated: false } }, [], onward));
  rules.push(...(name === "HC-FWD" ? wayOut.first : wayOut.belt));
  // Nobody publishes without translation; who dials a container's own address found a route to it.
  rules.push(drop({}, { kind: "state", state: "DNAT", negated: true }, comment("not a published port")));
  rules.push(...openingRules(family, [], plan.published));
  rules.push(...lastDrop(plan, name.toLowerCase()));
  return { name, rules };
}

/**
 * What containers dial, entered by goto: from bridge to bridge everything, which Docker's own isolation limits; beyond the node
 * what the policy opens. Their replies, the metadata service and the swarm's ports of peers were decided on before.
 */
function egressChain(plan: Plan, openings: readonly Opening[], family: Family, name: string): Chain {
  const rules = plan.bridges.map((outInterface) => pass({ outInterface }));
  // The reset for these is HC-FWD's: dropped here, an ended connection would hang until its program gives up.
  if (name === egressChains["HC-BELT"]) rules.push(pass({ protocol: "tcp" }, ...strayTcp));
  rules.push(...openingRules(family, [], openings), ...lastDrop(plan, name.toLowerCase()));
  return { name, rules };
}

/**
 * Containers on the host's network use OUTPUT like the host itself; their control group tells them apart. Of the swarm's ports
 * the data path alone asks for no key. It is closed to the node's own as well, which listens on loopback. What the kernel wraps
 * for an overlay has the socket of a container's own network, which this match passes over.
 */
function outputChain({ policy, node, inSwarm }: Plan, family: Family): Chain {
  const path = node.cgroupPath;
  if (family === "inet6" || path === undefined) return { name: "HC-OUT", rules: [] };
  const containers: Match = { kind: "cgroup", path };
  const dataPath: Match = { kind: "ports", protocol: "udp", destination: single(dataPathPortOf(node)) };
  const rules = [
    ...(policy.metadataAccess ? [] : [drop({ destination: metadataAddress }, containers)]),
    ...(inSwarm ? [drop({ protocol: "udp" }, dataPath, containers)] : []),
  ];
  return { name: "HC-OUT", rules };
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

function sshRules({ policy, ssh }: Plan, family: Family, names: HostChains): readonly Rule[] {
  const from = networksAsRule(ssh, family);
  if (from === undefined) return [];
  const { port, rateLimit } = policy.ssh;
  const matches: Match[] = [{ kind: "ports", protocol: "tcp", destination: single(port) }, ...from.matches];
  if (rateLimit !== undefined && names === filter) {
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
    .map(({ protocol, port }) =>
      pass({ protocol }, { kind: "ports", protocol, destination: single(port) }, fromPeers(family)),
    );
}

/** What a range of published ports must not open; what `known` opened before is open. */
function reservedRules({ reserved }: Plan, known: readonly Opening[]): readonly Rule[] {
  return reserved
    .filter((port) => !known.some(({ entry }) => coversPorts(entry, port)))
    .map(({ protocol, port }) => {
      return drop({ protocol }, { kind: "dialed", port: single(port) }, comment("not among published ports"));
    });
}

function lastDrop({ policy }: Plan, prefix: string): readonly Rule[] {
  const { enabled, perMinute } = policy.logDrops;
  const log = enabled ? [rule({}, [{ kind: "limit", perMinute }], { kind: "log", prefix: `${prefix} ` })] : [];
  return [...log, drop({})];
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

function overlapsAny(opening: PortOpening, others: readonly PortOpening<EgressProtocol>[]): boolean {
  return others.some((other) => other.protocol === opening.protocol && rangesOverlap(other, opening));
}

function limitsHostNetwork({ policy, node, inSwarm }: Plan): boolean {
  return (inSwarm || !policy.metadataAccess) && node.cgroupPath !== undefined;
}

function matchesInterface(pattern: string, name: string): boolean {
  return pattern.endsWith("+") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
