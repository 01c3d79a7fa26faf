/** What changes between two sets of openings, port by port. */
import { FAMILIES, type Rule, type RuleSet } from "./rules.js";
import { covers, type Family, isNobody, isWorld, NOBODY, type SourceSet, unite } from "./sources.js";

export type ExposureKind = "opens" | "closes" | "widens" | "narrows" | "changes" | "unknown" | "same";

export interface ExposureChange {
  kind: ExposureKind;
  protocol: string;
  family: Family;
  from: number;
  to: number;
  before: SourceSet;
  after: SourceSet;
  worldBefore: boolean;
  worldAfter: boolean;
}

/** Every range of ports that is open before or after, unchanged ones too, sorted by protocol, port and family. */
export function diffRules(before: RuleSet, after: RuleSet): ExposureChange[] {
  const protocols = [...new Set([...before.rules, ...after.rules].map((rule) => rule.protocol))].sort();
  return protocols.flatMap((protocol) =>
    FAMILIES.flatMap((family) => {
      // What is open for any protocol is open for this one: a firewall in front of an open server closes it.
      const of = (rules: readonly Rule[]) =>
        rules.filter((it) => (it.protocol === protocol || it.protocol === "any") && it.family === family);
      return diffPorts(protocol, family, of(before.rules), of(after.rules));
    }),
  );
}

function diffPorts(protocol: string, family: Family, before: Rule[], after: Rule[]): ExposureChange[] {
  // Between two neighbouring edges nothing changes, so each piece is looked at once.
  const own = [...before, ...after].filter((rule) => rule.protocol === protocol);
  const edges = [...new Set(own.flatMap((rule) => [rule.from, rule.to + 1]))].sort((a, b) => a - b);
  const result: ExposureChange[] = [];
  for (const [index, from] of edges.entries()) {
    const next = edges[index + 1];
    if (next === undefined) break;
    const left = at(before, from);
    const right = at(after, from);
    const named = own.some((rule) => rule.from <= from && from <= rule.to);
    if (!named || (isNobody(left) && isNobody(right))) continue;
    const last = result[result.length - 1];
    if (last && last.to === from - 1 && last.before.key === left.key && last.after.key === right.key) {
      last.to = next - 1;
      continue;
    }
    result.push({
      kind: kindOf(left, right),
      protocol,
      family,
      from,
      to: next - 1,
      before: left,
      after: right,
      worldBefore: isWorld(left, family),
      worldAfter: isWorld(right, family),
    });
  }
  return result;
}

function at(rules: Rule[], port: number): SourceSet {
  const sets = rules.filter((rule) => rule.from <= port && port <= rule.to).map((rule) => rule.sources);
  return sets.length === 0 ? NOBODY : unite(sets);
}

function kindOf(before: SourceSet, after: SourceSet): ExposureKind {
  if (after.unknown) return before.key === after.key ? "same" : "unknown";
  if (isNobody(before)) return "opens";
  if (isNobody(after)) return "closes";
  if (before.unknown) return "changes";
  const [wider, narrower] = [covers(after, before), covers(before, after)];
  if (wider && narrower) return "same";
  if (wider) return "widens";
  return narrower ? "narrows" : "changes";
}
