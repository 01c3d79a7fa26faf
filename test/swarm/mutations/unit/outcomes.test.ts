import { describe, expect, it } from "vitest";
import { type Outcome, sampled, tally, whyMissed } from "../outcomes.js";

function outcome(name: string, more: Partial<Outcome> = {}): Outcome {
  const mutation = { name, kind: "delete", apply: `break ${name}`, undo: "mend", caughtBy: ["jump"] };
  return { mutation, failed: ["jump"], missed: [], exitStatus: 1, ...more };
}

describe("a mutation", () => {
  it("is caught by every check that is there for it and by the exit status, and not by one alone", () => {
    expect(whyMissed(outcome("a"))).toBeUndefined();
    expect(whyMissed(outcome("a", { exitStatus: 0 }))).toBe("verify ended with 0 instead of 1");
    expect(whyMissed(outcome("a", { exitStatus: 4 }))).toBe("verify ended with 4 instead of 1");
    expect(whyMissed(outcome("a", { failed: [], missed: ["jump"] }))).toBe("not by jump; failed: nothing");
    expect(whyMissed(outcome("a", { trouble: "it could not be undone: no" }))).toBe("it could not be undone: no");
  });
});

describe("the tally", () => {
  it("counts what was broken, not what it is called, and names what was missed", () => {
    const again = { ...outcome("c"), mutation: { ...outcome("c").mutation, apply: "break a" } };
    const outcomes = [outcome("a"), outcome("b", { exitStatus: 0 }), again];
    expect(tally(outcomes)).toEqual({
      distinct: 2,
      missed: ["b: verify ended with 0 instead of 1"],
      rows: [
        ["delete", "3", "2"],
        ["all", "3", "2"],
      ],
    });
  });
});

describe("a sample", () => {
  const edit = (kind: string, check: string, n: number) => ({
    ...outcome(`${kind} ${n}`).mutation,
    kind,
    caughtBy: [check],
  });
  const many = Array.from({ length: 1000 }, (_, n) => edit("delete", "chain-filter-hc-in-v4", n));
  const all = [
    ...many,
    edit("append", "chain-filter-hc-in-v4", 1),
    edit("delete", "peers", 1),
    edit("append", "peers", 1),
  ];

  it("has some of many, and at least one of each kind of edit to each kind of thing", () => {
    const some = sampled(all, 50);
    expect(some.length).toBeGreaterThanOrEqual(48);
    expect(some.length).toBeLessThanOrEqual(53);
    expect(some.slice(-3)).toEqual(all.slice(-3));
    expect(sampled(all, 2000)).toEqual(all);
  });
});
