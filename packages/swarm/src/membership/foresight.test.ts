import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { foreseen, type Prospect } from "./foresight";

const three = ["prod-m1", "prod-m2", "prod-m3"];
const prospect = (more: Partial<Prospect>): Prospect => ({
  ...{ before: three, gone: new Set(), managers: three, workers: [] },
  ...more,
});

describe("what a preview can tell of the quorum", () => {
  it.each<[string, Partial<Prospect>]>([
    ["nothing changes", {}],
    ["there was no swarm", { before: [] }],
    ["one is replaced", { managers: ["prod-m1-r1", "prod-m2", "prod-m3"] }],
    ["all but one are", { managers: ["prod-m1-r1", "prod-m2-r1", "prod-m3"] }],
    ["all but one become workers", { managers: ["prod-m1"], workers: ["prod-m2", "prod-m3"] }],
    ["one of three is gone", { gone: new Set(["prod-m2"]) }],
    ["two that were adopted leave", { before: ["prod-m1", "swarm-b", "swarm-c"], managers: ["prod-m1"] }],
    ["one is gone and another one leaves", { gone: new Set(["prod-m2"]), managers: ["prod-m1", "prod-m2"] }],
  ])("is nothing where %s", (_, more) => {
    expect(foreseen(prospect(more))).toBeUndefined();
  });

  it.each<[string, Partial<Prospect>, RegExp]>([
    [
      "all are replaced",
      { managers: three.map((name) => `${name}-r1`) },
      /no manager of today's stays one\. Let at least/,
    ],
    ["all become workers", { managers: ["prod-m4"], workers: three }, /Let at least one of today's managers stay/],
    ["the only one is replaced", { before: ["prod-m1"], managers: ["prod-m1-r1"] }, /go to three first/],
    ["two of three are gone", { gone: new Set(["prod-m2", "prod-m3"]) }, /1 of 3 managers answer.*prod-m2, prod-m3/],
    [
      "of those that were adopted, one leaves and one is gone",
      { before: ["prod-m1", "swarm-b", "swarm-c"], gone: new Set(["swarm-c", "swarm-b"]), managers: ["prod-m1"] },
      /has lost its quorum: 1 of 3 managers answer.*swarm-b, swarm-c/,
    ],
    [
      "the one that would stay is gone",
      { gone: new Set(["prod-m1"]), managers: ["prod-m1"] },
      /would lose the swarm's quorum/,
    ],
  ])("is a refusal where %s", (_, more, reason) => {
    expect(foreseen(prospect(more))).toMatch(reason);
  });

  it("is never a refusal while nothing is gone and one stays", () => {
    const names = ["a", "b", "c", "d", "e", "f", "g"].map((name) => `prod-${name}`);
    const property = fc.property(
      fc.subarray(names, { minLength: 1 }),
      fc.subarray(names, { minLength: 1 }),
      (before, managers) => {
        fc.pre(before.some((name) => managers.includes(name)));
        const workers = before.filter((name) => !managers.includes(name));
        expect(foreseen(prospect({ before, managers, workers }))).toBeUndefined();
        expect(foreseen(prospect({ before, managers }))).toBeUndefined();
      },
    );
    fc.assert(property);
  });
});
