#!/usr/bin/env node
// The life of a remote.Command with the real engine, the published npm package and a real sshd: what runs when, how
// many SSH connections that takes, and where secrets stay secret.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureEngine } from "./ensure.mjs";
import { startSshd } from "./lib/sshd.mjs";
import { openProject } from "./lib/stack.mjs";

const program = `
const pulumi = require("@pulumi/pulumi");
const { remote } = require("@pulumi/command");
const { connection, inputs, secret, options } = JSON.parse(require("fs").readFileSync("step.json", "utf8"));
if (secret) inputs.stdin = pulumi.secret(inputs.stdin);
const subject = new remote.Command("subject", { connection, ...inputs }, options);
exports.printed = subject.stdout;
`;

const started = Date.now();
const engine = await ensureEngine({ log: (line) => process.stderr.write(`${line}\n`) });
const sshd = await startSshd();
const project = await openProject({ enginePath: engine.path, files: { "index.js": program } });
const log = join(project.dir, "sessions");
const connections = () => (existsSync(log) ? readFileSync(log, "utf8").split("\n").length - 1 : 0);
const official = engine.pieces.some(
  (piece) => piece.name === "command-stand-in" && !["built", "cache"].includes(piece.source),
);

/** Previews and applies one version of the program; asserts the planned operation and the connections it took. */
async function step(title, { inputs, secret = false, options = {} }, expected) {
  writeFileSync(
    join(project.dir, "step.json"),
    JSON.stringify({ connection: sshd.connection, inputs, secret, options }),
  );
  const env = { HCS_SSH_SESSION_LOG: log };
  const before = connections();
  const preview = JSON.parse(await project.run(["preview", "--json", "--non-interactive"], env));
  const ops = preview.steps.filter((entry) => entry.urn.endsWith("::subject")).map((entry) => entry.op);
  if (ops.length === 0) ops.push("same"); // a preview as JSON leaves out what stays
  assert.ok(ops.includes(expected.op), `${title}: the preview plans ${ops}, not ${expected.op}`);
  assert.equal(connections(), before, `${title}: the preview connected`);
  await project.run(["up", "--yes", "--skip-preview", "--non-interactive"], env);
  // Only the stand-in counts its connections.
  if (!official) assert.equal(connections() - before, expected.connections, `${title}: connections of up`);
  const outputs = JSON.parse(await project.run(["stack", "output", "--json", "--show-secrets"]));
  assert.equal(outputs.printed, expected.stdout, `${title}: stdout`);
  process.stdout.write(`${title}: ${expected.op}, ${connections() - before} connections\n`);
}

try {
  const deleted = join(project.dir, "deleted");
  const base = { create: "echo created; cat", delete: `echo "$(cat)" >> '${deleted}'`, stdin: "one", triggers: ["a"] };
  const created = (stdin) => `created\n${stdin}`;
  await step("first up", { inputs: base }, { op: "create", connections: 1, stdout: created("one") });
  await step("nothing changed", { inputs: base }, { op: "same", connections: 0, stdout: created("one") });
  const two = { ...base, stdin: "two" };
  await step("changed stdin", { inputs: two }, { op: "update", connections: 1, stdout: created("two") });
  const updated = { ...two, update: "echo updated" };
  await step("an update command", { inputs: updated }, { op: "update", connections: 1, stdout: "updated" });
  const replaced = { ...updated, stdin: "three", triggers: ["b"] };
  await step("changed trigger", { inputs: replaced }, { op: "replace", connections: 2, stdout: created("three") });
  assert.equal(readFileSync(deleted, "utf8"), "two\n", "delete ran with the stored state's stdin");

  const hidden = { ...replaced, stdin: "open-sesame" };
  const options = { additionalSecretOutputs: ["stdout"] };
  await step(
    "secret stdin",
    { inputs: hidden, secret: true, options },
    { op: "update", connections: 1, stdout: "updated" },
  );
  const echo = { ...hidden, update: "cat" };
  await step(
    "secret stdout",
    { inputs: echo, secret: true, options },
    { op: "update", connections: 1, stdout: "open-sesame" },
  );
  const state = await project.run(["stack", "export"]);
  assert.ok(!state.includes("open-sesame"), "the secret is readable in the state");
  assert.ok(!state.includes("OPENSSH PRIVATE KEY"), "the private key is readable in the state");

  await project.run(["destroy", "--yes", "--skip-preview", "--non-interactive"], { HCS_SSH_SESSION_LOG: log });
  assert.equal(readFileSync(deleted, "utf8"), "two\nopen-sesame\n", "destroy ran delete from the stored state");
  assert.deepEqual(project.outside, [], "something was asked of an outside host");
  process.stdout.write(`life of a remote.Command: as expected, ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
} finally {
  await project.close();
  await sshd.close();
}
