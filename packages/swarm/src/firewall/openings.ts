/** What a policy opens on one node: the rules that let it in and the sets of sources they refer to. */
import { type Family, formatElement } from "./address";
import { type Head, pass } from "./builders";
import { coversPorts, coversSources, mergeEntries, networksOf, type PolicyEntry, rangeText } from "./entries";
import { appliesTo, type NodeFacts } from "./node";
import type { Match, Rule, SourceSet, Table } from "./ruleset";

/** One way in that the policy opens, with the name that its set of sources would have. */
export interface Opening {
  readonly entry: PolicyEntry;
  readonly setName: string;
}

/** One rule for each opening that neither `known` nor another of `openings` opens anyway. */
export function openingRules(family: Family, known: readonly Opening[], openings: readonly Opening[]): readonly Rule[] {
  const all = [...known, ...openings];
  return openings.flatMap((opening, position) => {
    const index = known.length + position;
    const redundant = all.some((other, otherIndex) => {
      if (otherIndex === index || !coversIn(family, other.entry, opening.entry)) return false;
      // Of two that open the same, the first stays.
      return otherIndex < index || !coversIn(family, opening.entry, other.entry);
    });
    const from = redundant ? undefined : sourcesOf(opening, family);
    if (from === undefined) return [];
    const { protocol, port, endPort } = opening.entry;
    return [pass({ ...from.head, protocol }, { kind: "dialed", port: { port, endPort } }, ...from.matches)];
  });
}

/** How a rule says "from these": nothing for everybody, an address for one network, a set for more; undefined for nobody. */
export function sourcesOf(opening: Opening, family: Family): { head: Head; matches: readonly Match[] } | undefined {
  const [first, ...rest] = sourcesIn(opening.entry, family);
  if (first === undefined) return undefined;
  if (rest.length > 0) return { head: {}, matches: [{ kind: "set", name: setNameOf(opening, family), side: "src" }] };
  return first.endsWith("/0") ? { head: {}, matches: [] } : { head: { source: first }, matches: [] };
}

/** The sets that the rules of a family refer to. */
export function setsOf(openings: readonly Opening[], family: Family, tables: readonly Table[]): readonly SourceSet[] {
  const matches = tables.flatMap(({ chains }) => chains.flatMap(({ rules }) => rules.flatMap((rule) => rule.matches)));
  const used = new Set(matches.map((match) => (match.kind === "set" ? match.name : undefined)));
  return openings
    .filter((opening) => used.has(setNameOf(opening, family)))
    .map((opening) => {
      const elements = networksOf(sourcesIn(opening.entry, family)).map(formatElement);
      const size = Math.max(1024, 2 ** Math.ceil(Math.log2(elements.length)));
      return { name: setNameOf(opening, family), family, hashSize: size, maxElements: Math.max(65536, size), elements };
    });
}

function setNameOf({ setName }: Opening, family: Family): string {
  return `${setName}-${family === "inet" ? 4 : 6}`;
}

/** `covers` among the sources of one family; who is open to nobody there is covered by anybody. */
function coversIn(family: Family, outer: PolicyEntry, inner: PolicyEntry): boolean {
  return coversPorts(outer, inner) && coversSources(sourcesIn(outer, family), sourcesIn(inner, family));
}

function sourcesIn(entry: PolicyEntry, family: Family): readonly string[] {
  return entry.sources.filter((source) => source.includes(":") === (family === "inet6"));
}

/** What applies to the node, merged again now that no entry is limited to other nodes. */
export function openingsOn(node: NodeFacts, entries: readonly PolicyEntry[], kind: "p" | "h"): readonly Opening[] {
  const here = entries.filter((entry) => appliesTo(entry, node)).map(({ pools: _, nodes: __, ...entry }) => entry);
  return mergeEntries(here).map((entry) => ({ entry, setName: `hc-${kind}-${entry.protocol}-${rangeText(entry)}` }));
}
