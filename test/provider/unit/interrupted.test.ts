/** A killed engine, and what it left behind in Hetzner Cloud: the real engine and provider against its API, without machines. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Cloud, engine, openCloud, openPulumi, type Project } from "../cloud";

const timeout = 240_000;
let cloud: Cloud;
let project: Project;
let path: string;
beforeAll(() => {
  path = engine("--policies");
}, 1_200_000);

async function fresh(): Promise<void> {
  cloud = await openCloud();
  project = await openPulumi(cloud, path);
  project.program(program);
}
async function close(): Promise<void> {
  await project?.close();
  await cloud?.close();
}

/** Everything that a cluster makes under a name, by the component's own functions: no host is reached. */
const program = `
const pulumi = require("@pulumi/pulumi");
const { planCluster } = part("plan/cluster");
const made = part("cloud/infrastructure");
const { publicNet } = part("cloud/primaryIps");
const { attachedDisks } = part("cloud/disks");
const { loadBalancer } = part("cloud/loadBalancer");
class Owner extends pulumi.ComponentResource {}
const component = new Owner("test:index:Owner", "prod");
const volumes = { data: { size: 10, mountPath: "/data" } };
const worker = { role: "worker", volumes, nodes: { w1: { primaryIps: { ipv4: {} } } } };
const services = [{ listenPort: 80 }];
const plan = planCluster("prod", { ssh, pools: { manager: { role: "manager", count: 1 }, worker }, loadBalancer: { services } });
const owner = { ...plan, component, name: "prod" };
const node = plan.nodes.find((one) => one.pool === "worker");
const network = made.privateNetwork(plan.component, owner, { ipRange: "10.0.0.0/16", subnetRange: "10.0.0.0/24", zone: "eu-central" });
const firewallIds = made.cloudFirewallIds(owner, {
  enabled: true, sshDigest: "abc", selector: "hcloud-swarm-cluster=prod",
  rules: () => ({ ssh: [{ direction: "in", protocol: "icmp", sourceIps: ["0.0.0.0/0"] }], others: [] }),
});
const server = made.server(owner, {
  ...node, suffix: "-" + node.resource, network, firewallIds, userData: "#cloud-config\\n", staysPut: true,
  sshKey: made.sshKeyId(owner, hostKey, undefined, false),
  placementGroup: made.spreadGroups(owner, ["worker"]).get("worker"),
  publicNet: publicNet(owner, { ...node, component: plan.component, path: "pools.worker.nodes.w1" }),
});
attachedDisks(plan.component, owner, { ...node, server }, server);
loadBalancer(owner, plan.loadBalancer, { network, nodes: [{ ...node, server }] });
`;

const up = ["up", "--yes", "--skip-preview", "--non-interactive"];

/**
 * Runs `up` and kills the engine when the API has made something, before it can say so. One step at a time: another one's would have the
 * state's file half written just then, and nothing could be told of any.
 */
async function killedAt(change: string): Promise<void> {
  const run = spawn("pulumi", [...up, "--parallel", "1"], {
    cwd: project.dir,
    env: project.env,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 90_000,
  });
  let output = "";
  for (const stream of [run.stdout, run.stderr]) stream.on("data", (text) => (output += String(text)));
  const ended = new Promise<unknown>((resolve) => run.on("exit", (_, signal) => resolve(signal)));
  cloud.beforeAnswer(change, () => run.kill("SIGKILL"));
  expect(await ended, `${change}\n${output}`).toBe("SIGKILL");
  await project.run(["cancel", "--yes", "--non-interactive"]);
}

const kinds = ["ssh_keys", "networks", "firewalls", "placement_groups", "volumes", "primary_ips", "load_balancers"];
const server = "urn:pulumi:dev::engine-check::test:index:Owner$hcloud:index/server:Server::prod-w1";

/** Of what has a name of the cluster's: a server brings an address of its own. */
async function ids(kind: string): Promise<readonly number[]> {
  const listed: { id: number; name: string }[] = (await cloud.call("GET", `/${kind}`))[kind];
  return listed.filter(({ name }) => name.startsWith("prod")).map(({ id }) => id);
}

const checkpoint = (): string => readFileSync(join(project.dir, "state/.pulumi/stacks/engine-check/dev.json"), "utf8");

describe("a server that a killed engine left", () => {
  beforeAll(fresh, timeout);
  afterAll(close);
  let made: readonly number[];

  test("is deleted and made anew by the next deployment, which then has nothing left to do", { timeout }, async () => {
    await killedAt("POST /servers");
    const [left] = await ids("servers");
    const output = await project.run(up);
    expect(output).toContain(`server prod-w1 (${left}) was left by an interrupted deployment, and is deleted`);
    made = await ids("servers");
    expect(made).toHaveLength(1);
    expect(made).not.toContain(left);
    for (const text of [output, checkpoint()]) expect(text).not.toContain(cloud.token);
    await project.run(["preview", "--refresh", "--expect-no-changes", "--non-interactive"]);
  });

  test("costs a deployment without changes nothing", { timeout }, async () => {
    const before = cloud.lookUps();
    await project.run(up);
    expect(cloud.lookUps()).toBe(before);
  });

  test("is not what a replacement of the same name stands in the way of", { timeout }, async () => {
    const refused = project.run([...up, "--replace", server]);
    await expect(refused).rejects.toThrow(/is in the way: this stack has it already[\s\S]*uniqueness_error/);
    expect(await ids("servers")).toEqual(made);
  });

  test("is not one that Pulumi was told to forget, though the note of the killed attempt is there", {
    timeout,
  }, async () => {
    await project.run(["state", "delete", server, "--target-dependents", "--yes", "--non-interactive"]);
    expect(JSON.parse(checkpoint()).checkpoint.latest.pending_operations).toContainEqual(
      expect.objectContaining({ type: "creating", resource: expect.objectContaining({ urn: server }) }),
    );
    const byHand = `If an interrupted deployment of this stack made it, and nobody else: 'hcloud server delete ${made[0]}', then deploy again`;
    await expect(project.run(up)).rejects.toThrow(byHand);
    expect(await ids("servers")).toEqual(made);
  });

  test("is not another stack's, whose label is another", { timeout }, async () => {
    const [id] = made;
    await cloud.call("PUT", `/servers/${id}`, {
      labels: { "hcloud-swarm-cluster": "prod", "hcloud-swarm-attempt": "0123" },
    });
    await expect(project.run(up)).rejects.toThrow(/this stack does not know it[\s\S]*uniqueness_error/);
    expect(await ids("servers")).toEqual(made);
  });
});

describe.each(kinds)("what a killed engine left of %s", (kind) => {
  beforeAll(fresh, timeout);
  afterAll(close);

  test("is made anew by the next deployment", { timeout }, async () => {
    await killedAt(`POST /${kind}`);
    const left = await ids(kind);
    await project.run(up);
    const now = await ids(kind);
    expect(now.length).toBeGreaterThan(0);
    const known = JSON.parse(checkpoint()).checkpoint.latest.resources.map((resource: { id?: string }) => resource.id);
    for (const id of now) expect(known).toContain(String(id));
    const gone = left.filter((id) => !known.includes(String(id)));
    expect(gone, "something was left").not.toEqual([]);
  });
});
