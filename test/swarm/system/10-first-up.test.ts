import { expect, inject, test } from "vitest";
import { probeVxlan, withoutCloudFirewall } from "../../harness/src/index.js";
import { exposureProblems, ready } from "../lib.js";

test("the nodes are Ready in one swarm", async () => {
  const { cluster } = await ready();
  expect(cluster.nodes.length).toBeGreaterThan(1);
  const listed = await cluster.ssh(
    cluster.manager,
    "docker node ls --format '{{.Hostname}} {{.Status}} {{.ManagerStatus}}'",
  );
  const lines = listed
    .split("\n")
    .map((line) => line.trim())
    .sort();
  expect(lines).toEqual(
    cluster.nodes.map((node) => `${node.name} Ready${node.role === "manager" ? " Leader" : ""}`).sort(),
  );
  expect((await cluster.ssh(cluster.manager, "docker info --format '{{.Swarm.Cluster.ID}}'")).trim()).toBe(
    cluster.outputs.swarmId,
  );
});

test("the deployment's verification reports cover every node, and the nodes still agree", async () => {
  const { cluster } = await ready();
  expect(Object.keys(cluster.outputs.reports).sort()).toEqual(Object.keys(cluster.outputs.nodes).sort());
  for (const node of cluster.nodes) {
    const report = cluster.parseReport(await cluster.ssh(node, "/opt/hcloud-iptables.sh verify --json"));
    expect(report.checks.filter((check) => !check.passed)).toEqual([]);
    expect(report.checks.length).toBeGreaterThan(10);
    const deployed = Object.values(cluster.outputs.reports).find((r) => r.digest === report.digest);
    expect(deployed?.passed).toBe(true);
  }
});

test("at most three SSH sessions a node for a first up", async () => {
  const { firstUpSessions } = inject("shared");
  expect(Object.keys(firstUpSessions)).toHaveLength((await ready()).cluster.nodes.length);
  for (const [host, sessions] of Object.entries(firstUpSessions)) expect(sessions, host).toBeLessThanOrEqual(3);
});

test("from outside only what the policy opens answers; inside everything does", async () => {
  const { cluster } = await ready();
  expect(await exposureProblems(cluster)).toEqual([]);
});

test("VXLAN packets from outside are dropped, each counted by the rule, in both families", async () => {
  const { cluster } = await ready();
  await withoutCloudFirewall(cluster.region, async () => {
    for (const node of cluster.nodes)
      for (const family of ["4", "6"] as const) {
        const { sent, dropped } = await probeVxlan(cluster, node, family);
        expect(dropped, `${node.name} IPv${family}`).toBe(sent);
      }
  });
});

test("the ingress network leaves VXLAN its 50 bytes of the private network's 1450", async () => {
  const { cluster } = await ready();
  for (const node of cluster.nodes) {
    const mtu = await cluster.ssh(node, "cat /sys/class/net/enp7s0/mtu");
    expect(mtu.trim()).toBe("1450");
  }
  const sizes = await cluster.ssh(
    cluster.manager,
    "nsenter --net=/run/docker/netns/ingress_sbox cat /proc/net/dev >/dev/null && nsenter --net=/run/docker/netns/ingress_sbox ip -o link show type veth",
  );
  const overlay = [...sizes.matchAll(/mtu (\d+)/g)].map((match) => Number(match[1]));
  expect(overlay).toContain(1400);
});
