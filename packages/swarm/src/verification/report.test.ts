import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkCatalogue, describeCheck } from "./checks";
import { failedChecks, parseReport, verificationError } from "./report";

const good = { name: "unit-active", passed: true, expected: "active", found: "active" };
const bad = { name: "jump-filter-input-hc-in-v6", passed: false, expected: "1 time", found: "0 time" };
const report = (checks: (typeof good)[], more: object = {}) =>
  JSON.stringify({
    version: 1,
    node: "prod-manager-1",
    digest: "a".repeat(64),
    time: "2026-01-02T03:04:05Z",
    passed: checks.every((check) => check.passed),
    checks,
    ...more,
  });

describe("report", () => {
  it("that passed has no error", () => {
    expect(verificationError(parseReport(`${report([good])}\n`))).toBeUndefined();
  });

  it("that failed names node, check, what must be, what is and what to do", () => {
    const parsed = parseReport(report([good, bad], { digest: "none" }));
    expect(failedChecks(parsed)).toEqual([bad]);
    const message = verificationError(parsed)?.message ?? "";
    expect(message).toContain("Verification of prod-manager-1 failed: 1 of 2 checks");
    expect(message).toMatch(
      /jump-filter-input-hc-in-v6: .*\n +must be: 1 time\n +is: +0 time\n +to fix: +systemctl reload/,
    );
    expect(message).not.toContain("unit-active");
  });

  it("tells a check of a newer agent as it is", () => {
    expect(verificationError(parseReport(report([{ ...bad, name: "unheard" }])))?.message).toContain("  unheard\n");
  });

  it.each([
    ["", "is no JSON"],
    ["bash: not found", 'begins: "bash: not found"'],
    [report([good], { version: 2 }), "version"],
    [report([good], { digest: "A" }), "digest: no SHA-256"],
    [report([good], { time: "today" }), "time"],
    [report([bad], { passed: true }), "passed: contradicts the checks"],
    [report([]), "checks"],
  ])("refuses %s", (text, message) => {
    expect(() => parseReport(text)).toThrow(message);
  });
});

describe("catalogue", () => {
  const folder = join(__dirname, "../host/agent");
  const shell = readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("\n");
  /** Names of checks in the shell; what is not constant in one, and all that follows, is `*`. */
  const names = new Set(
    [
      ...[...shell.matchAll(/(?:^|[;)&|]) *check "?([a-z$][\w$-]*)/gm)].map((match) => match[1] ?? ""),
      ...[...shell.matchAll(/printf ['"]([a-z]+-%s)\\t/g)].map((match) => match[1] ?? ""),
    ]
      .map((name) => name.replace(/[$%].*/, "*"))
      // Names that come from elsewhere in the shell as a whole.
      .filter((name) => name !== "*"),
  );

  it("describes every check of the agent, and none that it has not", () => {
    expect([...names].sort()).toEqual(Object.keys(checkCatalogue).sort());
  });

  it("finds the nearest description", () => {
    expect(describeCheck("no-legacy-rules-v6")).toBe(checkCatalogue["no-legacy-rules-v*"]);
    expect(describeCheck("no-ufw")).toBe(checkCatalogue["no-*"]);
    expect(describeCheck("peers-else")).toBeUndefined();
  });
});
