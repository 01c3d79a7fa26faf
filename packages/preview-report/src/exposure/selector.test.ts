import { describe, expect, it } from "vitest";
import { UNKNOWN, type ValueRecord } from "../values/value.js";
import { matchesSelector } from "./selector.js";

describe("matchesSelector", () => {
  it("holds when all its terms hold", () => {
    const labels: ValueRecord = { role: "web", tier: "1" };
    expect(matchesSelector("role=web,tier in (1,2),!old", labels)).toBe(true);
    expect(matchesSelector("role=web,tier=2", labels)).toBe(false);
    expect(matchesSelector("role =", { role: "web" })).toBe(false);
  });

  it.each<[string, ValueRecord[string]]>([
    ["an object", Object.assign(Object.create(null), { a: "web" })],
    ["a list", ["web"]],
    ["not known yet", UNKNOWN],
  ])("survives a label that is %s: it is there, and equals nothing", (_what, label) => {
    expect(matchesSelector("role", { role: label })).toBe(true);
    expect(matchesSelector("role=web", { role: label })).toBe(false);
    expect(matchesSelector("role in (web)", { role: label })).toBe(false);
  });
});
