import { describe, expect, it } from "vitest";
import { initResult } from "./result";

const swarm = { swarmId: "s1", workerToken: "SWMTKN-1-w", managerToken: "SWMTKN-1-m" };
const report = {
  version: 1,
  node: "prod-manager-1",
  digest: "a".repeat(64),
  time: "2026-01-01T00:00:00Z",
  passed: true,
  checks: [{ name: "peers", passed: true, expected: "", found: "" }],
};
const lines = (...values: object[]) => `${values.map((value) => JSON.stringify(value)).join("\n")}\n`;

describe("initResult", () => {
  it("reads the swarm and the report", () => {
    expect(initResult(lines(swarm, report))).toEqual({ ...swarm, report });
  });

  it.each([
    ["no report", lines(swarm)],
    ["no swarm", lines(report)],
    ["too much", lines(swarm, report, swarm)],
    ["a wrong report", lines(swarm, { ...report, passed: "yes" })],
    ["half a line", lines(swarm, report).slice(0, 40)],
    ["nothing", ""],
  ])("refuses %s without quoting a token", (_, stdout) => {
    expect(() => initResult(stdout)).toThrow();
    try {
      initResult(stdout);
    } catch (error) {
      expect(String(error)).not.toContain("SWMTKN");
    }
  });
});
