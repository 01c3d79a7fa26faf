import { afterAll, expect, test } from "vitest";
import { eventually } from "../../harness/src/index.js";
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

test("what drifts between deployments the node's timer repairs, with nobody's help, and says so", async () => {
  const { cluster } = await ready();
  const node = cluster.nodes.at(-1);
  if (!node) throw new Error("no node");
  const jumps = async () =>
    Number(await cluster.ssh(node, "iptables -S DOCKER-USER | grep -cx -e '-A DOCKER-USER -j HC-FWD' || :"));
  const timer = "hcloud-iptables-check.timer";
  // Its five minutes are made seconds; that it comes, and what it starts, is the unit's own.
  await cluster.ssh(
    node,
    `systemctl stop ${timer} && mkdir -p /run/systemd/system/${timer}.d && printf '[Timer]\nOnActiveSec=\nOnUnitActiveSec=\nOnActiveSec=20s\nOnUnitActiveSec=20s\n' >/run/systemd/system/${timer}.d/soon.conf && systemctl daemon-reload`,
  );
  await eventually("the end of a check that ran", 240, async () =>
    /^(inactive|failed)$/.test(
      (await cluster.ssh(node, "systemctl show -P ActiveState hcloud-iptables-check.service")).trim(),
    ),
  );
  const since = (await cluster.ssh(node, "date +%s")).trim();
  await cluster.ssh(node, "iptables -D DOCKER-USER -j HC-FWD");
  // The control: it is gone, and nothing but the timer will come.
  expect(await jumps()).toBe(0);
  await cluster.ssh(node, `systemctl start ${timer}`);
  await eventually("the repair by the timer", 300, async () => (await jumps()) === 1);
  await eventually("what the check says of it", 240, async () =>
    /drifted: jump-filter-docker-user-hc-fwd-v4.*repaired/s.test(
      await cluster.ssh(node, `journalctl -u hcloud-iptables-check --since @${since} -o cat --no-pager`),
    ),
  );
});
