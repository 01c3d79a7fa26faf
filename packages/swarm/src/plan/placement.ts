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
 * The name of each node's group. A server that comes is up before the one goes that it comes for, a group may be full, and no running
 * server changes its group. So a group has room for what the program has and for what it had before:
 *
 * - A numbered worker's group follows from its number alone, ten numbers a group: one that comes or goes moves no other, and `w11`
 *   does not need the place of `w1`. A replacement has its node's number; every other one is in a second group.
 * - All managers share one group, because it is the quorum that must not share a host. It has room for five and their replacements;
 *   with seven, every other replacement is in a second group.
 * - Names without numbers go by their order. A full group of them has no room for another name until one has gone.
 */
export function placementGroups(nodes: readonly PlacedNode[]): ReadonlyMap<string, string> {
  const managers = nodes.filter(({ role }) => role === "manager");
  const hasRoom = managers.length * 2 <= groupLimit;
  const groups = new Map(
    managers.map((node) => [node.name, hasRoom ? "managers" : `managers${turnOf(node)}`] as const),
  );
  const workers = nodes.filter(({ role }) => role === "worker");
  for (const pool of new Set(workers.map((node) => node.pool)))
    for (const [name, group] of poolGroups(
      pool,
      workers.filter((node) => node.pool === pool),
    ))
      groups.set(name, group);
  return groups;
}

function poolGroups(pool: string, nodes: readonly PlacedNode[]): readonly (readonly [string, string])[] {
  const stem = countedStem(pool, nodes);
  const numbered = new Map<number, PlacedNode>();
  // `w1` before `w01`, which is no other number.
  for (const node of [...nodes].sort((a, b) => a.name.length - b.name.length)) {
    const number = stem === undefined ? undefined : numberOf(node.name, stem);
    if (number !== undefined && !numbered.has(number)) numbered.set(number, node);
  }
  const counted = new Set(numbered.values());
  const others = nodes.filter((node) => !counted.has(node));
  const group = (index: number, node: PlacedNode): string => {
    const tens = Math.floor(index / groupLimit);
    return `${pool}${tens === 0 ? "" : `-group-${tens + 1}`}${turnOf(node)}`;
  };
  // No pool has a point in its name. A small pool is best spread in one group, whatever its nodes are called.
  const apart = counted.size > 0 && nodes.length > groupLimit ? ".others" : "";
  return [
    ...[...numbered].map(([number, node]) => [node.name, group(number - 1, node)] as const),
    ...others.map((node, position) => [node.name, `${group(position, node)}${apart}`] as const),
  ];
}

function turnOf({ replacement = 0 }: PlacedNode): string {
  return replacement % 2 === 0 ? "" : "-other";
}

/** What stands before the numbers that count: the pool's own name, as in `worker-1`; else what most of its nodes have there. */
function countedStem(pool: string, nodes: readonly PlacedNode[]): string | undefined {
  if (nodes.some(({ name }) => numberOf(name, `${pool}-`) !== undefined)) return `${pool}-`;
  const stems = nodes.map(({ name }) => /^(.*\D)\d+$/.exec(name)?.[1]);
  return stems.find((stem) => stem !== undefined && stems.filter((one) => one === stem).length * 2 > nodes.length);
}

/** `w12` is number 12 of what is called `w`, and so is `w012`. */
function numberOf(name: string, stem: string): number | undefined {
  const match = name.startsWith(stem) ? /^0*([1-9]\d{0,3})$/.exec(name.slice(stem.length)) : null;
  return match === null ? undefined : Number(match[1]);
}
