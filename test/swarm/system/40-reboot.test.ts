import { afterAll, expect, test } from "vitest";
import { eventually } from "../../harness/src/index.js";
import { exposureProblems, ready, restoreReady, swarmIsWhole } from "../lib.js";

afterAll(restoreReady);

test("a rebooted node is as closed and as open as before", async () => {
  const { cluster } = await ready();
  const node = cluster.nodes.at(-1);
  if (!node) throw new Error("no node");
  const bootId = () => cluster.ssh(node, "cat /proc/sys/kernel/random/boot_id");
  const before = await bootId();
  await cluster.ssh(node, "systemd-run --quiet --on-active=1 systemctl reboot");
  await eventually(`${node.name} after its reboot`, 300, async () => (await bootId()) !== before);
  await eventually("the swarm whole again", 300, () => swarmIsWhole(cluster));
  expect(await exposureProblems(cluster)).toEqual([]);
  const report = cluster.parseReport(await cluster.ssh(node, "/opt/hcloud-iptables.sh verify --json"));
  expect(report.checks.filter((check) => !check.passed)).toEqual([]);
});
