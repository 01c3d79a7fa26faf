import { describe, expect, test } from "vitest";
import { labelsSchema, parseSelector } from "./labels.js";

const labels = { env: "prod", tier: "web", "example.com/team": "a", bare: "" };

describe("selectors", () => {
  test.each([
    ["env=prod", true],
    ["env==prod", true],
    ["env = prod", true],
    ["env=dev", false],
    ["env!=dev", true],
    ["env!=prod", false],
    ["missing!=x", true],
    ["env", true],
    ["bare", true],
    ["bare=", true],
    ["missing", false],
    ["!missing", true],
    ["!env", false],
    ["env in (dev,prod)", true],
    ["env in (dev, test)", false],
    ["env notin (dev)", true],
    ["missing notin (dev)", true],
    ["env=prod,tier=web", true],
    ["env=prod,tier=db", false],
    ["env in (prod,dev),!missing", true],
    ["example.com/team=a", true],
    ["constructor", false],
  ])("%s: %s", (selector, matches) => {
    expect(parseSelector(selector)?.(labels)).toBe(matches);
  });

  test.each(["", "=x", "env=", "env=prod,"])("%j: refused unless it has a meaning", (selector) => {
    const compiled = parseSelector(selector);
    if (selector === "env=") expect(compiled?.({ env: "" })).toBe(true);
    else expect(compiled).toBeUndefined();
  });

  test.each(["env in dev", "env>1", "a b", "-x=y", "env=a=b"])("%j is no selector", (selector) => {
    expect(parseSelector(selector)).toBeUndefined();
  });
});

describe("labels", () => {
  test.each([{ a: "" }, { "example.com/my-key": "A.b_c-1" }, { ["k".repeat(63)]: "v".repeat(63) }])("%j", (valid) => {
    expect(labelsSchema.safeParse(valid).success).toBe(true);
  });

  test.each([
    { "": "x" },
    { "-a": "x" },
    { a: "x y" },
    { a: "-" },
    { "a/b/c": "x" },
    { ["k".repeat(64)]: "" },
    { a: "v".repeat(64) },
    { a: 1 },
  ])("refuses %j", (invalid) => {
    expect(labelsSchema.safeParse(invalid).success).toBe(false);
  });
});
