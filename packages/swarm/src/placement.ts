/** Which nodes share a spread placement group. Plain data in, plain data out. */

/** Hetzner Cloud takes at most this many servers into one placement group. */
const groupLimit = 10;

export interface PlacedNode {
  readonly name: string;
  readonly pool: string;
  readonly role: "manager" | "worker";
  /** How often the node has been replaced. Default: 0. */
  readonly replacement?: number;
}

/**
 * The name of each node's group. All managers share one, because it is the quorum that must not share a host; workers
 * get one for every ten of a pool. A numbered node's group follows from its number alone, so that a node that comes or
 * goes moves no other (a running server cannot change its group). A worker's replacement is up before the old one goes, and a
 * group may be full: every other one is in a second group.
 */
export function placementGroups(nodes: readonly PlacedNode[]): ReadonlyMap<string, string> {
  const seen = new Map<string, number>();
  const groups = new Map<string, string>();
  for (const { name, pool, role, replacement = 0 } of nodes) {
    const position = seen.get(pool) ?? 0;
    seen.set(pool, position + 1);
    const index = Math.floor((numberOf(name, pool) ?? position) / groupLimit);
    const group = index === 0 ? pool : `${pool}-group-${index + 1}`;
    groups.set(name, role === "manager" ? "managers" : replacement % 2 === 0 ? group : `${group}-other`);
  }
  return groups;
}

/** `worker-12` of pool `worker` is number 11, counted from zero. */
function numberOf(name: string, pool: string): number | undefined {
  const match = name.startsWith(`${pool}-`) ? /^[1-9]\d{0,3}$/.exec(name.slice(pool.length + 1)) : null;
  return match === null ? undefined : Number(match[0]) - 1;
}
