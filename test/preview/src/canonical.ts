/**
 * Ids and addresses that depend on chance (which of two requests came first, random UUIDs) as they would be if resources had been made in
 * the order of their URNs. Pure.
 */
type Json = Record<string, unknown>;

/** Every event with the same names for the same things, whatever run it is of. */
export function canonical(events: readonly Json[]): Json[] {
  const sides = events.flatMap(sidesOf).sort((a, b) => compare(a.urn, b.urn));
  const ids = new Map<string, string>();
  const texts = new Map<string, string>();
  const name = (known: Map<string, string>, from: unknown, to: () => string) => {
    if (typeof from === "string" && from !== "" && from !== UNKNOWN && !known.has(from)) known.set(from, to());
  };
  for (const { urn, type, id, outputs } of sides) {
    if (type.startsWith("command:")) name(ids, id, () => `${urn.slice(urn.lastIndexOf("::") + 2)}-1`);
    if (!type.startsWith("hcloud:")) continue;
    if (/^\d+$/.test(id)) name(ids, id, () => String(FIRST_ID + ids.size));
    const place = texts.size + 1;
    name(texts, outputs.ipv4Address, () => `203.0.113.${place}`);
    name(texts, outputs.ipv6Address, () => `2001:db8:1:${place.toString(16)}::1`);
    name(texts, outputs.ipv6Network, () => `2001:db8:1:${place.toString(16)}::/64`);
    for (const network of Array.isArray(outputs.networks) ? (outputs.networks as Json[]) : []) {
      name(texts, network.ip, () => `10.0.0.${place}`);
      name(texts, network.macAddress, () => `86:00:00:00:00:${place.toString(16).padStart(2, "0")}`);
    }
  }
  return events.map((event) => visit(event, renamer(ids, texts)) as Json);
}

/** Ids of the API start here, so that they are taken for nothing else. */
const FIRST_ID = 1001;
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const UUID = /\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b/g;

interface Side {
  urn: string;
  type: string;
  id: string;
  outputs: Json;
}

function sidesOf(event: Json): Side[] {
  const step = (event.resourcePreEvent ?? event.resOutputsEvent) as { metadata?: Json } | undefined;
  const { urn, type, old, new: next } = step?.metadata ?? {};
  return [old, next].flatMap((side) => {
    if (typeof side !== "object" || side === null) return [];
    const { id, outputs } = side as { id?: string; outputs?: Json };
    return [{ urn: String(urn), type: String(type), id: id ?? "", outputs: outputs ?? {} }];
  });
}

type Rename = (value: string) => string;

function renamer(ids: ReadonlyMap<string, string>, texts: ReadonlyMap<string, string>): Rename {
  // All at once, so that two that swap their names do.
  const all = [...texts.keys()].sort((a, b) => b.length - a.length).map((text) => text.replace(/[.:/]/g, "\\$&"));
  const pattern = all.length === 0 ? undefined : new RegExp(`(?<![\\w.:])(?:${all.join("|")})(?![\\w.:]*\\w)`, "g");
  const uuids = new Map<string, string>([[UNKNOWN, UNKNOWN]]);
  const uuid = (found: string) => {
    const known = uuids.get(found) ?? `00000000-0000-4000-8000-${String(uuids.size).padStart(12, "0")}`;
    uuids.set(found, known);
    return known;
  };
  return (value) => {
    const whole = ids.get(value);
    if (whole !== undefined) return whole;
    const addressed = pattern === undefined ? value : value.replace(pattern, (found) => texts.get(found) ?? found);
    return sortLists(addressed.replace(UUID, uuid), ids);
  };
}

/** Lists that the components sort by what has just been renamed, and a subnet's id, which begins with its network's. */
function sortLists(text: string, ids: ReadonlyMap<string, string>): string {
  const renamed = (list: string) => list.split(" ").map((id) => ids.get(id) ?? id);
  return text
    .replace(/^(\d+)(?=-\d+\.)/, (id) => ids.get(id) ?? id)
    .replace(/(# servers )([\d ]+\d)/, (_all, start: string, list: string) => start + renamed(list).sort().join(" "))
    .replace(
      /(### peers\n)((?:[\da-f.:]+\n)+)/,
      (_all, start: string, list: string) => `${start}${list.trim().split("\n").sort().join("\n")}\n`,
    );
}

function visit(value: unknown, rename: Rename): unknown {
  if (typeof value === "string") return rename(value);
  if (typeof value === "number") return value > FIRST_ID - 1 ? Number(rename(String(value))) : value;
  if (Array.isArray(value)) return value.map((item) => visit(item, rename));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, visit(inner, rename)]));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
