/** The examples in Pulumi YAML and Python as projects that run here, and an engine that runs them. */
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { execa } from "execa";
import { cacheDir, root } from "./paths.js";
import type { Stack } from "./stack.js";

/** The directory with an engine for all languages; built the first time, minutes. */
export async function languageEngine(): Promise<string> {
  const ensure = join(root, "test/engine/ensure.mjs");
  const { stdout } = await execa(process.execPath, [ensure, "--languages", "--print-path"]);
  return stdout.trim();
}

/** Environment of Pulumi commands that need no stack. */
export function languageEnvironment(engine: string): Record<string, string> {
  return {
    PATH: `${engine}${delimiter}${process.env.PATH ?? ""}`,
    PULUMI_HOME: cacheDir("pulumi-home"),
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
  };
}

/** A copy of the example in `target`, with what `npm install` made of the package in another project; Pulumi writes to the package's folder. */
export function copyExample(example: "yaml" | "python", target: string, installed: string): void {
  cpSync(join(root, "examples", example), target, {
    recursive: true,
    filter: (path) => !/\/(node_modules|venv|sdk|Pulumi\.[^/]+\.yaml)$/.test(path),
  });
  mkdirSync(join(target, "node_modules"));
  for (const name of readdirSync(dirname(installed))) {
    const [from, to] = [join(dirname(installed), name), join(target, "node_modules", name)];
    if (from === installed) cpSync(from, to, { recursive: true });
    else symlinkSync(from, to);
  }
}

/** Gives a stack of one of the examples its SSH key, each as its README says. */
export async function giveKey(stack: Stack, example: string, keyFile: string): Promise<void> {
  if (example !== "yaml") return await stack.setConfig("privateKeyFile", keyFile);
  await stack.setSecret("privateKey", readFileSync(keyFile, "utf8"));
}

/** A virtual environment with what `requirements` names, made once for each content of the file. */
export async function virtualEnvironment(requirements: string): Promise<string> {
  const extra = ["setuptools", "wheel", "parver", "semver"]; // what the generated SDK needs to be built and to run
  const key = createHash("sha256").update(readFileSync(requirements)).update(extra.join()).digest("hex").slice(0, 16);
  const target = join(cacheDir("python"), key);
  if (existsSync(target)) return target;
  const python = process.env.HCS_PYTHON ?? "python3";
  const half = `${target}.half`;
  rmSync(half, { recursive: true, force: true });
  // Its scripts name the folder that it was made in; only `python -m` is used here, and that may move.
  await execa(python, ["-m", "venv", half]);
  await execa(join(half, "bin/python"), ["-m", "pip", "install", "--quiet", "-r", requirements, ...extra]);
  renameSync(half, target);
  return target;
}

/** Does what the Python example's README says: a virtual environment, and in it the SDK of the package. */
export async function preparePython(project: string, engine: string): Promise<void> {
  const shared = await virtualEnvironment(join(project, "requirements.txt"));
  const venv = join(project, "venv");
  cpSync(shared, venv, { recursive: true, verbatimSymlinks: true });
  const env = languageEnvironment(engine);
  await execa(
    "pulumi",
    ["package", "gen-sdk", "./node_modules/hcloud-swarm/plugin", "--language", "python", "--out", "sdk"],
    {
      cwd: project,
      env,
    },
  );
  const install = ["-m", "pip", "install", "--quiet", "--no-build-isolation", "./sdk/python"];
  await execa(join(venv, "bin/python"), install, { cwd: project });
}
