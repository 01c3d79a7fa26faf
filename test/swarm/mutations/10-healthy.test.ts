import { expect, test } from "vitest";
import { ready } from "../lib.js";

test("the untouched host passes", async () => {
  const { cluster } = await ready();
  const report = cluster.parseReport(await cluster.ssh(cluster.manager, "/opt/hcloud-iptables.sh verify --json"));
  expect(report.checks.filter((check) => !check.passed)).toEqual([]);
});
