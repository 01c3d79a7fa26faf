/**
 * What a policy means, said directly: the oracle that rendered payloads are held against in tests. It reads the policy as the
 * user wrote it and shares no code with the compiler.
 */

import { contains, type NetworkList, networkList, type Packet } from "../../testing/evaluator";
import type { NodeFacts } from "../node";
import type { PolicyInput, PortEntryInput } from "../policy";

const everybody = ["0.0.0.0/0", "::/0"];
const linkLocal = ["fe80::/10"];
const loopback = ["127.0.0.0/8"];
const lists = new WeakMap<readonly string[], NetworkList>();

function isAmong(networks: readonly string[], address: string): boolean {
  const list = lists.get(networks) ?? networkList(networks);
  lists.set(networks, list);
  return contains(list, address);
}

/** Whether the packet gets through, by the policy. */
export function isOpen(policy: PolicyInput, node: NodeFacts, peers: readonly string[], packet: Packet): boolean {
  const swarm = node.role !== "standalone";
  const fromPeer = swarm && isAmong(peers, packet.source);
  if (packet.path === "output") return !isClosedToHostNetwork(policy, node, packet);
  if (isLoopbackOnWire(packet) || (fromPeer && packet.wrongWay)) return false;
  if (isPrivate(node, packet.source) && packet.wrongWay) return false;
  return packet.path === "input" ? intoHost(policy, node, fromPeer, packet) : throughHost(policy, node, peers, packet);
}

function intoHost(policy: PolicyInput, node: NodeFacts, fromPeer: boolean, packet: Packet): boolean {
  const { protocol, destinationPort: port } = packet;
  const swarm = node.role !== "standalone";
  if (packet.inInterface === "lo") return true;
  if (swarm && protocol === "udp" && port === dataPath(node)) return fromPeer;
  if (protocol === "esp" && fromPeer) return true;
  if (isKnown(packet)) return true;
  if (packet.state === "INVALID") return false;
  if (isWantedIcmp(policy, packet)) return true;

  const published =
    isFirst(packet) && !isReserved(policy, node, packet) && opens(policy.publishedPorts ?? defaultPorts, node, packet);
  const service = isFirst(packet) && opens(policy.hostServices ?? [], node, packet);
  if (isContainerSide(policy, packet.inInterface)) {
    const named = (policy.containerToHost ?? []).map((entry) => ({ ...entry, sources: everybody }));
    return (isFirst(packet) && opens(named, node, packet)) || published || service;
  }
  const ssh = policy.ssh ?? {};
  const overBastion = node.sshNetwork !== undefined && contains(networkList([node.sshNetwork]), packet.source);
  if (
    protocol === "tcp" &&
    port === (ssh.port ?? 22) &&
    (overBastion || isAmong(ssh.sources ?? everybody, packet.source))
  )
    if (ssh.rateLimit === undefined || !packet.overRate) return true;
  if (isDhcpReply(packet)) return true;
  if (fromPeer && protocol === "tcp" && port === 2377 && node.role === "manager") return true;
  if (fromPeer && (protocol === "tcp" || protocol === "udp") && port === 7946) return true;
  return service || (packet.family === "inet6" && published);
}

function throughHost(policy: PolicyInput, node: NodeFacts, peers: readonly string[], packet: Packet): boolean {
  const { protocol, destinationPort: port } = packet;
  const metadata = packet.destination === "169.254.169.254";
  if (metadata && (policy.metadataAccess !== true || isPrivate(node, packet.source))) return false;
  const ofSwarm =
    (protocol === "tcp" && (port === 2377 || port === 7946)) ||
    (protocol === "udp" && (port === 7946 || port === dataPath(node)));
  if (node.role !== "standalone" && ofSwarm && isAmong(peers, packet.destination)) return false;
  if (isKnown(packet)) return true;
  if (protocol === "tcp" && packet.state === "NEW" && !packet.syn) return false;
  if (isContainerSide(policy, packet.inInterface)) return mayDial(policy, node, packet);
  if (isWayOut(node, packet) && packet.state === "NEW") return true;
  return packet.translated && isFirst(packet) && opens(policy.publishedPorts ?? defaultPorts, node, packet);
}

/** Whether a packet that gets through does so whatever Docker's rules say: it belongs to a way out for others. */
export function isAccepted(policy: PolicyInput, node: NodeFacts, packet: Packet): boolean {
  if (packet.path !== "forward") return false;
  if (isKnown(packet)) return isWayOut(node, packet) || isWayBack(node, packet);
  return isWayOut(node, packet) && packet.state === "NEW" && !isContainerSide(policy, packet.inInterface);
}

function isPrivate({ egress }: NodeFacts, address: string): boolean {
  return egress !== undefined && contains(networkList([egress.network]), address);
}

/** From the private network to the outside, by the public interface and not from it. */
export function isWayOut(node: NodeFacts, { source, inInterface, outInterface }: Packet): boolean {
  const card = node.egress?.publicInterface;
  return isPrivate(node, source) && outInterface === card && inInterface !== card;
}

function isWayBack(node: NodeFacts, { destination, inInterface }: Packet): boolean {
  return isPrivate(node, destination) && inInterface === node.egress?.publicInterface;
}

