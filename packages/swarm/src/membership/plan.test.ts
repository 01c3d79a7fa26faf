import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planMembership, type SwarmNode } from "./plan";

const node = fc.record({
  name: fc.stringMatching(/^[a-z]{1,6}-[1-9][0-9]?$/),
  role: fc.constantFrom("manager", "worker"),
});
const cluster = fc
  .uniqueArray(node, { selector: (n) => n.name, maxLength: 30 })
  .filter((nodes) => nodes.some((n) => n.role === "manager")) as fc.Arbitrary<SwarmNode[]>;

describe("planMembership", () => {
  it("starts on the first manager, joins managers in a row and workers beside each other", () => {
    const steps = planMembership([
      { name: "worker-2", role: "worker" },
      { name: "manager-10", role: "manager" },
      { name: "manager-2", role: "manager" },
      { name: "worker-1", role: "worker" },
      { name: "manager-1", role: "manager" },
    ]);
    expect(steps).toEqual([
      { node: "manager-1", action: "init", role: "manager" },
      { node: "manager-2", action: "join", role: "manager", after: "manager-1" },
      { node: "manager-10", action: "join", role: "manager", after: "manager-2" },
      { node: "worker-1", action: "join", role: "worker", after: "manager-1" },
      { node: "worker-2", action: "join", role: "worker", after: "manager-1" },
    ]);
  });

  it("refuses a cluster without a manager", () => {
    expect(() => planMembership([{ name: "worker-1", role: "worker" }])).toThrow("a swarm needs a manager");
  });

  it("has one step a node, one init, and every step after one that is done", () => {
    fc.assert(
      fc.property(cluster, (nodes) => {
        const steps = planMembership(nodes);
        expect(steps.map((s) => s.node).sort()).toEqual(nodes.map((n) => n.name).sort());
        expect(steps.filter((s) => s.action === "init")).toHaveLength(1);
        const done = new Set<string>();
        for (const step of steps) {
          if (step.after !== undefined) expect(done).toContain(step.after);
          else expect(step).toMatchObject({ action: "init", role: "manager" });
          done.add(step.node);
        }
      }),
    );
  });

  it("never lets two managers join at a time", () => {
    fc.assert(
      fc.property(cluster, (nodes) => {
        const befores = planMembership(nodes).flatMap((s) => (s.role === "manager" && s.after ? [s.after] : []));
        expect(new Set(befores).size).toBe(befores.length);
      }),
    );
  });

  it("does not depend on the order in which the program lists the nodes", () => {
    fc.assert(
      fc.property(cluster, (nodes) => {
        expect(planMembership([...nodes].reverse())).toEqual(planMembership(nodes));
      }),
    );
  });
});
