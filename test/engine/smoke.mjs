#!/usr/bin/env node
// Does the engine work? `pulumi version`, and a preview of a small TypeScript program with both providers. A preview
// needs no API, so hcloud's endpoint is closed; and nothing may be asked of an outside host.
import assert from "node:assert/strict";
import { ensureEngine } from "./ensure.mjs";
import { parseVersion } from "./lib/pieces.mjs";
import { openProject } from "./lib/stack.mjs";

const program = `
import * as hcloud from "@pulumi/hcloud";
import { remote } from "@pulumi/command";

const key = new hcloud.SshKey("key", { name: "key", publicKey: "ssh-ed25519 AAAA" });
const server = new hcloud.Server("node", {
  name: "node", serverType: "cx23", image: "debian-13", location: "fsn1", sshKeys: [key.id],
  networks: [{ networkId: 1, ip: "10.0.0.2" }],
});
const command = new remote.Command("command", {
  connection: { host: server.ipv4Address, privateKey: "not a key" }, create: "true", triggers: [server.id],
});
export const printed = command.stdout;
`;

const started = Date.now();
const engine = await ensureEngine({ log: (line) => process.stderr.write(`${line}\n`) });
const project = await openProject({ enginePath: engine.path, files: { "index.ts": program } });
try {
  const version = await project.run(["version"]);
  assert.ok(parseVersion(version), `pulumi version printed ${version}`);

  const preview = JSON.parse(await project.run(["preview", "--json", "--non-interactive"]));
  const planned = new Map(preview.steps.map((step) => [step.urn.split("::").slice(2).join("::"), step]));
  for (const resource of [
    "hcloud:index/sshKey:SshKey::key",
    "hcloud:index/server:Server::node",
    "command:remote:Command::command",
  ]) {
    assert.equal(planned.get(resource)?.op, "create", `${resource} is not created in the preview`);
  }
  const server = planned.get("hcloud:index/server:Server::node").newState;
  assert.deepEqual(
    server.inputs.networks[0].aliasIps,
    [],
    "absent aliasIps would re-attach the network in every update",
  );
  const command = planned.get("command:remote:Command::command").newState;
  assert.ok(!JSON.stringify(command).includes("not a key"), "the private key shows in the preview");
  assert.deepEqual(project.outside, [], "something was asked of an outside host");
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  process.stdout.write(
    `engine smoke check: pulumi ${version.trim()}, ${preview.steps.length} steps previewed, ${seconds} s\n`,
  );
} finally {
  await project.close();
}