const defaultPorts: readonly PortEntryInput[] = [{ port: 80 }, { port: 443 }];

function opens(entries: readonly PortEntryInput[], node: NodeFacts, packet: Packet): boolean {
  return entries.some((entry) => {
    const inPorts = entry.port <= packet.dialedPort && packet.dialedPort <= (entry.endPort ?? entry.port);
    return (
      isHere(entry, node) &&
      (entry.protocol ?? "tcp") === packet.protocol &&
      inPorts &&
      isAmong(entry.sources ?? everybody, packet.source)
    );
  });
}

function isHere({ pools, nodes }: Pick<PortEntryInput, "pools" | "nodes">, node: NodeFacts): boolean {
  return (pools ?? nodes) === undefined || pools?.includes(node.pool) === true || nodes?.includes(node.name) === true;
}

/** Host ports whose openness no published range decides. */
function isReserved(policy: PolicyInput, node: NodeFacts, { protocol, dialedPort }: Packet): boolean {
  if (protocol === "tcp" && dialedPort === (policy.ssh?.port ?? 22)) return true;
  if (node.role === "standalone") return false;
  return (
    (protocol === "tcp" && (dialedPort === 2377 || dialedPort === 7946)) || (protocol === "udp" && dialedPort === 7946)
  );
}

function isContainerSide(policy: PolicyInput, side: string): boolean {
  const names = ["docker0", "docker_gwbridge", "br-+", ...(policy.trustedInterfaces ?? [])];
  return names.some((name) => (name.endsWith("+") ? side.startsWith(name.slice(0, -1)) : side === name));
}

/** Whether a container may begin this, as far as it goes beyond its node. */
function mayDial(policy: PolicyInput, node: NodeFacts, packet: Packet): boolean {
  if (policy.containerEgress === undefined || isContainerSide(policy, packet.outInterface)) return true;
  if (packet.state !== "NEW") return false;
  if (policy.metadataAccess === true && packet.destination === "169.254.169.254") return true;
  return policy.containerEgress.open.some((entry) => {
    if (!isHere(entry, node) || !isAmong(entry.destinations ?? everybody, packet.destination)) return false;
    if (entry.protocol === undefined && entry.port === undefined) return true;
    const { port = 1, endPort = entry.port ?? 65535 } = entry;
    const inPorts = port <= packet.dialedPort && packet.dialedPort <= endPort;
    return (entry.protocol ?? "tcp") === packet.protocol && inPorts && packet.direction === "ORIGINAL";
  });
}

/**
 * What the belts alone make of a packet: limits count in filter; of TCP that conntrack does not know a reset is not in their
 * power, and a container's goes on to it.
 */
export function isOpenInBelt(policy: PolicyInput, node: NodeFacts, known: readonly string[], packet: Packet): boolean {
  const isStray = packet.path === "forward" && packet.protocol === "tcp" && packet.state === "NEW" && !packet.syn;
  if (!isStray) return isOpen(policy, node, known, { ...packet, overRate: false });
  return isOpen({ ...policy, containerEgress: undefined }, node, known, { ...packet, syn: true });
}

function isFirst({ state, direction }: Packet): boolean {
  return state === "NEW" && direction === "ORIGINAL";
}

function isKnown({ family, protocol, state }: Packet): boolean {
  return state === "ESTABLISHED" || (state === "RELATED" && protocol === (family === "inet" ? "icmp" : "ipv6-icmp"));
}

function isWantedIcmp(policy: PolicyInput, { family, protocol, icmpType, source }: Packet): boolean {
  const echo = policy.icmp?.echo ?? true;
  if (family === "inet") return protocol === "icmp" && icmpType === 8 && echo;
  if (protocol !== "ipv6-icmp") return false;
  const local = isAmong(linkLocal, source);
  return (
    [133, 134, 135, 136].includes(icmpType) ||
    (local && [130, 131, 132, 143].includes(icmpType)) ||
    (icmpType === 128 && echo)
  );
}

function isDhcpReply({ family, protocol, source, sourcePort, destinationPort }: Packet): boolean {
  if (protocol !== "udp") return false;
  if (family === "inet") return sourcePort === 67 && destinationPort === 68;
  return sourcePort === 547 && destinationPort === 546 && isAmong(linkLocal, source);
}

function isLoopbackOnWire({ family, inInterface, source, dialedAddress }: Packet): boolean {
  return family === "inet" && inInterface !== "lo" && (isAmong(loopback, source) || isAmong(loopback, dialedAddress));
}

/** What a container on the host's network may not dial. */
function isClosedToHostNetwork(policy: PolicyInput, node: NodeFacts, packet: Packet): boolean {
  const { cgroup, destination, family, protocol, destinationPort } = packet;
  const { cgroupPath } = node;
  if (cgroupPath === undefined || family === "inet6") return false;
  if (cgroup !== cgroupPath && !cgroup.startsWith(`${cgroupPath}/`)) return false;
  if (destination === "169.254.169.254" && policy.metadataAccess !== true) return true;
  return node.role !== "standalone" && protocol === "udp" && destinationPort === dataPath(node);
}

function dataPath({ swarm }: NodeFacts): number {
  return swarm?.dataPathPort ?? 4789;
}
