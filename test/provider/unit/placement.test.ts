/**
 * What a server that runs cannot leave, and what has room for ten, with the real engine and provider, against Hetzner Cloud's API
 * without machines.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Deployment, openDeployment } from "../cloud";

const timeout = 1_200_000;
let deployment: Deployment;
beforeEach(async () => {
  deployment = await openDeployment();
}, timeout);
afterEach(() => deployment?.close());

/** A node's server in the group of a role, as the component makes it: no host is reached. */
const program = (role: "manager" | "worker") => `
const pulumi = require("@pulumi/pulumi");
const { planCluster } = require("hcloud-swarm/dist/clusterPlan.js");
const { server, spreadGroups } = require("hcloud-swarm/dist/infrastructure.js");
class Owner extends pulumi.ComponentResource {}
const component = new Owner("test:index:Owner", "prod");
const others = ${role === "manager" ? "{ m1: {}, m2: {} }" : "{ m1: {} }"};
const pools = { manager: { role: "manager", nodes: others }, moving: { role: "${role}", nodes: { n1: {} } } };
const plan = planCluster("prod", { ssh, pools });
const owner = { ...plan, component, name: "prod" };
const groups = spreadGroups(owner, ["managers", "workers"]);
const key = new hcloud.SshKey("key", { name: "prod", publicKey: hostKey }, { parent: component });
const node = plan.nodes.find((one) => one.name === "n1");
server(owner, { ...node, placementGroup: groups.get("${role}s"), suffix: "-n1", sshKey: key.id, firewallIds: [], userData: "#cloud-config\\n", staysPut: true });
`;

test("a server whose role changes stays in its placement group, and runs on", { timeout }, async () => {
  const group = async (): Promise<string> => {
    const { servers } = await deployment.cloud.call("GET", "/servers");
    expect(servers).toHaveLength(1);
    return `${servers[0].id} ${servers[0].status} ${servers[0].placement_group?.name}`;
  };
  const steps = async (role: "manager" | "worker") =>
    (await deployment.apply(program(role))).filter((step) => step.includes("Server"));
  expect(await steps("manager")).toEqual(["create Server prod-n1"]);
  const born = await group();
  expect(born).toMatch(/ running prod-managers$/);
  expect(await steps("worker")).toEqual(["update Server prod-n1"]);
  expect(await group()).toBe(born);
});

/** The servers of a pool of workers in the component's own groups. */
const pool = (nodes: Readonly<Record<string, object>>) => `
const pulumi = require("@pulumi/pulumi");
const { planCluster } = require("hcloud-swarm/dist/clusterPlan.js");
const { server, spreadGroups } = require("hcloud-swarm/dist/infrastructure.js");
class Owner extends pulumi.ComponentResource {}
const component = new Owner("test:index:Owner", "prod");
const worker = { role: "worker", nodes: ${JSON.stringify(nodes)} };
const plan = planCluster("prod", { ssh, pools: { manager: { role: "manager", count: 1 }, worker } });
const owner = { ...plan, component, name: "prod" };
const workers = plan.nodes.filter((node) => node.pool === "worker");
const groups = spreadGroups(owner, workers.map((node) => node.placementGroup));
const key = new hcloud.SshKey("key", { name: "prod", publicKey: hostKey }, { parent: component });
for (const node of workers)
  server(owner, {
    ...node, placementGroup: groups.get(node.placementGroup), suffix: "-" + node.resource,
    sshKey: key.id, firewallIds: [], userData: "#cloud-config\\n", staysPut: true,
  });
`;

test("a full group has room for another node in the place of one, and for a replacement", { timeout }, async () => {
  const named = (from: number, to: number) =>
    Object.fromEntries(Array.from({ length: to - from + 1 }, (_, i) => [`w${from + i}`, {}]));
  const up = async (nodes: Readonly<Record<string, object>>) =>
    (await deployment.apply(pool(nodes))).filter((step) => step.includes("Server"));
  const groups = async (): Promise<Readonly<Record<string, number>>> => {
    const { placement_groups } = await deployment.cloud.call("GET", "/placement_groups");
    const sizes = placement_groups.map(({ name, servers }: { name: string; servers: number[] }) => [
      name,
      servers.length,
    ]);
    return Object.fromEntries(sizes);
  };
  expect(await up(named(1, 10))).toHaveLength(10);
  expect(await groups()).toEqual({ "prod-worker": 10 });
  expect(await up(named(2, 11))).toEqual(["create Server prod-w11", "delete Server prod-w1"]);
  expect(await groups()).toEqual({ "prod-worker": 9, "prod-worker-group-2": 1 });
  expect(await up({ ...named(1, 11), w5: { replacement: 1 } })).toEqual([
    "create Server prod-w1",
    "create Server prod-w5-r1",
    "delete Server prod-w5",
  ]);
  expect(await groups()).toEqual({ "prod-worker": 9, "prod-worker-group-2": 1, "prod-worker-other": 1 });
});
