import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type PlacedNode, placementGroups } from "./placement";

const nodes =
  (role: "manager" | "worker") =>
  (...names: string[]): PlacedNode[] =>
    names.map((name) => ({ name, pool: role, role }));
const workers = nodes("worker");
const managers = nodes("manager");
const replaced = (some: readonly PlacedNode[], replacement = 1) => some.map((node) => ({ ...node, replacement }));
const groupsOf = (some: readonly PlacedNode[]) => Object.fromEntries(placementGroups(some));
const counted = (stem: string, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `${stem}${from + i}`);

/** Servers of each group, by node and replacement, when those of several deployments are there. */
function members(...deployments: (readonly PlacedNode[])[]): ReadonlyMap<string, ReadonlySet<string>> {
  const groups = new Map<string, Set<string>>();
  const born = new Set<string>();
  for (const deployment of deployments) {
    const planned = placementGroups(deployment);
    for (const { name, replacement = 0 } of deployment) {
      const server = `${name}-r${replacement}`;
      const group = planned.get(name);
      if (group === undefined) throw new Error(`${name} has no group`);
      // It stays where it was made.
      if (!born.has(server)) groups.set(group, (groups.get(group) ?? new Set()).add(server));
      born.add(server);
    }
  }
  return groups;
}
const largest = (...deployments: (readonly PlacedNode[])[]) =>
  Math.max(...[...members(...deployments).values()].map((group) => group.size));

describe("placementGroups", () => {
  it("puts all managers together, whatever their pools, and workers by pool", () => {
    const groups = groupsOf([
      { name: "manager-1", pool: "manager", role: "manager" },
      { name: "far-1", pool: "far", role: "manager" },
      { name: "worker-1", pool: "worker", role: "worker" },
      { name: "db-1", pool: "db", role: "worker" },
    ]);
    expect(groups).toEqual({ "manager-1": "managers", "far-1": "managers", "worker-1": "worker", "db-1": "db" });
  });

  it("starts a new group after ten", () => {
    const groups = groupsOf(workers("worker-10", "worker-11", "worker-21", "worker-11x"));
    expect(groups).toMatchObject({
      "worker-10": "worker",
      "worker-11": "worker-group-2",
      "worker-21": "worker-group-3",
    });
  });

  it.each([
    ["w1", "worker"],
    ["w10", "worker"],
    ["w11", "worker-group-2"],
    ["w012", "worker-group-2"],
  ])("counts by what ends the names, whatever begins them: %s is in %s", (name, group) => {
    expect(groupsOf(workers(name, "w2", "w3", "alpha"))).toMatchObject({
      [name]: group,
      w2: "worker",
      alpha: "worker",
    });
  });

  it("keeps a small pool together, whatever its nodes are called", () => {
    for (const names of [counted("w", 1, 9), ["fsn1", "nbg1", "hel1"], ["a", "b", "c"], ["a1", "a2", "b1", "b2"]])
      expect(new Set(Object.values(groupsOf(workers(...names)))), names.join()).toEqual(new Set(["worker"]));
  });

  it("puts names without numbers elsewhere where numbers fill the group", () => {
    const groups = groupsOf(workers(...counted("worker-", 1, 10), "extra", "worker-01"));
    expect(groups).toMatchObject({ "worker-1": "worker", extra: "worker.others", "worker-01": "worker.others" });
  });

  it("has room for the last of ten in the place of the first", () => {
    expect(largest(workers(...counted("w", 1, 10)), workers(...counted("w", 2, 11)))).toBe(10);
  });

  it.each([1, 3, 5, 7])("has room for %i managers and the replacements of all of them", (count) => {
    const born = managers(...counted("m", 1, count));
    expect(largest(born, replaced(born))).toBeLessThanOrEqual(10);
    expect(largest(replaced(born), replaced(born, 2))).toBeLessThanOrEqual(10);
  });

  it("spreads a quorum and the replacements of its managers over one set of hosts where there is room", () => {
    const [first, ...others] = managers(...counted("m", 1, 5));
    expect(members([...replaced(first ? [first] : []), ...others]).size).toBe(1);
  });

  const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 60 });
  /** How a pool calls its nodes, and how often those that it has were replaced. */
  const naming = fc.record({
    stem: fc.stringMatching(/^[a-z]([a-z0-9-]{0,5}[a-z-])?$/),
    width: fc.integer({ min: 1, max: 3 }),
  });
  const name = ({ stem, width }: { stem: string; width: number }, n: number) => `${stem}${`${n}`.padStart(width, "0")}`;

  it("never puts an eleventh server into a group, nor moves one, when numbered nodes come, go and are replaced at once", () => {
    fc.assert(
      fc.property(naming, numbers, numbers, fc.infiniteStream(fc.boolean()), (called, a, b, turns) => {
        const before = workers(...a.map((n) => name(called, n)));
        const after = workers(...b.map((n) => name(called, n))).map((node) => ({
          ...node,
          replacement: Number(turns.next().value),
        }));
        expect(largest(before, after)).toBeLessThanOrEqual(10);
        const [were, are] = [placementGroups(before), placementGroups(after)];
        for (const node of after)
          if (were.has(node.name) && node.replacement === 0) expect(are.get(node.name)).toBe(were.get(node.name));
      }),
    );
  });

  it("never puts an eleventh server of one deployment into a group, whatever its nodes are called", () => {
    const kinds = [counted("worker-", 1, 15), counted("w", 1, 12), counted("w0", 1, 9), [..."abcdefghijkl"]];
    const any = fc.tuple(...kinds.map((names) => fc.subarray(names))).map((some) => some.flat());
    fc.assert(
      fc.property(any, (names) => {
        fc.pre(names.length > 0);
        expect(largest(workers(...names))).toBeLessThanOrEqual(10);
      }),
    );
  });

  it("has no room for an eleventh name without a number before one has gone, as the README says", () => {
    const ten = [..."bcdefghijk"];
    expect(largest(workers(...ten), workers("a", ...ten.slice(1)))).toBe(11);
    expect(largest(workers(...ten.slice(1)), workers("a", ...ten.slice(1)))).toBe(10);
  });
});
