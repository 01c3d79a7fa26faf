/** Hosts that were there before their component and are there after it: what they let in without it. */
import type { Cluster, Member } from "../model/cluster.js";
import { notKnown, type Rule, type RuleSet, ruleSet } from "./rules.js";

/** What listens on hosts, by the names that the report gives them. */
export type Listening = ReadonlyMap<string, readonly Rule[]>;
type Which = "before" | "after";

const ALONE = notKnown("what a host lets in without its component is not known here; --listening tells it");

/** How the report names a member's node. */
export function nodeName({ resource }: Cluster, { name }: Member): string {
  return name === resource.name ? name : `${resource.name}-${name}`;
}

/** Adopted hosts on the side where the component does not have them, and what listens there as far as somebody told. */
export function* withoutComponent(
  clusters: readonly Cluster[],
  which: Which,
  listening: Listening,
): Iterable<[string, readonly Rule[] | undefined]> {
  for (const cluster of clusters) {
    const other = (which === "before" ? cluster.after : cluster.before) ?? new Map<string, Member>();
    for (const member of other.values()) {
      if (!member.adopted || cluster[which]?.has(member.name)) continue;
      const name = nodeName(cluster, member);
      yield [name, listening.get(name)];
    }
  }
}

/** A host without its component lets in everything: what listens there, and what the component lets in as well. */
export function unhardened(listens: readonly Rule[] | undefined, hardened: RuleSet): RuleSet {
  return listens === undefined ? ALONE : ruleSet([...listens, ...hardened.rules]);
}

/** Hosts that the caller told about in vain. */
export function* unadopted(clusters: readonly Cluster[], listening: Listening): Iterable<string> {
  const adopted = new Set(
    (["before", "after"] as const).flatMap((which) =>
      [...withoutComponent(clusters, which, new Map())].map(([name]) => name),
    ),
  );
  for (const name of listening.keys()) if (!adopted.has(name)) yield name;
}
