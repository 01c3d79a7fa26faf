import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type PlacedNode, placementGroups } from "./placement";

const workers = (...names: string[]): PlacedNode[] => names.map((name) => ({ name, pool: "worker", role: "worker" }));

describe("placementGroups", () => {
  it("puts all managers together, whatever their pools, and workers by pool", () => {
    const groups = placementGroups([
      { name: "manager-1", pool: "manager", role: "manager" },
      { name: "far-1", pool: "far", role: "manager" },
      { name: "worker-1", pool: "worker", role: "worker" },
      { name: "db-1", pool: "db", role: "worker" },
    ]);
    expect(Object.fromEntries(groups)).toEqual({
      "manager-1": "managers",
      "far-1": "managers",
      "worker-1": "worker",
      "db-1": "db",
    });
  });

  it("starts a new group after ten", () => {
    const groups = placementGroups(workers("worker-10", "worker-11", "worker-21"));
    expect([...groups.values()]).toEqual(["worker", "worker-group-2", "worker-group-3"]);
  });

  it("never puts more than ten numbered nodes in a group, and moves none when others come or go", () => {
    const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 100 });
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        const before = placementGroups(workers(...a.map((n) => `worker-${n}`)));
        const after = placementGroups(workers(...b.map((n) => `worker-${n}`)));
        const sizes = new Map<string, number>();
        for (const group of before.values()) sizes.set(group, (sizes.get(group) ?? 0) + 1);
        expect(Math.max(...sizes.values())).toBeLessThanOrEqual(10);
        for (const [name, group] of after) if (before.has(name)) expect(group).toBe(before.get(name));
      }),
    );
  });
});
