/**
 * What a server that runs cannot leave, and what has room for ten, with the real engine and provider, against Hetzner Cloud's API
 * without machines.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Deployment, openDeployment } from "../cloud";
import { partsProgram, timeout } from "../parts";

let deployment: Deployment;
beforeEach(async () => {
  deployment = await openDeployment();
}, timeout);
afterEach(() => deployment?.close());

/** A node's server in the group of a role, as the component makes it: no host is reached. */
const program = (role: "manager" | "worker") => {
  const others = role === "manager" ? { m1: {}, m2: {} } : { m1: {} };
  return partsProgram(
    { pools: { manager: { role: "manager", nodes: others }, moving: { role, nodes: { n1: {} } } } },
    `
const groups = part("cloud/infrastructure").spreadGroups(owner, ["managers", "workers"]);
born(plan.nodes.find((one) => one.name === "n1"), { placementGroup: groups.get("${role}s") });
`,
  );
};

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
const pool = (nodes: Readonly<Record<string, object>>) =>
  partsProgram(
    { pools: { manager: { role: "manager", count: 1 }, worker: { role: "worker", nodes } } },
    `
const workers = plan.nodes.filter((node) => node.pool === "worker");
const groups = part("cloud/infrastructure").spreadGroups(owner, workers.map((node) => node.placementGroup));
for (const node of workers) born(node, { placementGroup: groups.get(node.placementGroup) });
`,
  );

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
