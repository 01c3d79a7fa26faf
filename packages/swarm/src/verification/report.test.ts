import { describe, expect, it } from "vitest";
import { failedChecks, parseReport, verificationError } from "./report";

const good = { name: "unit-active", passed: true, expected: "active", found: "active" };
const bad = {
  name: "jump-filter-input-hc-in-v6",
  passed: false,
  expected: "1 time",
  found: "0 time",
  what: "the kernel enters our chain",
  fix: "systemctl reload hcloud-iptables",
};
const report = (checks: object[], more: object = {}) =>
  JSON.stringify({
    version: 1,
    node: "prod-manager-1",
    digest: "a".repeat(64),
    time: "2026-01-02T03:04:05Z",
    passed: !checks.includes(bad),
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

  it("tells a check of an agent that explains nothing as it is", () => {
    const { what: _, fix: __, ...bare } = bad;
    const message = verificationError(parseReport(report([bare], { passed: false })))?.message ?? "";
    expect(message).toContain("  jump-filter-input-hc-in-v6\n    must be: 1 time\n    is:      0 time");
    expect(message).not.toContain("to fix");
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
