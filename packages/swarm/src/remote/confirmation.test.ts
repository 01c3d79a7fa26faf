import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { agentScript } from "../host/agentSources";
import { membershipProgram } from "../membership/script";
import {
  applyCommand,
  confirmationAround,
  confirmationProgram,
  printResult,
  settleCommand,
  tryAgainMessage,
} from "./confirmation";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "confirmation-"));
  agent("exit 0");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const digest = "d1ge57";
const file = (name: string) => join(dir, name);
const read = (name: string) => (existsSync(file(name)) ? readFileSync(file(name), "utf8") : "");

/** An agent that writes down how it was called and does what the test says. */
function agent(body: string): void {
  writeFileSync(file("agent"), `#!/bin/sh\necho "$*" >>${file("calls")}\n${body}\n`);
  chmodSync(file("agent"), 0o755);
}

const here = (program: string) =>
  program
    .replaceAll("/opt/hcloud-iptables.sh", file("agent"))
    .replaceAll("/var/lib/hcloud-iptables/sent", file("sent"));

function run(program: string) {
  const input = here(`set -eu\n${program}`);
  const { status, stdout, stderr } = spawnSync("sh", ["-s", digest, "180"], { input, encoding: "utf8" });
  return { status, stdout, stderr };
}

const shellcheck = spawnSync("shellcheck", ["--version"]).status === 0;
it.skipIf(!shellcheck)("shellcheck has nothing to say to a whole last step", () => {
  const join_ = {
    privateIp: "10.0.0.3",
    swarmId: "s",
    joinToken: "t",
    tells: { joinTokenRotation: 1, autolock: true },
    waitSeconds: 10,
  };
  const program = membershipProgram({ action: "join", ...join_ }) + confirmationProgram + printResult;
  const done = spawnSync("shellcheck", ["-s", "sh", "-"], { input: program, encoding: "utf8" });
  expect(done.stdout).toBe("");
  expect(done.status).toBe(0);
});

describe("a node that has just entered its swarm", () => {
  const verified = (members: string) => {
    agent(`case $1 in check) : >${file("repaired")} ;; verify) [ -e ${file("repaired")} ] ;; esac`);
    return run(confirmationAround(`${members}\n`));
  };

  it("has what Docker left of its jump put right, and is verified then", () => {
    expect(verified("members_new=yes").status).toBe(0);
    const lines = [`confirm ${digest}`, "verify --json", "check", "verify --json"];
    expect(read("calls")).toBe(`${lines.join("\n")}\n`);
  });

  it("is not one that was in it already: there the drift fails the deployment", () => {
    expect(verified("").status).toBe(1);
    expect(read("calls")).toBe(`confirm ${digest}\nverify --json\n`);
  });
});

describe("applyCommand", () => {
  it("hands the bundle on and keeps it, whatever the agent makes of it", () => {
    agent("cat >/dev/null; exit 3");
    const done = spawnSync("sh", ["-c", here(applyCommand(180))], { input: "bundle\n", encoding: "utf8" });
    expect(done.status).toBe(3);
    expect(read("calls")).toBe("apply --probation 180\n");
    expect(read("sent")).toBe("bundle\n");
  });
});

describe("peers that leave", () => {
  const help = (text: string) => agent(`case $1 in help) printf '%s\\n' '${text}' ;; apply) cat >/dev/null ;; esac`);
  const apply = () => spawnSync("sh", ["-c", here(applyCommand(180, { keepLivePeers: true }))], { input: "bundle\n" });
  const settle = () => spawnSync("sh", ["-c", here(settleCommand)]);
  const done = () =>
    read("calls")
      .trim()
      .split("\n")
      .filter((call) => call !== "help");

  it("stay until they are let go", () => {
    writeFileSync(file("real"), agentScript);
    agent(`case $1 in help) sh ${file("real")} help ;; apply) cat >/dev/null ;; esac`);
    expect([apply().status, settle().status]).toEqual([0, 0]);
    expect(done()).toEqual(["apply --probation 180 --keep-live-peers", "settle"]);
  });

  it("go at once where the agent is of an older version", () => {
    help("  apply [--probation SECONDS]");
    expect([apply().status, settle().status]).toEqual([0, 0]);
    expect(done()).toEqual(["apply --probation 180"]);
  });
});

describe("confirmationProgram", () => {
  it("confirms, verifies and prints the report", () => {
    agent('[ "$1" != verify ] || echo \'{"passed":true}\'');
    expect(run(confirmationProgram + printResult)).toEqual({
      status: 0,
      stdout: '{"passed":true}\n',
      stderr: "",
    });
    expect(read("calls")).toBe(`confirm ${digest}\nverify --json\n`);
  });

  it("fails with the agent's account of the failed checks, and prints no result", () => {
    agent('case "$*" in "verify --json") echo "FAILED belt-v4: expected a, found b" >&2; echo "{}"; exit 1 ;; esac');
    const done = run(confirmationProgram + printResult);
    expect(done).toMatchObject({ status: 1, stdout: "" });
    expect(done.stderr).toMatch(/FAILED belt-v4: expected a, found b\npolicy: the host is not as its policy says/);
  });

  it("says that a policy which was just sent and is gone would have shut SSH out", () => {
    agent('[ "$1" != confirm ] || exit 4');
    writeFileSync(file("sent"), "bundle\n");
    const done = run(confirmationProgram);
    expect(done).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/would have shut this machine out.*old rules/),
    });
    expect(read("calls")).toBe(`confirm ${digest}\n`);
  });

  it("applies again what an interrupted deployment left unconfirmed", () => {
    agent(`case $1 in confirm) exit 4 ;; apply) cat >${file("applied")} ;; esac`);
    writeFileSync(file("sent"), "bundle\n");
    const longAgo = Date.now() / 1000 - 3600;
    utimesSync(file("sent"), longAgo, longAgo);
    const done = run(confirmationProgram);
    expect(done).toMatchObject({ status: 1, stderr: expect.stringContaining(tryAgainMessage) });
    expect(read("applied")).toBe("bundle\n");
    // The next failure within minutes is a lock-out again.
    expect(run(confirmationProgram).stderr).toMatch(/would have shut this machine out/);
  });

  it("says when there is no agent, and when the agent fails otherwise", () => {
    rmSync(file("agent"));
    expect(run(confirmationProgram)).toMatchObject({ status: 1, stderr: expect.stringMatching(/is not on this host/) });
    agent("exit 2");
    expect(run(confirmationProgram)).toMatchObject({ status: 1, stderr: expect.stringMatching(/exit status 2/) });
  });
});

describe("printResult", () => {
  const before = "report='{\"passed\":true}'\n";

  it("prints the membership of a node, and the tokens of one that has them", () => {
    const variables = "members_swarm_id=s1\nmembers_node_id=n1\n";
    const told = "members_worker_token=SWMTKN-w\nmembers_manager_token=SWMTKN-m\n";
    const [swarm = "", report] = run(before + variables + told + printResult).stdout.split("\n");
    const access = { workerToken: "SWMTKN-w", managerToken: "SWMTKN-m", unlockKey: "" };
    expect(JSON.parse(swarm)).toEqual({ swarmId: "s1", nodeId: "n1", ...access });
    expect(report).toBe('{"passed":true}');
    const [worker = ""] = run(before + variables + printResult).stdout.split("\n");
    expect(JSON.parse(worker)).toEqual({ swarmId: "s1", nodeId: "n1" });
  });

  it("prints the report alone for a host that the program puts into no swarm", () => {
    expect(run(`${before}${printResult}`).stdout).toBe('{"passed":true}\n');
  });
});
