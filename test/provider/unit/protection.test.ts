/** Servers that are protected from deletion, with the real engine and provider, against Hetzner Cloud's API without machines. */
import { expect, test } from "vitest";
import { fileDeployment, partsProgram, timeout } from "../parts";

const deployment = fileDeployment();

/** Workers' servers as the component makes them, by its own functions, and what it asks when these are the swarm's members: no host is reached. */
const program = (nodes: Readonly<Record<string, object>>, members?: readonly string[]) =>
  partsProgram(
    { pools: { m: { role: "manager", count: 1 }, w: { role: "worker", nodes } }, deleteProtection: true },
    `
const workers = plan.nodes.filter((node) => node.pool === "w");
for (const node of workers) born(node);
const members = ${JSON.stringify(members)};
if (members) {
  const names = pulumi.output(members.map((name) => ({ name })));
  const leave = { component: plan.component, owner, servers: workers.map((node) => node.serverName), selector: "hcloud-swarm-cluster=prod" };
  module.exports = { passed: part("cloud/protectedServers").withoutProtected(names, pulumi.output({ founder: "1", prefix: "prod-" }), leave).apply((list) => list.length) };
}
`,
  );

interface Protected {
  readonly name: string;
  readonly id: number;
  readonly protection: { readonly delete: boolean; readonly rebuild: boolean };
}
const servers = async (): Promise<readonly Protected[]> => (await deployment.cloud.call("GET", "/servers")).servers;
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
  deployment.project.program(program({ w1: {}, w3: { deleteProtection: false } }, members));
  const refused = /SwarmCluster "prod": protected from deletion[^:]*: prod-w2\. Nothing has been drained/;
  await expect(deployment.project.run(["preview", "--non-interactive"])).rejects.toThrow(refused);
  const changes = deployment.cloud.changes().length;
  await expect(deployment.project.run(up)).rejects.toThrow(refused);
  expect(deployment.cloud.changes().slice(changes)).toEqual([]);
  deployment.project.program(program({ w1: {}, w2: {} }, members));
  await deployment.project.run(up);
  expect(JSON.parse(await deployment.project.run(["stack", "output", "--json"]))).toEqual({ passed: 3 });
  expect(await names()).toEqual(["prod-w1", "prod-w2"]);
});

test("one that is taken out of the program all the same stays, and every deployment says why", {
  timeout,
}, async () => {
  deployment.project.program(program({ w1: {} }));
  for (let round = 0; round < 2; round += 1)
    await expect(deployment.project.run(up)).rejects.toThrow(/prod-w2[\s\S]*protected/);
  expect(await names()).toEqual(["prod-w1", "prod-w2"]);
});

test("unprotected by hand it goes with the next deployment", { timeout }, async () => {
  const id = (await servers()).find(({ name }) => name === "prod-w2")?.id;
  await deployment.cloud.call("POST", `/servers/${id}/actions/change_protection`, { delete: false, rebuild: false });
  deployment.project.program(program({ w1: {} }, ["prod-w1", "prod-w2"]));
  await deployment.project.run(up);
  expect(await names()).toEqual(["prod-w1"]);
});

test("unprotected by a deployment of its own it is changed in place, and goes", { timeout }, async () => {
  const steps = await deployment.apply(program({ w1: { deleteProtection: false } }));
  expect(steps.filter((step) => step.includes("Server"))).toEqual(["update Server prod-w1"]);
  expect(await protection()).toEqual({ "prod-w1": [false, false] });
  await deployment.apply(program({ w2: {} }, ["prod-w1", "prod-w2"]));
  expect(await protection()).toEqual({ "prod-w2": [true, true] });
});
