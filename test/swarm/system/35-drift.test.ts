import { afterAll, expect, test } from "vitest";
import { ready, restoreReady } from "../lib.js";

afterAll(restoreReady);

test("with verify: always each up verifies, and reports the drift of a node by the names of the checks", async () => {
  const { stack, cluster } = await ready();
  const node = cluster.nodes.at(-1);
  if (!node) throw new Error("no node");
  await stack.setConfig("verify", "always");
  const healthy = await stack.up();
  expect(new Set(healthy.sshSessions.map(({ host }) => host)).size).toBe(cluster.nodes.length);
  expect(healthy.sshSessions).toHaveLength(cluster.nodes.length);

  // The timer would repair it within minutes; here the deployment is the first to see it.
  await cluster.ssh(node, "systemctl stop hcloud-iptables-check.timer && iptables -D DOCKER-USER -j HC-FWD");
  const drifted = await stack.pulumi("up", "--yes", "--skip-preview");
  expect(drifted.exitCode).not.toBe(0);
  expect(drifted.text).toMatch(/FAILED jump-filter-docker-user-hc-fwd-v4/);
  expect(drifted.text).toContain(`${node.name}-membership`);

  await cluster.ssh(node, "systemctl start hcloud-iptables-check.timer && systemctl reload hcloud-iptables");
  const repaired = await stack.up();
  expect(repaired.sshSessions.length).toBeGreaterThanOrEqual(1);
});
