/** The example `existing-stack`, told of a swarm that runs: its preview, with the real engine and without machines. */
import { readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { reportOf } from "../../../packages/preview-report/src/index";
import { type Cloud, type Deployment, hostKey, onCloud, openDeployment, type Project } from "../../provider/cloud";

const example = join(import.meta.dirname, "../../../examples/existing-stack");
let cloud: Cloud;
let project: Project;
let deployment: Deployment;
beforeAll(async () => {
  deployment = await openDeployment();
  ({ cloud, project } = deployment);
  for (const file of ["index.ts", "tsconfig.json"])
    writeFileSync(join(project.dir, file), readFileSync(join(example, file)));
  rmSync(join(project.dir, "node_modules"), { recursive: true });
  symlinkSync(join(example, "node_modules"), join(project.dir, "node_modules"));
  const [manifest, description] = ["package.json", "Pulumi.yaml"].map((file) => join(project.dir, file));
  writeFileSync(manifest ?? "", JSON.stringify({ name: "example", private: true, main: "index.ts" }));
  const runtime = "runtime:\n  name: nodejs\n  options:\n    typescript: true\n";
  writeFileSync(description ?? "", `name: engine-check\n${runtime}`);
}, 1_200_000);
afterAll(() => deployment?.close());

test("adopts a swarm's servers by id, and touches nothing in Hetzner Cloud", { timeout: 120_000 }, async () => {
  const { network } = await cloud.call("POST", "/networks", {
    name: "old",
    ip_range: "10.0.0.0/16",
    subnets: [{ type: "cloud", network_zone: "eu-central", ip_range: "10.0.0.0/24" }],
  });
  const nodes: Record<string, object> = {};
  for (const [name, role] of [
    ["manager-1", "manager"],
    ["worker-1", "worker"],
  ] as const) {
    const { server } = await cloud.call("POST", "/servers", {
      name: `by-hand-${name}`,
      server_type: "cx23",
      image: "debian-13",
      location: "fsn1",
      networks: [network.id],
    });
    nodes[name] = { role, id: String(server.id), hostName: `by-hand-${name}`, hostKey };
  }
  const set = (key: string, value: string) => project.run(["config", "set", key, value, "--non-interactive"]);
  await set("privateKeyFile", join(project.dir, "key"));
  await set("networkId", String(network.id));
  await set("nodes", JSON.stringify(nodes));
  const before = cloud.changes().length;
  const steps = await project.preview();
  expect(onCloud(steps)).toEqual([]);
  expect(steps.filter(({ op }) => op !== "create")).toEqual([]);
  expect(steps.map(({ resource }) => resource)).toContain("Command existing-swarm-worker-1-policy");
  expect(cloud.changes().slice(before)).toEqual([]);

  // Nobody told what listens there, so nothing is taken for closed before.
  const json = await project.run(["preview", "--json", "--non-interactive"]);
  const { report } = await reportOf(
    (async function* () {
      yield json.slice(json.indexOf("{"));
    })(),
  );
  expect(report.counts).toMatchObject({ update: 0, replace: 0, delete: 0, other: 0 });
  expect(report.exposure.changes.filter(({ kind }) => kind === "opens")).toEqual([]);
  expect(report.exposure.doubts.map(({ doubt }) => doubt).join("\n")).toMatch(/--listening/);
});
