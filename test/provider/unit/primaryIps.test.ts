/** Addresses that outlast a node's server, with the real engine and provider, against Hetzner Cloud's API without machines. */
import { expect, test } from "vitest";
import { fileDeployment, partsProgram, timeout } from "../parts";

const deployment = fileDeployment();

/** One worker's server as the component makes it, by the component's own functions: no host is reached. */
const program = (node?: object) => {
  const worker = node && { worker: { role: "worker", nodes: { w1: node } } };
  return partsProgram(
    { pools: { manager: { role: "manager", count: 1 }, ...worker } },
    `
const { publicNet } = part("cloud/primaryIps");
for (const node of plan.nodes.filter((one) => one.pool === "worker"))
  born(node, node.primaryIps && {
    publicNet: publicNet(owner, { ...node, component: plan.component, path: "pools.worker.nodes.w1" }),
  });
`,
  );
};

interface Server {
  readonly id: number;
  readonly name: string;
  readonly ipv4: string;
  readonly ipv6: string;
}
interface Answered extends Pick<Server, "id" | "name"> {
  readonly public_net: Readonly<Record<"ipv4" | "ipv6", { readonly ip: string }>>;
}
async function servers(): Promise<readonly Server[]> {
  const { servers: all }: { servers: Answered[] } = await deployment.cloud.call("GET", "/servers");
  return all.map(({ id, name, public_net: { ipv4, ipv6 } }) => ({ id, name, ipv4: ipv4.ip, ipv6: ipv6.ip }));
}
// biome-ignore lint/suspicious/noExplicitAny: an answer of the API
const named = async (name: string): Promise<any> =>
  (await deployment.cloud.call("GET", `/primary_ips?name=${name}`)).primary_ips[0];

const up = async (node?: object): Promise<readonly string[]> =>
  (await deployment.apply(program(node))).filter((step) => /Server|PrimaryIp/.test(step));

const both = { primaryIps: { ipv4: {}, ipv6: {} } };
let born: Server;

test("a node's server is born with the addresses that are made for the node", { timeout }, async () => {
  expect(await up(both)).toEqual([
    "create PrimaryIp prod-w1-ipv4",
    "create PrimaryIp prod-w1-ipv6",
    "create Server prod-w1",
  ]);
  [born] = (await servers()) as [Server];
  const [four, six] = [await named("prod-w1-ipv4"), await named("prod-w1-ipv6")];
  expect(four).toMatchObject({ ip: born.ipv4, assignee_id: born.id, auto_delete: false, location: { name: "fsn1" } });
  expect(six).toMatchObject({ ip: born.ipv6, assignee_id: born.id, auto_delete: false });
  expect((await deployment.cloud.call("GET", "/primary_ips")).primary_ips, "and no others").toHaveLength(2);
});

test("one that was deleted in Hetzner Cloud is made anew with the same ones", { timeout }, async () => {
  await deployment.cloud.call("DELETE", `/servers/${born.id}`);
  await deployment.project.run(["up", "--refresh", "--yes", "--skip-preview", "--non-interactive"]);
  const [again] = await servers();
  expect(again).toMatchObject({ name: born.name, ipv4: born.ipv4, ipv6: born.ipv6 });
  expect(again?.id).not.toBe(born.id);
  await deployment.project.run(["preview", "--refresh", "--expect-no-changes", "--non-interactive"]);
});

test("a running server keeps them, whatever the program says of them", { timeout }, async () => {
  expect(await up({ primaryIps: { ipv4: { spare: true }, ipv6: {} } })).toEqual([]);
  expect(await servers()).toMatchObject([{ ipv4: born.ipv4, ipv6: born.ipv6 }]);
});

test("a replacement in one deployment is refused, in the preview too, and nothing is changed", {
  timeout,
}, async () => {
  deployment.project.program(program({ ...both, replacement: 1 }));
  const changes = deployment.cloud.changes().length;
  const refused =
    /primaryIps\.ipv[46]: \S+ \(\d+\) is at the server prod-w1, and prod-w1-r1 comes up before that one goes/;
  await expect(deployment.project.run(["preview", "--non-interactive"])).rejects.toThrow(refused);
  await expect(deployment.project.run(["up", "--yes", "--skip-preview", "--non-interactive"])).rejects.toThrow(refused);
  expect(deployment.cloud.changes().slice(changes)).toEqual([]);
});

test("a replacement in two deployments ends at the same addresses", { timeout }, async () => {
  const spare = { primaryIps: { ipv4: { spare: true }, ipv6: { spare: true } } };
  expect(await up({ ...spare, replacement: 1 })).toEqual(["create Server prod-w1-r1", "delete Server prod-w1"]);
  const [between] = await servers();
  expect(between?.ipv4).not.toBe(born.ipv4);
  expect(await named("prod-w1-ipv4")).toMatchObject({ ip: born.ipv4, assignee_id: null });
  expect(await up({ ...both, replacement: 2 })).toEqual(["create Server prod-w1-r2", "delete Server prod-w1-r1"]);
  expect(await servers()).toMatchObject([{ name: "prod-w1-r2", ipv4: born.ipv4, ipv6: born.ipv6 }]);
});

test("the component's own go with the node, and those of others stay", { timeout }, async () => {
  expect(await up()).toEqual([
    "delete PrimaryIp prod-w1-ipv4",
    "delete PrimaryIp prod-w1-ipv6",
    "delete Server prod-w1-r2",
  ]);
  expect((await deployment.cloud.call("GET", "/primary_ips")).primary_ips).toEqual([]);
  const theirs = { name: "theirs", type: "ipv4", assignee_type: "server", location: "fsn1", auto_delete: false };
  const { primary_ip: own } = await deployment.cloud.call("POST", "/primary_ips", theirs);
  await up({ primaryIps: { ipv4: { existing: { id: String(own.id) } } } });
  expect(await servers()).toMatchObject([{ name: "prod-w1", ipv4: own.ip }]);
  await up();
  expect(await servers()).toEqual([]);
  expect(await named("theirs")).toMatchObject({ ip: own.ip, assignee_id: null });
});
