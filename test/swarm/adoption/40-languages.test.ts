/** The examples in Pulumi YAML and Python, up on a machine. Only their workers are left out, for time. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import {
  api,
  apiGet,
  copyExample,
  giveKey,
  installPackage,
  languageEngine,
  openStack,
  preparePython,
  type Stack,
  sshKey,
} from "../../harness/src/index.js";
import { expectNoOp, theRegion, up } from "./lib.js";

const scratch = mkdtempSync(join(tmpdir(), "hcloud-swarm-languages-"));
const usualPath = process.env.PATH ?? "";
const outputsSchema = z.looseObject({
  nodes: z.record(z.string(), z.looseObject({ name: z.string(), publicIpv4: z.string() })),
  swarmId: z.string().min(20),
  reports: z.record(
    z.string(),
    z.looseObject({ passed: z.boolean(), checks: z.array(z.object({ name: z.string(), passed: z.boolean() })) }),
  ),
  exposure: z.record(z.string(), z.array(z.string())),
});
const serversSchema = z.object({ servers: z.array(z.object({ id: z.number(), name: z.string() })) });
const servers = async () => serversSchema.parse(await apiGet(theRegion(), "/servers")).servers;
const serverNames = async () => (await servers()).map(({ name }) => name);

let engine: string;
/** The packed package as `npm install` unpacked it. */
let installed: string;
beforeAll(async () => {
  // The hand-made swarm's machines would only take time from these.
  for (const { id } of await servers()) await api(theRegion(), "DELETE", `/servers/${id}`);
  engine = await languageEngine();
  process.env.PATH = `${engine}${delimiter}${usualPath}`;
  const packageProject = join(scratch, "installed");
  mkdirSync(packageProject);
  installed = await installPackage(packageProject);
}, 1_200_000);
afterAll(() => {
  process.env.PATH = usualPath;
  rmSync(scratch, { recursive: true, force: true });
});

/** Changes one place of a file of the example. */
function edit(file: string, place: RegExp, text: string): void {
  const before = readFileSync(file, "utf8");
  expect(before).toMatch(place);
  writeFileSync(file, before.replace(place, text));
}

async function live(language: string, program: string): Promise<void> {
  const stateDir = join(scratch, `state-${language}`);
  const stack: Stack = await openStack({ region: theRegion(), program, name: language, stateDir });
  // Hetzner Cloud refuses the same key twice.
  await giveKey(stack, language, await sshKey(stateDir));
  let name = "";
  try {
    await up(stack);
    const outputs = outputsSchema.parse(await stack.outputs());
    expect(Object.keys(outputs.nodes)).toEqual(["manager-1"]);
    name = outputs.nodes["manager-1"]?.name ?? "";
    expect(await serverNames()).toContain(name);
    for (const { passed, checks } of Object.values(outputs.reports)) {
      expect(checks.filter((check) => !check.passed)).toEqual([]);
      expect(checks.length).toBeGreaterThan(10);
      expect(passed).toBe(true);
    }
    const open = ["icmp/echo", "tcp/22", "tcp/443", "tcp/80"].map((port) => `manager-1 ${port}`);
    expect(Object.keys(outputs.exposure).sort()).toEqual(open);
    await expectNoOp(stack);
  } finally {
    await stack.destroy();
  }
  expect(await serverNames()).not.toContain(name);
}

// Side by side, so each waits for its own machine alone; in Python the cluster has another name, for names are unique in a project.
describe.concurrent("the cluster of the examples comes up, verified, and changes nothing the second time", () => {
  test("in Pulumi YAML", { timeout: 1_200_000 }, async () => {
    const project = join(scratch, "yaml");
    copyExample("yaml", project, installed);
    edit(join(project, "Pulumi.yaml"), /^ *worker: .*\n/m, "");
    await live("yaml", project);
  });

  test("in Python", { timeout: 1_200_000 }, async () => {
    const project = join(scratch, "python");
    copyExample("python", project, installed);
    edit(join(project, "__main__.py"), /^ *"worker": .*\n/m, "");
    edit(join(project, "__main__.py"), /"demo"/, '"demo-python"');
    await preparePython(project, engine);
    await live("python", project);
  });
});
