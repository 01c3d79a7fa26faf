/** Which nodes share a spread placement group. Plain data in, plain data out. */

/** Hetzner Cloud takes at most this many servers into one placement group. */
const groupLimit = 10;

export interface PlacedNode {
  readonly name: string;
  readonly pool: string;
  readonly role: "manager" | "worker";
}

/**
 * The name of each node's group. All managers share one, because it is the quorum that must not share a host; workers
 * get one for every ten of a pool. A numbered node's group follows from its number alone, so that a node that comes or
 * goes moves no other (a running server cannot change its group).
 */
export function placementGroups(nodes: readonly PlacedNode[]): ReadonlyMap<string, string> {
  const seen = new Map<string, number>();
  const groups = new Map<string, string>();
  for (const { name, pool, role } of nodes) {
    const position = seen.get(pool) ?? 0;
    seen.set(pool, position + 1);
    const index = Math.floor((numberOf(name, pool) ?? position) / groupLimit);
    groups.set(name, role === "manager" ? "managers" : index === 0 ? pool : `${pool}-group-${index + 1}`);
  }
  return groups;
}

/** `worker-12` of pool `worker` is number 11, counted from zero. */
function numberOf(name: string, pool: string): number | undefined {
  const match = name.startsWith(`${pool}-`) ? /^[1-9]\d{0,3}$/.exec(name.slice(pool.length + 1)) : null;
  return match === null ? undefined : Number(match[0]) - 1;
}
