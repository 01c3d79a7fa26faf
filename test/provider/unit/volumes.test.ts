/** Disks that outlast a node's server, with the real engine and provider, against Hetzner Cloud's API without machines. */
import { expect, test } from "vitest";
import { fileDeployment, partsProgram, timeout } from "../parts";

const deployment = fileDeployment();

/** One worker's server and its disks as the component makes them, by the component's own functions: no host is reached. */
const program = (worker: object) =>
  partsProgram(
    { pools: { manager: { role: "manager", count: 1 }, worker: { role: "worker", ...worker } } },
    `
for (const node of plan.nodes.filter((one) => one.pool === "worker"))
  part("cloud/disks").attachedDisks(plan.component, owner, { ...node, server: born(node) }, key);
`,
  );

// biome-ignore lint/suspicious/noExplicitAny: an answer of the API
const volumes = async (): Promise<any[]> => (await deployment.cloud.call("GET", "/volumes?sort=name")).volumes;
// biome-ignore lint/suspicious/noExplicitAny: an answer of the API
const servers = async (): Promise<any[]> => (await deployment.cloud.call("GET", "/servers")).servers;

const up = async (worker: object, ...flags: string[]): Promise<readonly string[]> =>
  (await deployment.apply(program(worker), ...flags)).filter((step) => /Server|Volume/.test(step));

const two = { data: { size: 10 }, logs: { size: 20, format: "xfs" } };
const worker = (node: object, more: object = {}) => ({ nodes: { w1: node }, volumes: two, ...more });

test("each node's server has disks of its own", { timeout }, async () => {
  expect(await up(worker({}))).toEqual([
    "create Server prod-w1",
    "create Volume prod-w1-volume-data",
    "create Volume prod-w1-volume-logs",
    "create VolumeAttachment prod-w1-volume-data-attachment",
    "create VolumeAttachment prod-w1-volume-logs-attachment",
  ]);
  const [server] = await servers();
  expect(await volumes()).toMatchObject([
    { name: "prod-w1-data", size: 10, format: "ext4", server: server.id, location: { name: "fsn1" } },
    { name: "prod-w1-logs", size: 20, format: "xfs", server: server.id },
  ]);
});

test("they go to the replacement, and none is made anew", { timeout }, async () => {
  const before = (await volumes()).map(({ id }) => id);
  const steps = await up(worker({ replacement: 1 }));
  expect(steps.filter((step) => step.includes(" Volume "))).toEqual([]);
  expect(steps).toEqual(expect.arrayContaining(["create Server prod-w1-r1", "delete Server prod-w1"]));
  const [server] = await servers();
  expect(server.name).toBe("prod-w1-r1");
  expect((await volumes()).map(({ id, server: at }) => ({ id, at }))).toEqual(
    before.map((id) => ({ id, at: server.id })),
  );
});

test("and to the server that comes in place of one that was deleted in Hetzner Cloud", { timeout }, async () => {
  const before = (await volumes()).map(({ id }) => id);
  const [old] = await servers();
  await deployment.cloud.call("DELETE", `/servers/${old.id}`);
  await up(worker({ replacement: 1 }), "--refresh");
  const [server] = await servers();
  expect(server.id).not.toBe(old.id);
  expect((await volumes()).map(({ id, server: at }) => ({ id, at }))).toEqual(
    before.map((id) => ({ id, at: server.id })),
  );
});

test("one grows where it is", { timeout }, async () => {
  const grown = { ...two, data: { size: 30 } };
  expect(await up(worker({ replacement: 1 }, { volumes: grown }))).toEqual(["update Volume prod-w1-volume-data"]);
  expect((await volumes())[0]).toMatchObject({ size: 30, server: (await servers())[0].id });
});

test("another location or format makes no other disk", { timeout }, async () => {
  const changes = deployment.cloud.changes().length;
  const grown = { data: { size: 30, format: "xfs" }, logs: { size: 20, format: "xfs" } };
  expect(await up(worker({ replacement: 1 }, { volumes: grown }))).toEqual([]);
  deployment.project.program(program(worker({ replacement: 1 }, { volumes: grown, location: "nbg1" })));
  const refused = /pools\.worker\.volumes\.data: that of w1 is in fsn1, and a server in nbg1 cannot have it/;
  await expect(deployment.project.run(["preview", "--non-interactive"])).rejects.toThrow(refused);
  await expect(deployment.project.run(["up", "--yes", "--skip-preview", "--non-interactive"])).rejects.toThrow(refused);
  expect(deployment.cloud.changes().slice(changes)).toEqual([]);
});

test("a protected one cannot be deleted, others go when the program no longer has them", { timeout }, async () => {
  const kept = { data: { size: 30, deleteProtection: true }, logs: { size: 20, format: "xfs" } };
  expect(await up(worker({ replacement: 1 }, { volumes: kept }))).toEqual(["update Volume prod-w1-volume-data"]);
  deployment.project.program(program(worker({ replacement: 1 }, { volumes: {} })));
  await expect(deployment.project.run(["up", "--yes", "--skip-preview", "--non-interactive"])).rejects.toThrow(
    /protected/,
  );
  expect(await volumes()).toMatchObject([{ name: "prod-w1-data", size: 30 }]);
});
