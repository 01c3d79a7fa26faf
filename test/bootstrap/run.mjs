#!/usr/bin/env node
// `npm run check`, `npm run demo`, `npm test`, its broad suites and `npm run bootstrap`: makes the machine ready with nothing but Node, then hands over.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { debianPackages, installPackages, missingPackages, unsuitable } from "./machine.mjs";
import { say, step, withLog } from "./progress.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const cache = join(root, ".cache");
const logs = join(cache, "logs");

/** Broad suites on virtual machines, by their folder in test/swarm; each takes filters of its files' names. */
const suites = ["adoption", "lifecycle", "mutations"];
const commands = ["check", "demo", "test", "attacks", ...suites];

const usage = `usage: node test/bootstrap/run.mjs [${commands.join("|")}] [arguments]

  check       install what is missing, then format, lint, types and structure
  (nothing)   the same without them, and build, make the engine and the virtual machines' image
  demo        the same, then a hardened three-node swarm on virtual machines   [--keep] [--help]
  test        the same, then the tests                                        [--unit] [--system] [--help]
  attacks     the same, then the attack suite on every Docker version         [--version IMAGE] [--only NAME] [--resume] [--help]
  adoption    the same, then what is there already is adopted, on virtual machines [FILTER...]
  lifecycle   the same, then nodes that come, go and are replaced, on virtual machines [FILTER...]
  mutations   the same, then a host that is broken in every way, which the verifier must notice [FILTER...]
`;

async function main() {
  const [command, ...rest] = process.argv.slice(2);
  const asksHelp = (word) => word === "--help" || word === "-h";
  if (asksHelp(command) || !(command === undefined || commands.includes(command))) {
    process.stdout.write(usage);
    return asksHelp(command) ? 0 : 2;
  }
  const help = rest.some(asksHelp);
  if (help && command !== "demo" && command !== "attacks") {
    if (command === "test") return await run(process.execPath, [testProgram, "--help"], process.env);
    process.stdout.write(usage);
    return 0;
  }
  const problems = unsuitable(root);
  if (problems.length > 0) {
    process.stderr.write(`This machine cannot run it:\n${problems.map((p) => `  - ${p}\n`).join("")}`);
    return 1;
  }
  mkdirSync(logs, { recursive: true });

  await packages(command === "demo");
  const pnpm = await ensurePnpm();
  await step("Node packages", join(logs, "pnpm-install.log"), () =>
    logged("pnpm-install.log", process.execPath, [pnpm, "install", "--frozen-lockfile", "--prefer-offline"]),
  );
  if (command === "check") return await run(process.execPath, [join(root, "test/bootstrap/check.mjs")], process.env);
  await step("Compiling", join(logs, "tsc.log"), () =>
    logged("tsc.log", process.execPath, [bin("typescript", "tsc"), "-b"]),
  );

  if (help) return await run(process.execPath, [tsx(), programs[command], "--help"], process.env);
  // The engine's build and the image are independent; both are mostly waiting for one core each.
  const needsImage = command !== "test" || !rest.includes("--unit");
  const [engine] = await Promise.all([engineReady(), needsImage ? imageReady() : undefined]);
  const env = { ...process.env, PATH: `${engine.path}:${process.env.PATH}`, HCS_PNPM: pnpm };
  if (command === "test") return await run(process.execPath, [testProgram, ...rest], env);
  if (command in programs) return await run(process.execPath, [tsx(), programs[command], ...rest], env);
  if (suites.includes(command)) {
    const vitest = (...args) => [join(root, "node_modules/vitest/vitest.mjs"), "run", ...args];
    if (command === "mutations" && rest.length === 0) {
      // Every edit of every rule, in a network namespace; on the machine a hundred of them are made.
      const all = vitest("packages/swarm/src/verification/mutations.live.test.ts");
      const status = await run(process.execPath, all, { ...env, HCS_ALL_MUTATIONS: "1" });
      if (status !== 0) return status;
    }
    const config = join(root, "test/swarm", command, "vitest.config.ts");
    return await run(
      process.execPath,
      vitest("--config", config, ...rest),
      command === "mutations" ? { HCS_WORKERS: "0", ...env } : env,
    );
  }
  say(`Ready. Engine: ${engine.path}`);
  return 0;
}

const testProgram = join(root, "test/bootstrap/test.mjs");
const programs = { demo: join(root, "test/demo/main.ts"), attacks: join(root, "test/swarm/attacks/main.ts") };
const tsx = () => join(root, "node_modules/tsx/dist/cli.mjs");
const bin = (name, file) => join(root, "node_modules", name, "bin", file);

async function packages(demo) {
  const wanted = debianPackages.filter((p) => !demo || !p.testOnly);
  const missing = missingPackages(wanted);
  if (missing.length === 0) return;
  const names = missing.map((p) => p.name);
  await step(
    `Debian packages (${missing.map((p) => `${p.name} for ${p.why}`).join(", ")})`,
    join(logs, "apt.log"),
    () => withLog(join(logs, "apt.log"), async (output) => installPackages(names, output)),
  );
}

/** The pnpm that package.json names, from the npm registry, in the cache. */
async function ensurePnpm() {
  const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const version = packageManager.split("@")[1];
  const home = join(cache, "tools", `pnpm-${version}`);
  const file = join(home, "node_modules/pnpm/bin/pnpm.cjs");
  if (!existsSync(file)) {
    await step(`pnpm ${version}`, join(logs, "pnpm.log"), () =>
      logged("pnpm.log", "npm", ["install", "--no-save", "--no-package-lock", "--prefix", home, `pnpm@${version}`]),
    );
  }
  return file;
}

async function engineReady() {
  const { ensureEngine } = await import("../engine/ensure.mjs");
  return await step("Pulumi engine and providers", undefined, () => ensureEngine({ log: say }));
}

async function imageReady() {
  const region = join(root, "packages/region/bin/region.mjs");
  await step("Virtual machines' image", join(logs, "image.log"), () =>
    logged("image.log", process.execPath, [region, "images", "build"]),
  );
}

/** Runs a child with its output in a log of the cache. */
function logged(log, command, args) {
  return withLog(join(logs, log), async (output) => {
    const status = await run(command, args, process.env, ["ignore", output, output]);
    if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}`);
  });
}

/** Runs a child; passes SIGINT and SIGTERM on to it so that it can clean up; gives its exit status. */
function run(command, args, env, stdio = "inherit") {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, env, stdio });
    const forward = (signal) => child.kill(signal);
    process.on("SIGINT", forward).on("SIGTERM", forward);
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      process.off("SIGINT", forward).off("SIGTERM", forward);
      resolve(code ?? (signal === "SIGINT" ? 130 : 1));
    });
  });
}

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  },
);
