#!/usr/bin/env node
// The engine's own tests: the Command stand-in against a real sshd (Go), the providers' schemas against the published
// npm packages, the life of a remote.Command and the policy pack with the real engine. The smoke check is apart: smoke.mjs.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { ensureEngine } from "./ensure.mjs";
import { engineDir, goEnv, pieces } from "./lib/pieces.mjs";

const { path } = await ensureEngine({ log: (line) => process.stderr.write(`${line}\n`) });
// The same flags as the builds', so that what they compiled is compiled once.
const goEnvironment = { ...process.env, ...goEnv, GOFLAGS: `${goEnv.GOFLAGS} -trimpath` };

/** Runs one check with its output shown; returns its name where it failed. */
function run(name, command, args, options = {}) {
  const started = Date.now();
  const { status } = spawnSync(command, args, { stdio: "inherit", cwd: engineDir, ...options });
  const outcome = status === 0 ? "passed" : "FAILED";
  process.stdout.write(`${name}: ${outcome} in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
  return status === 0 ? [] : [name];
}

/** Go sources that gofmt would change. */
function unformatted() {
  const folders = pieces.map((piece) => join(engineDir, piece.dir));
  const { status, stdout, stderr } = spawnSync("gofmt", ["-l", ...folders], { encoding: "utf8" });
  if (status !== 0) return [`gofmt: ${stderr}`];
  return stdout.split("\n").filter((line) => line !== "");
}

const node = process.execPath;
const standIn = { cwd: join(engineDir, "command-stand-in"), env: goEnvironment };
const failed = [
  ...unformatted().map((file) => `gofmt ${file}`),
  ...run("command-stand-in: go vet", "go", ["vet", "./..."], standIn),
  ...run("command-stand-in: go test", "go", ["test", "-count=1", "-timeout=120s", "./internal/..."], standIn),
  ...run("ensure: unit tests", node, ["--test", ...unitTests()]),
  ...run("schemas of the providers", node, ["schema-check.mjs"]),
  ...run("life of a remote.Command", node, ["lifecycle.mjs"]),
  ...run("policy pack on good and bad stacks", node, ["policy.mjs"]),
];
function unitTests() {
  return readdirSync(join(engineDir, "lib"))
    .filter((name) => name.endsWith(".test.mjs"))
    .map((name) => join("lib", name));
}
process.stdout.write(failed.length === 0 ? `engine tests passed with ${path}\n` : `failed: ${failed.join(", ")}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;
