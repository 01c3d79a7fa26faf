/** What the firewall needs to know of a node, and which openings hold on it. */
import { formatNetwork, simplifyNetworks } from "./address";
import { coversSources, isEverywhere, networksOf, type PortOpening, type Scope } from "./entries";

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
  /** Makes the node the way out for servers of a private network that have no public address. Default: it is none. */
  readonly egress?: EgressFacts;
  /**
   * For a node without a public address: the private network, in canonical spelling, that SSH is open to beside the policy's
   * sources, for it comes over a bastion. Default: none.
   */
  readonly sshNetwork?: string;
}

/** Over IPv4 only, as private networks are. */
export interface EgressFacts {
  /** Who may go out: a network in canonical spelling, such as `10.0.0.0/16`. */
  readonly network: string;
  /**
   * The interface that they go out by, such as `eth0`. It is the one interface of a host that rules name: with a wrong name
   * nothing is let through.
   */
  readonly publicInterface: string;
}

/** Where Hetzner's metadata service answers; it has no IPv6 address. */
export const metadataAddress = "169.254.169.254/32";
export const defaultDataPathPort = 4789;
/** Swarm's cluster management (managers only) and gossip between nodes. */
export const managementPort = 2377;
export const gossipPort = 7946;

/** Ports that only the cluster's own nodes may dial on this node. */
export function swarmPorts(node: NodeFacts): readonly PortOpening<"tcp" | "udp">[] {
  if (node.role === "standalone") return [];
  const at = (protocol: "tcp" | "udp", port: number) => ({ protocol, port, endPort: port });
  return [at("tcp", managementPort), at("tcp", gossipPort), at("udp", gossipPort), at("udp", dataPathPortOf(node))];
}

/** Whether an opening holds on this node. */
export function appliesTo(entry: Scope, node: Pick<NodeFacts, "name" | "pool">): boolean {
  return isEverywhere(entry) || entry.pools?.includes(node.pool) === true || entry.nodes?.includes(node.name) === true;
}

export function isDataPath({ protocol, port }: PortOpening, node: NodeFacts): boolean {
  return protocol === "udp" && port === dataPathPortOf(node);
}

export function dataPathPortOf({ swarm }: NodeFacts): number {
  return swarm?.dataPathPort ?? defaultDataPathPort;
}

/** Who may use SSH. A bastion asks from its address in the private network, whatever the policy's sources are at the bastion itself. */
export function sshSources(
  sources: readonly string[],
  { sshNetwork }: Pick<NodeFacts, "sshNetwork">,
): readonly string[] {
  if (sshNetwork === undefined || coversSources(sources, [sshNetwork])) return sources;
  return simplifyNetworks(networksOf([...sources, sshNetwork])).map(formatNetwork);
}
