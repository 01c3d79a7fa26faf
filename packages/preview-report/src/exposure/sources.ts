/** Sets of source addresses, as sorted and merged ranges, so that "narrower" and "wider" are arithmetic. */
import ipaddr from "ipaddr.js";

export type Family = "ipv4" | "ipv6";

interface Range {
  start: bigint;
  end: bigint;
}

/** A set of source addresses of one family. */
export interface SourceSet {
  /** Canonical networks as they were written, sorted, without duplicates. */
  readonly networks: readonly string[];
  readonly ranges: readonly Range[];
  /** True where a part of the set is known only after the update, or was abridged in the input. */
  readonly unknown: boolean;
  /** Identifies the set: equal keys, equal sets. */
  readonly key: string;
}

const BITS = { ipv4: 32n, ipv6: 128n } as const;
/** What counts as the whole of each family: all of IPv4, and the global unicast eighth of IPv6. */
const WORLD = { ipv4: 1n << 32n, ipv6: 1n << 125n } as const;

const parsed = new Map<string, { family: Family; range: Range; text: string } | undefined>();

/** A network or address; `undefined` for text that is neither. */
function parse(text: string): { family: Family; range: Range; text: string } | undefined {
  if (!parsed.has(text)) {
    if (parsed.size > 100_000) parsed.clear();
    parsed.set(text, parseNew(text));
  }
  return parsed.get(text);
}

function parseNew(text: string): { family: Family; range: Range; text: string } | undefined {
  try {
    const [address, length] = text.includes("/") ? ipaddr.parseCIDR(text) : [ipaddr.parse(text), undefined];
    const family = address.kind();
    const bits = BITS[family];
    const prefix = BigInt(length ?? bits);
    let number = 0n;
    for (const byte of address.toByteArray()) number = number * 256n + BigInt(byte);
    const size = 1n << (bits - prefix);
    const start = (number / size) * size;
    return { family, range: { start, end: start + size - 1n }, text: `${address.toString()}/${prefix}` };
  } catch {
    return undefined;
  }
}

/** The set of each family; what is no address makes both unknown, so that nothing is silently taken for closed. */
export function sourceSets(texts: readonly (string | undefined)[]): Record<Family, SourceSet> {
  const networks: Record<Family, Map<string, Range>> = { ipv4: new Map(), ipv6: new Map() };
  let unknown = false;
  for (const text of texts) {
    const one = text === undefined ? undefined : parse(text.trim());
    if (one) networks[one.family].set(one.text, one.range);
    else unknown = true;
  }
  return { ipv4: makeSet(networks.ipv4, unknown), ipv6: makeSet(networks.ipv6, unknown) };
}

export const NOBODY: SourceSet = makeSet(new Map(), false);
export const UNKNOWN_SOURCES: SourceSet = makeSet(new Map(), true);
export const ANYWHERE: Record<Family, SourceSet> = sourceSets(["0.0.0.0/0", "::/0"]);

function makeSet(networks: ReadonlyMap<string, Range>, unknown: boolean): SourceSet {
  const ranges = merge([...networks.values()]);
  const names = [...networks.keys()].sort();
  const key = `${ranges.map(({ start, end }) => `${start.toString(36)}-${end.toString(36)}`).join(",")}${unknown ? "?" : ""}`;
  return { networks: names, ranges, unknown, key };
}

function merge(ranges: Range[]): Range[] {
  const sorted = ranges.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  const result: Range[] = [];
  for (const range of sorted) {
    const last = result[result.length - 1];
    if (!last || range.start > last.end + 1n) result.push({ ...range });
    else if (range.end > last.end) last.end = range.end;
  }
  return result;
}

export function unite(sets: readonly SourceSet[]): SourceSet {
  if (sets.length === 0) return NOBODY;
  const [first] = sets;
  if (first && sets.every((set) => set.key === first.key)) return first;
  const ranges = merge(sets.flatMap((set) => [...set.ranges]));
  const networks = [...new Set(sets.flatMap((set) => set.networks))].sort();
  const unknown = sets.some((set) => set.unknown);
  const key = `${ranges.map(({ start, end }) => `${start.toString(36)}-${end.toString(36)}`).join(",")}${unknown ? "?" : ""}`;
  return { networks, ranges, unknown, key };
}

/** Whether every address of `inner` is in `outer`, unknown parts aside. */
export function covers(outer: SourceSet, inner: SourceSet): boolean {
  return inner.ranges.every((range) =>
    outer.ranges.some((other) => other.start <= range.start && range.end <= other.end),
  );
}

export function isNobody(set: SourceSet): boolean {
  return set.ranges.length === 0 && !set.unknown;
}

/** Open to the world: a quarter of the Internet or more, however it is cut into networks. */
export function isWorld(set: SourceSet, family: Family): boolean {
  const size = set.ranges.reduce((sum, { start, end }) => sum + end - start + 1n, 0n);
  return size * 4n >= WORLD[family];
}
