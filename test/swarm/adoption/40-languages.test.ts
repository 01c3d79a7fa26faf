/** The examples in Pulumi YAML and Python, up on a machine. Only their workers are left out, for time. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import {
  api,
  apiGet,
  copyExample,
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
const serverNames = async () => serversSchema.parse(await apiGet(theRegion(), "/servers")).servers;

let engine: string;
let keyFile: string;
beforeAll(async () => {
  for (const { id } of await serverNames()) await api(theRegion(), "DELETE", `/servers/${id}`);
  engine = await languageEngine();
  // Hetzner Cloud refuses the same key twice, and the one of the hand-made swarm is there.
  keyFile = await sshKey(scratch);
}, 1_200_000);
afterAll(() => {
  process.env.PATH = usualPath;
  rmSync(scratch, { recursive: true, force: true });
});

/** Takes one line out of a file of the example. */
function without(file: string, line: RegExp): void {
  const text = readFileSync(file, "utf8");
  expect(text).toMatch(line);
  writeFileSync(file, text.replace(line, ""));
}

async function live(language: string, program: string): Promise<void> {
  process.env.PATH = `${engine}${delimiter}${usualPath}`;
  const stateDir = join(scratch, `state-${language}`);
  const stack: Stack = await openStack({ region: theRegion(), program, name: language, stateDir });
  await stack.setConfig("privateKeyFile", keyFile);
  try {
    await up(stack);
    const outputs = outputsSchema.parse(await stack.outputs());
    expect(Object.keys(outputs.nodes)).toEqual(["manager-1"]);
    for (const { passed, checks } of Object.values(outputs.reports)) {
      expect(checks.filter((check) => !check.passed)).toEqual([]);
      expect(checks.length).toBeGreaterThan(10);
      expect(passed).toBe(true);
    }
    expect(Object.keys(outputs.exposure).sort()).toEqual(["manager-1 tcp/22", "manager-1 tcp/443", "manager-1 tcp/80"]);
    await expectNoOp(stack);
  } finally {
    await stack.destroy();
  }
  expect(await serverNames()).toEqual([]);
}

describe("the cluster of the examples comes up, verified, and changes nothing the second time", () => {
  test("in Pulumi YAML", { timeout: 1_200_000 }, async () => {
    const project = join(scratch, "yaml");
    copyExample("yaml", project);
    without(join(project, "Pulumi.yaml"), /^ *worker: .*\n/m);
    await live("yaml", project);
  });

  test("in Python", { timeout: 1_200_000 }, async () => {
    const project = join(scratch, "python");
    copyExample("python", project);
    without(join(project, "__main__.py"), /^ *"worker": .*\n/m);
    await preparePython(project, engine);
    await live("python", project);
  });
});
