/** Servers that are protected from deletion, with the real engine and provider, against Hetzner Cloud's API without machines. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Cloud, type Deployment, openDeployment, type Project } from "../cloud";

const timeout = 1_200_000;
let cloud: Cloud;
let project: Project;
let deployment: Deployment;
beforeAll(async () => {
  deployment = await openDeployment();
  ({ cloud, project } = deployment);
}, timeout);
afterAll(() => deployment?.close());

/** Workers' servers as the component makes them, by its own functions, and what it asks when these are the swarm's members: no host is reached. */
const program = (nodes: Readonly<Record<string, object>>, members?: readonly string[]) => `
const pulumi = require("@pulumi/pulumi");
const { planCluster } = require("hcloud-swarm/dist/clusterPlan.js");
const { server } = require("hcloud-swarm/dist/infrastructure.js");
const { withoutProtected } = require("hcloud-swarm/dist/protectedServers.js");
class Owner extends pulumi.ComponentResource {}
const component = new Owner("test:index:Owner", "prod");
const pools = { m: { role: "manager", count: 1 }, w: { role: "worker", nodes: ${JSON.stringify(nodes)} } };
const plan = planCluster("prod", { ssh, pools, deleteProtection: true });
const owner = { ...plan, component, name: "prod" };
const key = new hcloud.SshKey("key", { name: "prod", publicKey: hostKey }, { parent: component });
const workers = plan.nodes.filter((node) => node.pool === "w");
for (const node of workers)
  server(owner, { ...node, placementGroup: undefined, suffix: "-" + node.resource, sshKey: key.id, firewallIds: [], userData: "#cloud-config\\n", staysPut: true });
const members = ${JSON.stringify(members)};
if (members) {
  const names = pulumi.output(members.map((name) => ({ name })));
  const leave = { component: plan.component, owner, servers: workers.map((node) => node.serverName), selector: "hcloud-swarm-cluster=prod" };
  module.exports = { passed: withoutProtected(names, leave).apply((list) => list.length) };
}
`;

interface Protected {
  readonly name: string;
  readonly id: number;
  readonly protection: { readonly delete: boolean; readonly rebuild: boolean };
}
const servers = async (): Promise<readonly Protected[]> => (await cloud.call("GET", "/servers")).servers;
const protection = async () =>
  Object.fromEntries(
    (await servers()).map(({ name, protection: { delete: gone, rebuild } }) => [name, [gone, rebuild]]),
  );
// Which of them was made first is chance.
const names = async () => (await servers()).map(({ name }) => name).sort();
const up = ["up", "--yes", "--skip-preview", "--non-interactive"];

test("servers are born protected from deletion and rebuild, but for a node that says otherwise", {
  timeout,
}, async () => {
  await deployment.apply(program({ w1: {}, w2: {}, w3: { deleteProtection: false } }));
  expect(await protection()).toEqual({ "prod-w1": [true, true], "prod-w2": [true, true], "prod-w3": [false, false] });
});

test("the leave of a protected one is refused, in the preview too, and that of another one is not", {
  timeout,
}, async () => {
  const members = ["prod-w1", "prod-w2", "prod-w3"];
  project.program(program({ w1: {}, w3: { deleteProtection: false } }, members));
  const refused = /SwarmCluster "prod": protected from deletion[^:]*: prod-w2\. Nothing has been drained/;
  await expect(project.run(["preview", "--non-interactive"])).rejects.toThrow(refused);
  const changes = cloud.changes().length;
  await expect(project.run(up)).rejects.toThrow(refused);
  expect(cloud.changes().slice(changes)).toEqual([]);
  project.program(program({ w1: {}, w2: {} }, members));
  await project.run(up);
  expect(JSON.parse(await project.run(["stack", "output", "--json"]))).toEqual({ passed: 3 });
  expect(await names()).toEqual(["prod-w1", "prod-w2"]);
});

test("one that is taken out of the program all the same stays, and every deployment says why", {
  timeout,
}, async () => {
  project.program(program({ w1: {} }));
  for (let round = 0; round < 2; round += 1) await expect(project.run(up)).rejects.toThrow(/prod-w2[\s\S]*protected/);
  expect(await names()).toEqual(["prod-w1", "prod-w2"]);
});

test("unprotected by hand it goes with the next deployment", { timeout }, async () => {
  const id = (await servers()).find(({ name }) => name === "prod-w2")?.id;
  await cloud.call("POST", `/servers/${id}/actions/change_protection`, { delete: false, rebuild: false });
  project.program(program({ w1: {} }, ["prod-w1", "prod-w2"]));
  await project.run(up);
  expect(await names()).toEqual(["prod-w1"]);
});

test("unprotected by a deployment of its own it is changed in place, and goes", { timeout }, async () => {
  const steps = await deployment.apply(program({ w1: { deleteProtection: false } }));
  expect(steps.filter((step) => step.includes("Server"))).toEqual(["update Server prod-w1"]);
  expect(await protection()).toEqual({ "prod-w1": [false, false] });
  await deployment.apply(program({ w2: {} }, ["prod-w1", "prod-w2"]));
  expect(await protection()).toEqual({ "prod-w2": [true, true] });
});
