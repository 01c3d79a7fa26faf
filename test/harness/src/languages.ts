/** The examples in Pulumi YAML and Python as projects that run here, and an engine that runs them. */
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { delimiter, join } from "node:path";
import { execa } from "execa";
import { cacheDir, root } from "./paths.js";

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

/** The package as users name it: a folder of `node_modules`. */
export const packageFolder = join(root, "packages/swarm");

/** A copy of the example in `target`, with the package of this checkout where `npm install` would put it. */
export function copyExample(example: "yaml" | "python", target: string): void {
  cpSync(join(root, "examples", example), target, {
    recursive: true,
    filter: (path) => !/\/(node_modules|venv|sdk|Pulumi\.[^/]+\.yaml)$/.test(path),
  });
  mkdirSync(join(target, "node_modules"));
  symlinkSync(packageFolder, join(target, "node_modules/hcloud-swarm"));
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
  await execa("pulumi", ["package", "gen-sdk", packageFolder, "--language", "python", "--out", "sdk"], {
    cwd: project,
    env,
  });
  const install = ["-m", "pip", "install", "--quiet", "--no-build-isolation", "./sdk/python"];
  await execa(join(venv, "bin/python"), install, { cwd: project });
}
