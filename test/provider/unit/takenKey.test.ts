/** An SSH key that the project has under another name: real engine and provider, against Hetzner Cloud's API without machines. */
import { expect, test } from "vitest";
import { fileDeployment, timeout } from "../parts";

// An engine whose language host knows hooks.
const deployment = fileDeployment(undefined, "--policies");

/** The key as the component adds it, and first, where it is asked for, the same one under another name. */
const program = (others: readonly string[], existing?: string) => `
const pulumi = require("@pulumi/pulumi");
const plan = part("plan/cluster").planCluster("prod", { ssh, pools: { m: { role: "manager", count: 1 } } });
class Owner extends pulumi.ComponentResource {}
for (const name of ${JSON.stringify(others)}) new hcloud.SshKey(name, { name, publicKey: hostKey + " a comment" });
const component = new Owner("test:index:Owner", "prod");
const existing = ${existing === undefined ? undefined : JSON.stringify({ id: existing })};
if (${others.length === 0 || existing !== undefined})
  module.exports = { id: part("cloud/infrastructure").sshKeyId({ ...plan, component, name: "prod" }, hostKey, existing, false) };
`;
const up = ["up", "--yes", "--skip-preview", "--non-interactive"];
const keys = async (): Promise<readonly { id: number; name: string }[]> =>
  (await deployment.cloud.call("GET", "/ssh_keys")).ssh_keys;

test("is named, with the argument that uses it, in the preview and in the deployment; with that it is used", {
  timeout,
}, async () => {
  await deployment.apply(program(["laptop"]));
  const [{ id } = { id: 0 }] = await keys();
  await deployment.cloud.call("PUT", `/ssh_keys/${id}`, { name: "somebody's" });
  // Nobody's in the program: Pulumi would find that it is there.
  deployment.project.program(program([]));
  await deployment.project.run(["state", "delete", "--all", "--yes", "--non-interactive"]);
  const told = new RegExp(
    `the SSH key cannot be added as prod: the project has it already, as somebody's \\(id ${id}\\).* give ssh: \\{ existing: \\{ id: "${id}" \\} \\}`,
  );
  expect(await deployment.project.run(["preview", "--non-interactive"])).toMatch(told);
  await expect(deployment.project.run(up)).rejects.toThrow(told);
  expect((await keys()).map(({ name }) => name)).toEqual(["somebody's"]);
  deployment.project.program(program([], String(id)));
  await deployment.project.run(up);
  expect(JSON.parse(await deployment.project.run(["stack", "output", "--json"]))).toEqual({ id: String(id) });
});

test("is nothing to tell of where it is another one", { timeout }, async () => {
  for (const { id } of await keys()) await deployment.cloud.call("DELETE", `/ssh_keys/${id}`);
  deployment.project.program(program([]));
  expect(await deployment.project.run(up)).not.toMatch(/cannot be added/);
  expect((await keys()).map(({ name }) => name)).toEqual(["prod"]);
});
