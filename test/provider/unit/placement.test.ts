/** What a server that runs cannot leave, with the real engine and provider, against Hetzner Cloud's API without machines. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Deployment, openDeployment } from "../cloud";

const timeout = 1_200_000;
let deployment: Deployment;
beforeAll(async () => {
  deployment = await openDeployment();
}, timeout);
afterAll(() => deployment?.close());

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
