/** `apply --keep-swarm`, against a stand-in for the docker client: what it refuses, it refuses before any rule is asked for. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { renderPeersOnly } from "../firewall";
import { agentScript } from "./agentSources";

let home = "";
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "keep-"));
  mkdirSync(join(home, "bin"));
  writeFileSync(join(home, "agent.sh"), agentScript);
  // No packet filter here: a bundle that gets past the guard ends at these.
  for (const tool of ["ipset", "iptables", "ip6tables"]) program(tool, "exit 9");
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const program = (name: string, body: string) =>
  writeFileSync(join(home, "bin", name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });

/** Docker as a node of a swarm answers: the managers it dials, and those it gossips with. */
const swarmOf = (managers: string[], gossip: string[]) =>
  program(
    "docker",
    `case "$*" in
      *LocalNodeState*) echo 'active 10.0.0.2 ${managers.join(" ")}' ;;
      *ingress*) echo '${gossip.map((m) => ` ${m}`).join("")}' ;;
    esac`,
  );

const apply = (peers: string[]) =>
  spawnSync("sh", [join(home, "agent.sh"), "apply", "--keep-swarm"], {
    input: renderPeersOnly(peers),
    encoding: "utf8",
    env: { ...process.env, HC_ROOT: join(home, "root"), HC_PATH: join(home, "bin") },
  });
const guard = /cut off nodes of the running swarm: (.*)\. Name them as peers/;

it("names every live node that the peers leave out, and changes nothing", () => {
  swarmOf(["10.0.0.2:2377", "10.0.0.3:2377", "[fd00::7]:2377"], ["10.0.0.2", "10.0.0.4", "10.0.0.3"]);
  const run = apply(["10.0.0.4"]);
  expect(run.status).toBe(3);
  expect(guard.exec(run.stderr)?.[1]).toBe("10.0.0.3 fd00::7");
});

it("knows itself and others by IPv6 addresses", () => {
  program(
    "docker",
    `case "$*" in *LocalNodeState*) echo 'active fd00::2 [fd00::2]:2377 [fd00::9]:2377' ;; *ingress*) echo ' fd00::2 fd00::3' ;; esac`,
  );
  expect(guard.exec(apply(["10.0.0.4"]).stderr)?.[1]).toBe("fd00::9 fd00::3");
});

it("lets pass what names them all, and itself never counts", () => {
  swarmOf(["10.0.0.2:2377", "10.0.0.3:2377"], ["10.0.0.4"]);
  const run = apply(["10.0.0.3", "10.0.0.4", "10.0.0.9"]);
  expect(run.stderr).not.toMatch(/cut off/);
  expect(run.status).not.toBe(3);
});

it("does not take 10.0.0.30 for 10.0.0.3", () => {
  swarmOf(["10.0.0.3:2377"], []);
  expect(guard.exec(apply(["10.0.0.30", "110.0.0.3"]).stderr)?.[1]).toBe("10.0.0.3");
});

it("asks nothing of a host in no swarm", () => {
  program("docker", "echo 'inactive '");
  expect(apply(["10.0.0.3"]).status).not.toBe(3);
});

it("refuses where Docker does not answer on a host that was in a swarm", () => {
  program("docker", "exit 1");
  expect(apply(["10.0.0.3"]).status).not.toBe(3);
  mkdirSync(join(home, "root/var/lib/docker/swarm/certificates"), { recursive: true });
  const run = apply(["10.0.0.3"]);
  expect([run.status, run.stderr]).toEqual([3, expect.stringContaining("Docker does not say")]);
});

it.each(["info", "network inspect"])("refuses where Docker takes '%s' and never answers", (request) => {
  swarmOf(["10.0.0.3:2377"], ["10.0.0.3"]);
  mkdirSync(join(home, "root/var/lib/docker/swarm/certificates"), { recursive: true });
  program("timeout", `case "$*" in '-s 9 60 docker ${request}'*) exit 137 ;; esac\nshift 3\nexec "$@"`);
  const run = apply(["10.0.0.3"]);
  expect([run.status, run.stderr]).toEqual([3, expect.stringContaining("Docker does not say")]);
});
