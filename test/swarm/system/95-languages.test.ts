/** The packed package from other languages: its schema, SDKs made of it, and the cluster of examples/cluster in YAML and Python. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { z } from "zod";
import {
  copyExample,
  giveKey,
  installPackage,
  languageEngine,
  languageEnvironment,
  openStack,
  preparePython,
  region as regionOf,
  root,
} from "../../harness/src/index.js";

const scratch = mkdtempSync(join(tmpdir(), "hcloud-swarm-languages-"));
const usualPath = process.env.PATH ?? "";
let engine: string;
/** The package as `npm install` unpacked it. */
let installed: string;
let plugin: string;
beforeAll(async () => {
  engine = await languageEngine();
  const project = join(scratch, "installed");
  mkdirSync(project);
  installed = await installPackage(project);
  plugin = join(installed, "plugin");
}, 1_200_000);
afterAll(() => {
  process.env.PATH = usualPath;
  rmSync(scratch, { recursive: true, force: true });
});

const pulumi = async (...args: string[]) =>
  (await execa("pulumi", args, { cwd: scratch, env: languageEnvironment(engine) })).stdout;

const stepsSchema = z.object({
  steps: z.array(
    z.object({
      op: z.string(),
      urn: z.string(),
      newState: z.object({ type: z.string(), inputs: z.record(z.string(), z.unknown()).optional() }),
    }),
  ),
});

/** What the first `up` of a program would make: the inputs of each resource by type and name, the stack's own left out. */
async function planned(program: string, language: string): Promise<Record<string, unknown>> {
  const { region: regionName, keyFile } = inject("shared");
  const region = regionOf(regionName);
  process.env.PATH = `${engine}${delimiter}${usualPath}`;
  const stack = await openStack({ region, program, name: language, stateDir: join(scratch, `state-${language}`) });
  await giveKey(stack, language, keyFile);
  const { text, exitCode } = await stack.pulumi("preview", "--json");
  expect(exitCode, text).toBe(0);
  // Warnings about providers from PATH stand around it.
  const { steps } = stepsSchema.parse(JSON.parse(text.slice(text.indexOf("\n{") + 1, text.lastIndexOf("}") + 1)));
  const made = steps.filter(({ newState }) => !newState.type.startsWith("pulumi:"));
  expect(new Set(made.map(({ op }) => op))).toEqual(new Set(["create"]));
  return Object.fromEntries(
    made.map(({ urn, newState }) => [`${newState.type} ${urn.split("::").at(-1)}`, newState.inputs]),
  );
}

describe("the schema", () => {
  test("is what pulumi package get-schema prints of the package", async () => {
    const served = JSON.parse(await pulumi("package", "get-schema", plugin));
    // The engine puts a schema in an order of its own, and so it does with the file.
    const kept = JSON.parse(await pulumi("package", "get-schema", join(root, "packages/swarm/schema.json")));
    expect(Object.keys(served.resources).sort()).toEqual(
      ["HardenedServer", "HostHardening", "SwarmCluster"].map((name) => `hcloud-swarm:index:${name}`),
    );
    expect(served).toEqual(kept);
  });

  test("makes an SDK for TypeScript and one for Python", async () => {
    for (const language of ["nodejs", "python"])
      await pulumi("package", "gen-sdk", plugin, "--language", language, "--out", "sdk");
    const typescript = readFileSync(join(scratch, "sdk/nodejs/swarmCluster.ts"), "utf8");
    expect(typescript).toMatch(/export class SwarmCluster extends pulumi\.ComponentResource/);
    const python = readFileSync(join(scratch, "sdk/python/pulumi_hcloud_swarm/swarm_cluster.py"), "utf8");
    expect(python).toMatch(/class SwarmCluster\(pulumi\.ComponentResource\)/);
  });
});

describe("the cluster of examples/cluster", () => {
  let wanted: Record<string, unknown>;
  beforeAll(async () => {
    wanted = await planned(join(root, "examples/cluster"), "typescript");
    expect(Object.keys(wanted)).toContain("hcloud:index/server:Server demo-worker-2");
  });

  test("is the same in Pulumi YAML", async () => {
    const project = join(scratch, "yaml");
    copyExample("yaml", project, installed);
    expect(await planned(project, "yaml")).toEqual(wanted);
  });

  test("is the same in Python", async () => {
    const project = join(scratch, "python");
    copyExample("python", project, installed);
    await preparePython(project, engine);
    expect(await planned(project, "python")).toEqual(wanted);
  });
});
