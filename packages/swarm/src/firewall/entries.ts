/** Lists of openings: how duplicates and overlaps become one canonical list. Plain data in, plain data out. */
import { formatNetwork, isNetwork, type Network, parseNetwork, simplifyNetworks } from "./address";

export const portProtocols = ["tcp", "udp", "sctp"] as const;
export type PortProtocol = (typeof portProtocols)[number];

/** Ports from `port` to `endPort`, both included; equal for a single port. */
export interface PortRange {
  readonly port: number;
  readonly endPort: number;
}

/** Every protocol, those without ports with them. It goes with `everyPort`. */
export const allProtocols = "all";
/** What containers may be let out by. */
export type EgressProtocol = PortProtocol | typeof allProtocols;
export const everyPort: PortRange = { port: 1, endPort: 65535 };
const order: readonly EgressProtocol[] = [allProtocols, ...portProtocols];

/** Ports of one protocol, whoever may dial them. */
export interface PortOpening<P extends EgressProtocol = PortProtocol> extends PortRange {
  readonly protocol: P;
}

/** A normalized opening: from these sources, on these nodes. */
export interface PolicyEntry<P extends EgressProtocol = PortProtocol> extends PortOpening<P> {
  /** Networks in canonical spelling, IPv4 first, sorted, none inside another. */
  readonly sources: readonly string[];
  /** Names of the pools it is limited to, sorted. With `nodes` absent too: everywhere. */
  readonly pools?: readonly string[];
  /** Names of the nodes it is limited to, sorted. */
  readonly nodes?: readonly string[];
}

/** What limits an entry to some nodes. */
export type Scope = Pick<PolicyEntry, "pools" | "nodes">;

export const anySource: readonly string[] = ["0.0.0.0/0", "::/0"];

/** `8000-8100`, or `80`. */
export function rangeText({ port, endPort }: PortRange): string {
  return port === endPort ? `${port}` : `${port}-${endPort}`;
}

export function rangesOverlap(a: PortRange, b: PortRange): boolean {
  return a.port <= b.endPort && b.port <= a.endPort;
}

export function rangeContains(outer: PortRange, inner: PortRange): boolean {
  return outer.port <= inner.port && inner.endPort <= outer.endPort;
}

/** Networks of texts that are known to be canonical. */
export function networksOf(sources: readonly string[]): readonly Network[] {
  return sources.map(parseNetwork).filter(isNetwork);
}

/**
 * The canonical list that opens the same: entries of equal ports and scope share their sources, overlapping ranges of equal
 * sources and scope become one, and an entry that another one opens anyway goes. Ranges that only touch stay apart, so that
 * opening a port never rewrites its neighbour. The order and repetition of the input change nothing.
 */
export function mergeEntries<P extends EgressProtocol>(entries: readonly PolicyEntry<P>[]): readonly PolicyEntry<P>[] {
  let merged = joinSources(entries);
  for (;;) {
    const next = joinSources(joinRanges(merged));
    if (next.length === merged.length) break;
    merged = next;
  }
  return merged.filter((entry) => !merged.some((other) => other !== entry && covers(other, entry)));
}

/** By port, then protocol, then scope: a new port takes its place without moving the others. */
export function compareOpenings(a: PortOpening<EgressProtocol>, b: PortOpening<EgressProtocol>): number {
  return a.port - b.port || a.endPort - b.endPort || order.indexOf(a.protocol) - order.indexOf(b.protocol);
}

/** Whether `outer` opens all that `inner` opens. */
export function covers(outer: PolicyEntry<EgressProtocol>, inner: PolicyEntry<EgressProtocol>): boolean {
  return coversPorts(outer, inner) && coversScope(outer, inner) && coversSources(outer.sources, inner.sources);
}

export function coversPorts(outer: PortOpening<EgressProtocol>, inner: PortOpening<EgressProtocol>): boolean {
  const sameProtocol = outer.protocol === allProtocols || outer.protocol === inner.protocol;
  return sameProtocol && rangeContains(outer, inner);
}

/** Whether every network of `inner` is in one of `outer`. */
export function coversSources(outer: readonly string[], inner: readonly string[]): boolean {
  if (outer === inner || anySource.every((source) => outer.includes(source))) return true;
  const all = simplifyNetworks(networksOf([...outer, ...inner]));
  const known = new Set(outer);
  return all.every((network) => known.has(formatNetwork(network)));
}

export function isEverywhere({ pools, nodes }: Scope): boolean {
  return pools === undefined && nodes === undefined;
}

function coversScope(outer: Scope, inner: Scope): boolean {
  if (isEverywhere(outer)) return true;
  if (isEverywhere(inner)) return false;
  return isSubset(inner.pools, outer.pools) && isSubset(inner.nodes, outer.nodes);
}

function isSubset(inner: readonly string[] = [], outer: readonly string[] = []): boolean {
  return inner.every((name) => outer.includes(name));
}

function scopeKey({ pools, nodes }: Scope): string {
  return JSON.stringify([pools ?? [], nodes ?? []]);
}

function joinSources<P extends EgressProtocol>(entries: readonly PolicyEntry<P>[]): readonly PolicyEntry<P>[] {
  const groups = groupBy(entries, (entry) => `${entry.protocol} ${rangeText(entry)} ${scopeKey(entry)}`);
  return groups
    .map(([first, ...rest]) => {
      if (rest.length === 0) return first;
      const sources = simplifyNetworks(networksOf([first, ...rest].flatMap((entry) => entry.sources))).map(
        formatNetwork,
      );
      return { ...first, sources };
    })
    .sort((a, b) => compareOpenings(a, b) || (scopeKey(a) < scopeKey(b) ? -1 : 1));
}

function joinRanges<P extends EgressProtocol>(entries: readonly PolicyEntry<P>[]): readonly PolicyEntry<P>[] {
  const groups = groupBy(entries, (entry) => `${entry.protocol} ${scopeKey(entry)} ${entry.sources.join()}`);
  return groups.flatMap((group) => {
    const joined: PolicyEntry<P>[] = [];
    for (const entry of [...group].sort(compareOpenings)) {
      const last = joined.at(-1);
      if (last === undefined || !rangesOverlap(last, entry)) joined.push(entry);
      else joined.splice(-1, 1, { ...last, endPort: Math.max(last.endPort, entry.endPort) });
    }
    return joined;
  });
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): readonly (readonly [T, ...T[]])[] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}
