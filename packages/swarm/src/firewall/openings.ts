/** What a policy opens on one node: the rules that let it through and the sets of networks they refer to. */
import { type Family, formatElement } from "./address";
import { type Head, pass } from "./builders";
import { egressEntry } from "./containerEgress";
import {
  allProtocols,
  coversPorts,
  coversSources,
  type EgressProtocol,
  everyPort,
  mergeEntries,
  networksOf,
  type PolicyEntry,
  rangeText,
} from "./entries";
import { appliesTo, metadataAddress, type NodeFacts } from "./node";
import type { Policy } from "./policy";
import type { Match, Rule, SourceSet, Table } from "./ruleset";

/** One way that the policy opens, with the name that its set of networks would have. */
export interface Opening {
  readonly entry: PolicyEntry<EgressProtocol>;
  readonly setName: string;
  /** Whether the entry's sources are who is dialed; default: who dials. */
  readonly outward?: boolean;
}

const first: Match = { kind: "state", state: "NEW", negated: false };

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
    const these = redundant ? undefined : networksAsRule(opening, family);
    if (these === undefined) return [];
    const { protocol, port, endPort } = opening.entry;
    if (protocol === allProtocols) return [pass(these.head, first, ...these.matches)];
    return [pass({ ...these.head, protocol }, { kind: "dialed", port: { port, endPort } }, ...these.matches)];
  });
}

/** How a rule says "from these" or "to these": nothing for all, an address for one network, a set for more; undefined for none. */
export function networksAsRule(
  opening: Opening,
  family: Family,
): { head: Head; matches: readonly Match[] } | undefined {
  const [network, ...rest] = sourcesIn(opening.entry, family);
  if (network === undefined) return undefined;
  const side = opening.outward ? "dst" : "src";
  if (rest.length > 0) return { head: {}, matches: [{ kind: "set", name: setNameOf(opening, family), side }] };
  if (network.endsWith("/0")) return { head: {}, matches: [] };
  return { head: opening.outward ? { destination: network } : { source: network }, matches: [] };
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
function coversIn(family: Family, outer: Opening["entry"], inner: Opening["entry"]): boolean {
  return coversPorts(outer, inner) && coversSources(sourcesIn(outer, family), sourcesIn(inner, family));
}

function sourcesIn(entry: Opening["entry"], family: Family): readonly string[] {
  return entry.sources.filter((source) => source.includes(":") === (family === "inet6"));
}

/** What applies to the node, merged again now that no entry is limited to other nodes. */
export function openingsOn<P extends EgressProtocol>(
  node: NodeFacts,
  entries: readonly PolicyEntry<P>[],
  kind: "p" | "h" | "e",
): readonly Opening[] {
  const here = entries.filter((entry) => appliesTo(entry, node)).map(({ pools: _, nodes: __, ...entry }) => entry);
  return mergeEntries<P>(here).map((entry) => {
    const ports = entry.protocol === allProtocols ? "" : `-${rangeText(entry)}`;
    return { entry, setName: `hc-${kind}-${entry.protocol}${ports}`, outward: kind === "e" };
  });
}

/** What containers of the node may dial beyond it; undefined for everything. */
export function egressOn(node: NodeFacts, { containerEgress, metadataAccess }: Policy): readonly Opening[] | undefined {
  if (containerEgress === undefined) return undefined;
  const metadata = { protocol: allProtocols, ...everyPort, sources: [metadataAddress] } as const;
  return openingsOn(node, [...containerEgress.open.map(egressEntry), ...(metadataAccess ? [metadata] : [])], "e");
}
