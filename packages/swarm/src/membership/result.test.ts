import { describe, expect, it } from "vitest";
import { memberResult } from "./result";

const access = { swarmId: "s1", workerToken: "SWMTKN-1-w", managerToken: "SWMTKN-1-m", unlockKey: "" };
const swarm = { ...access, nodeId: "n1" };
const report = {
  version: 1,
  node: "prod-manager-1",
  digest: "a".repeat(64),
  time: "2026-01-01T00:00:00Z",
  passed: true,
  checks: [{ name: "peers", passed: true, expected: "", found: "" }],
};
const lines = (...values: object[]) => `${values.map((value) => JSON.stringify(value)).join("\n")}\n`;

describe("memberResult", () => {
  it("reads the membership and the report, and the tokens where they are told", () => {
    expect(memberResult(lines(swarm, report))).toEqual({ swarmId: "s1", nodeId: "n1", access, report });
    expect(memberResult(lines({ swarmId: "s1", nodeId: "n1" }, report))).toEqual({
      swarmId: "s1",
      nodeId: "n1",
      report,
    });
  });

  it.each([
    ["no report", lines(swarm)],
    ["no swarm", lines(report)],
    ["too much", lines(swarm, report, swarm)],
    ["a wrong report", lines(swarm, { ...report, passed: "yes" })],
    ["half a line", lines(swarm, report).slice(0, 40)],
    ["nothing", ""],
  ])("refuses %s without quoting a token", (_, stdout) => {
    expect(() => memberResult(stdout)).toThrow();
    try {
      memberResult(stdout);
    } catch (error) {
      expect(String(error)).not.toContain("SWMTKN");
    }
  });
});
