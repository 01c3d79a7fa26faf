/** The policy as a flat record of short texts, made for diffs: one opening more is one line more. */
import { egressEntry } from "./containerEgress";
import { allProtocols, anySource, type EgressProtocol, isEverywhere, type PolicyEntry, rangeText } from "./entries";
import type { Policy } from "./policy";

/** So many networks are spelled out; of a longer list the payload shows each. */
const spelledOut = 8;

/**
 * Keys: `tcp/8443` for a published port, `host tcp/9100`, `ssh tcp/22`, `icmp echo`, `container tcp/5432` (container to host),
 * `egress` where containers are limited and `egress tcp/443` or `egress all` for what they may dial, `trusted br0`, `metadata`,
 * `log drops`; openings limited to pools or nodes carry them: `tcp/8443 on pool web`.
 */
export function policyEntries(policy: Policy): Readonly<Record<string, string>> {
  const { ssh, logDrops } = policy;
  const limit = ssh.rateLimit;
  const rate = limit === undefined ? "" : `, ${limit.perMinute} a minute a source after ${limit.burst}`;
  const entries: readonly (readonly [string, string])[] = [
    [`ssh tcp/${ssh.port}`, `${sourcesText(ssh.sources)}${rate}`],
    ...(policy.icmp.echo ? [["icmp echo", "from anywhere"] as const] : []),
    ...policy.publishedPorts.map((entry) => [keyOf(entry), sourcesText(entry.sources)] as const),
    ...policy.hostServices.map((entry) => [`host ${keyOf(entry)}`, sourcesText(entry.sources)] as const),
    ...policy.containerToHost.map(
      (opening) => [`container ${opening.protocol}/${rangeText(opening)}`, "from containers"] as const,
    ),
    ...egressEntries(policy),
    ...policy.trustedInterfaces.map((name) => [`trusted ${name}`, "forwarding is free"] as const),
    ...(policy.metadataAccess ? [["metadata", "open to containers"] as const] : []),
    ...(logDrops.enabled ? [["log drops", `${logDrops.perMinute} a minute a chain`] as const] : []),
  ];
  return Object.fromEntries(entries);
}

function egressEntries({ containerEgress }: Policy): readonly (readonly [string, string])[] {
  if (containerEgress === undefined) return [];
  const open = containerEgress.open.map(egressEntry);
  return [
    ["egress", "closed to containers but for what is opened"],
    ...open.map((entry) => [`egress ${keyOf(entry)}`, networksText("to", entry.sources)] as const),
  ];
}

function keyOf(entry: PolicyEntry<EgressProtocol>): string {
  const ports = entry.protocol === allProtocols ? entry.protocol : `${entry.protocol}/${rangeText(entry)}`;
  if (isEverywhere(entry)) return ports;
  const pools = (entry.pools ?? []).map((pool) => `pool ${pool}`);
  const nodes = (entry.nodes ?? []).map((node) => `node ${node}`);
  return `${ports} on ${[...pools, ...nodes].join(", ")}`;
}

function sourcesText(sources: readonly string[]): string {
  return networksText("from", sources);
}

function networksText(word: "from" | "to", networks: readonly string[]): string {
  if (networks.join() === anySource.join()) return `${word} anywhere`;
  if (networks.length <= spelledOut) return `${word} ${networks.join(", ")}`;
  return `${word} ${networks.length} networks, ${networks[0]} to ${networks.at(-1)} (list ${checksum(networks)})`;
}

/** Tells one list from another at a glance (FNV-1a, 32 bits); nothing rests on it. */
function checksum(texts: readonly string[]): string {
  let hash = 0x811c9dc5;
  for (const text of texts) for (const char of `${text}\n`) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}
