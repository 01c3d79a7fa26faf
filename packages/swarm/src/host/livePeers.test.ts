/** `apply --keep-live-peers` and `settle`, against stand-ins for the docker client and for ipset. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { renderPeersOnly } from "../firewall";
import { agentScript } from "./agentSources";

let home = "";
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "live-"));
  mkdirSync(join(home, "bin"));
  writeFileSync(join(home, "agent.sh"), agentScript);
  program("ipset", "cat >/dev/null");
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const program = (name: string, body: string) =>
  writeFileSync(join(home, "bin", name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
/** Docker as a node of a swarm of these answers. */
const swarmOf = (...nodes: string[]) =>
  program(
    "docker",
    `case "$*" in *LocalNodeState*) echo 'active 10.0.0.2' ;; *ingress*) echo ' ${nodes.join(" ")}' ;; esac`,
  );
function agent(args: string[], peers?: string[]): string[] {
  const run = spawnSync("sh", [join(home, "agent.sh"), ...args], {
    input: peers === undefined ? "" : renderPeersOnly(peers),
    encoding: "utf8",
    env: { ...process.env, HC_ROOT: join(home, "root"), HC_PATH: join(home, "bin") },
  });
  expect([run.status, run.stderr]).toEqual([0, expect.any(String)]);
  return readFileSync(join(home, "root/etc/hcloud-iptables/peers"), "utf8").trim().split("\n");
}
const keep = ["apply", "--keep-live-peers"];

it("keeps a peer that leaves until it has left", () => {
  swarmOf("10.0.0.2", "10.0.0.3", "10.0.0.4");
  expect(agent(keep, ["10.0.0.3", "10.0.0.4"])).toEqual(["10.0.0.3", "10.0.0.4"]);
  expect(agent(keep, ["10.0.0.4", "10.0.0.5"])).toEqual(["10.0.0.3", "10.0.0.4", "10.0.0.5"]);
  expect(agent(["settle"])).toEqual(["10.0.0.4", "10.0.0.5"]);
  expect(agent(["settle"])).toEqual(["10.0.0.4", "10.0.0.5"]);
});

it("lets go at once of a peer that the swarm does not know, and takes nobody in that was none", () => {
  swarmOf("10.0.0.2", "10.0.0.4", "10.0.0.66");
  agent(keep, ["10.0.0.3", "10.0.0.4"]);
  expect(agent(keep, ["10.0.0.5"])).toEqual(["10.0.0.4", "10.0.0.5"]);
});

it("keeps them all while Docker does not say who is there", () => {
  swarmOf("10.0.0.3");
  agent(keep, ["10.0.0.3", "10.0.0.4"]);
  program("docker", "exit 1");
  mkdirSync(join(home, "root/var/lib/docker/swarm/certificates"), { recursive: true });
  expect(agent(keep, ["10.0.0.5"])).toEqual(["10.0.0.3", "10.0.0.4", "10.0.0.5"]);
});

it("keeps nobody where it is not asked to", () => {
  swarmOf("10.0.0.3", "10.0.0.4");
  agent(["apply"], ["10.0.0.3", "10.0.0.4"]);
  expect(agent(["apply"], ["10.0.0.4"])).toEqual(["10.0.0.4"]);
});

it("is no reason for an adopted host to refuse: nobody is cut off", () => {
  swarmOf("10.0.0.3", "10.0.0.4");
  agent(["apply"], ["10.0.0.3", "10.0.0.4"]);
  expect(agent([...keep, "--keep-swarm"], ["10.0.0.4"])).toEqual(["10.0.0.3", "10.0.0.4"]);
});
