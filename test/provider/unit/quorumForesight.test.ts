/** Warnings of a preview about the swarm's quorum, from the hooks of the real engine, without machines and without a swarm. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Deployment, openDeployment } from "../cloud";

const timeout = 1_200_000;
let deployment: Deployment;
// An engine whose language host knows hooks.
beforeAll(async () => {
  deployment = await openDeployment(undefined, "--policies");
}, timeout);
afterAll(() => deployment?.close());

/** A cluster's servers, and the mark that its swarm has begun, as the component makes them: no host is reached. */
const program = (managers: object, workers: object = {}) => `
const pulumi = require("@pulumi/pulumi");
const { planCluster } = require("hcloud-swarm/dist/clusterPlan.js");
const { server } = require("hcloud-swarm/dist/infrastructure.js");
const { quorumForesight } = require("hcloud-swarm/dist/quorumForesight.js");
const { firstValue } = require("hcloud-swarm/dist/remote/steps.js");
const pools = ${JSON.stringify({ m: { role: "manager", nodes: managers }, w: { role: "worker", nodes: workers } })};
if (Object.keys(pools.w.nodes).length === 0) delete pools.w;
const plan = planCluster("prod", { ssh, pools });
const foresight = quorumForesight(plan, "prod");
class Owner extends pulumi.ComponentResource {}
const nodes = Object.fromEntries(plan.nodes.map(({ name, role, serverName }) => [name, { role, server: serverName }]));
const component = new Owner("test:index:Owner", "prod", { nodes }, foresight.optionsOf());
const owner = { ...plan, component, name: "prod" };
const key = new hcloud.SshKey("key", { name: "prod", publicKey: hostKey }, { parent: component });
const servers = plan.nodes.map((node) =>
  server(owner, {
    ...node, suffix: "-" + node.resource, placementGroup: undefined, sshKey: key.id, firewallIds: [], userData: "#cloud-config\\n", staysPut: true,
    ...(node.role === "manager" ? { beforeCreate: foresight.onServer } : {}),
  }));
firstValue("prod-founder", component, servers[0].id, servers);
`;
const three = { m1: {}, m2: {}, m3: {} };

async function warned(text: string, ...flags: string[]): Promise<string> {
  deployment.project.program(text);
  const output = await deployment.project.run(["preview", "--non-interactive", ...flags]);
  return output
    .split("\n")
    .filter((line) => line.includes("is going to refuse"))
    .join("\n");
}

async function remove(...names: string[]): Promise<void> {
  const { servers }: { servers: { id: number; name: string }[] } = await deployment.cloud.call("GET", "/servers");
  for (const { id } of servers.filter(({ name }) => names.includes(name)))
    await deployment.cloud.call("DELETE", `/servers/${String(id)}`);
}

describe("a preview", () => {
  test("warns where no manager of today's stays one, and not where one does", { timeout }, async () => {
    expect(await warned(program(three)), "a cluster that is new").toBe("");
    await deployment.apply(program(three));
    const again = { replacement: 1 };
    expect(await warned(program({ m1: again, m2: again, m3: {} }))).toBe("");
    expect(await warned(program({ m1: again, m2: again, m3: again }))).toMatch(
      /SwarmCluster "prod".*Let at least one of today's/,
    );
    expect(await warned(program({ m4: {} }, three)), "all become workers").toMatch(
      /Let at least one of today's managers stay/,
    );
  });

  test("warns where most managers' servers are gone, and not where one is", { timeout }, async () => {
    await remove("prod-m2");
    expect(await warned(program(three), "--refresh")).toBe("");
    await remove("prod-m3");
    expect(await warned(program(three), "--refresh")).toMatch(
      /1 of 3 managers answer \(silent: prod-m[23], prod-m[23]\)/,
    );
  });
});
