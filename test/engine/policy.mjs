#!/usr/bin/env node
// The policy pack of packages/preview-report as its users run it: `pulumi preview --policy-pack`, by the real engine, policy SDK
// and pack. A stack that breaks none of its rules passes; one that breaks a rule is stopped, by that rule and no other.
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureEngine } from "./ensure.mjs";
import { engineDir } from "./lib/pieces.mjs";
import { openProject } from "./lib/stack.mjs";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const pack = join(repository, "packages/preview-report/policy-pack");
const report = join(repository, "packages/preview-report/bin/preview-report.mjs");
const component = join(repository, "packages/swarm");
const program = readFileSync(join(engineDir, "policy", "program.cjs"), "utf8");

/** The bad stacks of the program: the rule that each breaks, and the resources that break it, sorted. */
const bad = {
  unhardened: { rule: "unhardened-server", breakers: ["unhardened"] },
  ssh: { rule: "world-open-ssh", breakers: ["beside", "exact", "halves", "open", "ssh-range"] },
  docker: {
    rule: "docker-ports",
    breakers: ["docker-range", "tcp-2375", "tcp-2376", "tcp-2377", "tcp-7946", "vxlan"],
  },
  protection: { rule: "missing-protection", breakers: ["bare", "data", "floating", "ip", "net", "unprotected-server"] },
};

/** `pulumi preview` with the pack: its exit code, what it printed, and the violations: level, rule and resource's name. */
async function preview(project, stacks, ...more) {
  const args = ["preview", "--json", "--non-interactive", "--policy-pack", pack, ...more];
  const env = { ...project.env, STACKS: stacks.join(","), PULUMI_ENABLE_STREAMING_JSON_PREVIEW: "1" };
  const options = { cwd: project.dir, env, timeout: 300_000, maxBuffer: 1 << 28 };
  const run = await new Promise((done) => {
    execFile("pulumi", args, options, (error, stdout, stderr) => {
      done({ code: error ? (error.code ?? error.signal) : 0, stdout, stderr });
    });
  });
  const events = run.stdout.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
  const violations = events.flatMap(({ policyEvent: it }) =>
    it ? [[it.enforcementLevel, it.policyName, it.resourceUrn.split("::").at(-1)]] : [],
  );
  const said = events.flatMap(({ diagnosticEvent: it }) => (it && it.severity !== "debug" ? [it] : []));
  const errors = said.filter((it) => it.severity === "error").map((it) => it.message);
  const shown = `${said.map((it) => it.message).join("")}\n${run.stderr}`;
  return { ...run, violations, errors, shown };
}

/** What the report's gate `policy` makes of a preview: its exit code. */
function gate(project, name, stdout, words) {
  const log = join(project.dir, `${name}.json`);
  writeFileSync(log, stdout);
  const run = spawnSync(process.execPath, [report, log, "--fail-on", "policy"], { encoding: "utf8" });
  for (const word of words)
    assert.ok(run.stdout.includes(word), `stack ${name}: no ${word} in the report:\n${run.stdout}`);
  return run.status;
}

async function good(project) {
  const { code, violations, stdout, shown } = await preview(project, ["good"]);
  assert.deepEqual(violations, [], shown);
  assert.equal(code, 0, `the good stack is stopped:\n${shown}`);
  assert.equal(gate(project, "good", stdout, []), 0);
  process.stdout.write("policy pack: stack good: exit 0, no violation\n");
}

async function stopped(project, name, { rule, breakers }) {
  const { code, violations, errors, stdout, shown } = await preview(project, [name]);
  // The engine stops soon after the first, so that not all may be named.
  assert.ok(violations.length > 0, `stack ${name}: no violation:\n${shown}`);
  for (const [level, broken, resource] of violations) {
    assert.deepEqual([level, broken], ["mandatory", rule], `stack ${name}: ${resource}`);
    assert.ok(breakers.includes(resource), `stack ${name}: ${resource} does not break ${rule}`);
  }
  assert.deepEqual(errors, ["preview failed\n"], `stack ${name} is stopped by something else`);
  assert.ok(Number.isInteger(code) && code > 0, `stack ${name} ended with ${code}:\n${shown}`);
  assert.equal(gate(project, name, stdout, [rule]), 21);
  process.stdout.write(`policy pack: stack ${name}: exit ${code}, ${rule}\n`);
}

/** With advice only, the engine goes on to the end: every resource that breaks a rule is named, and no other. */
async function advised(project) {
  const config = join(project.dir, "policy-config.json");
  writeFileSync(config, JSON.stringify({ all: "advisory" }));
  const { code, violations, shown } = await preview(project, Object.keys(bad), "--policy-pack-config", config);
  const expected = Object.values(bad).flatMap(({ rule, breakers }) => breakers.map((it) => ["advisory", rule, it]));
  assert.deepEqual(violations.sort(), expected.sort(), shown);
  assert.equal(code, 0, `advice stopped the preview:\n${shown}`);
  process.stdout.write(`policy pack: all bad stacks with advice only: exit 0, ${violations.length} violations\n`);
}

const started = Date.now();
if (!existsSync(join(component, "dist/index.js"))) throw new Error("packages/swarm is not built: run `npx tsc -b`");
const engine = await ensureEngine({ policies: true, log: (line) => process.stderr.write(`${line}\n`) });
const project = await openProject({ enginePath: engine.path, files: { "index.js": program } });
try {
  symlinkSync(component, join(project.dir, "node_modules/hcloud-swarm"));
  const runs = [
    () => good(project),
    () => advised(project),
    ...Object.entries(bad).map(
      ([name, what]) =>
        () =>
          stopped(project, name, what),
    ),
  ];
  const failures = [];
  // Two at a time; previews only read the stack.
  const next = async () => {
    for (let run = runs.shift(); run; run = runs.shift()) await run().catch((error) => failures.push(error));
  };
  await Promise.all([next(), next()]);
  for (const failure of failures) process.stderr.write(`policy pack: ${failure.stack}\n`);
  assert.deepEqual(project.outside, [], "something was asked of an outside host");
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  process.stdout.write(`policy pack: ${failures.length === 0 ? "passed" : "FAILED"} in ${seconds} s\n`);
  if (failures.length > 0) process.exitCode = 1;
} finally {
  await project.close();
}
