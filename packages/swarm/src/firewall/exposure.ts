/** Exposure: the set of (node, family, protocol, port, source) that the outside can reach. */
import { anySource, compareOpenings, mergeEntries, type PolicyEntry, type PortProtocol, rangeText } from "./entries";
import { appliesTo, type NodeFacts, sshSources } from "./node";
import type { Policy } from "./policy";

export interface ExposureRow {
  readonly node: string;
  readonly family: "ipv4" | "ipv6";
  readonly protocol: PortProtocol | "icmp";
  /** `443`, `8000-8100`, or `echo` of ICMP. */
  readonly port: string;
  /** A network; `0.0.0.0/0` and `::/0` are everybody. */
  readonly source: string;
}

export interface ExposureDiff {
  readonly opened: readonly ExposureRow[];
  readonly closed: readonly ExposureRow[];
}

/**
 * Everything that a policy lets in from outside, by node: published ports, host services, SSH and ping. The swarm's own ports
 * are not here, being open to peers alone. Rows are sorted by node (in the order given), port, protocol and source.
 */
export function exposureOf(
  policy: Policy,
  nodes: readonly Pick<NodeFacts, "name" | "pool" | "sshNetwork">[],
): readonly ExposureRow[] {
  return nodes.flatMap((node) => {
    const ssh: PolicyEntry = {
      protocol: "tcp",
      port: policy.ssh.port,
      endPort: policy.ssh.port,
      sources: sshSources(policy.ssh.sources, node),
    };
    const limited = [...policy.publishedPorts, ...policy.hostServices].filter((entry) => appliesTo(entry, node));
    const open = limited.map(({ protocol, port, endPort, sources }) => ({ protocol, port, endPort, sources }));
    const ports = [...mergeEntries([ssh, ...open])]
      .sort(compareOpenings)
      .flatMap((entry) => entry.sources.map((source) => row(node.name, entry.protocol, rangeText(entry), source)));
    const echo = policy.icmp.echo ? anySource.map((source) => row(node.name, "icmp", "echo", source)) : [];
    return [...echo, ...ports];
  });
}

/** What `after` adds to `before` and takes from it, row by row. */
export function diffExposure(before: readonly ExposureRow[], after: readonly ExposureRow[]): ExposureDiff {
  return { opened: without(after, before), closed: without(before, after) };
}

function without(rows: readonly ExposureRow[], others: readonly ExposureRow[]): readonly ExposureRow[] {
  const known = new Set(others.map(keyOf));
  return rows.filter((candidate) => !known.has(keyOf(candidate)));
}

function keyOf({ node, family, protocol, port, source }: ExposureRow): string {
  return JSON.stringify([node, family, protocol, port, source]);
}

function row(node: string, protocol: ExposureRow["protocol"], port: string, source: string): ExposureRow {
  return { node, family: source.includes(":") ? "ipv6" : "ipv4", protocol, port, source };
}
