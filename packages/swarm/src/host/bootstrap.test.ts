/** The first contact, played on files below a temporary folder with stand-ins for systemd and cloud-init. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { bootstrapProgram, claimCommand } from "./bootstrap";

let home = "";
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "bootstrap-"));
  for (const folder of ["bin", "etc/ssh", "var/lib/hcloud-swarm", "run/cloud-init"])
    mkdirSync(join(home, folder), { recursive: true });
  writeFileSync(join(home, "etc/ssh/ssh_host_ed25519_key"), "the one-use key\n", { mode: 0o600 });
  writeFileSync(join(home, "etc/ssh/ssh_host_ed25519_key.pub"), "ssh-ed25519 FIRST\n");
  writeFileSync(join(home, "var/lib/hcloud-swarm/setup-done"), "");
  tool("systemctl");
  tool("cloud-init", "echo 'status: done'");
  // Keeps the turns for the test to play.
  tool("systemd-run", `shift $(($# - 1)); printf '%s' "$1" >${home}/turns`);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const tool = (name: string, body = "") =>
  writeFileSync(join(home, "bin", name), `#!/bin/sh\necho "${name} $*" >>${home}/calls\n${body}\n`, { mode: 0o755 });
const here = (text: string) => text.replace(/\/(etc\/ssh|var\/lib|var\/log|run\/cloud-init)\//g, `${home}/$1/`);
const run = (text: string) => runHere(here(text));
const runHere = (input: string) =>
  spawnSync("sh", ["-s"], {
    input,
    encoding: "utf8",
    env: { ...process.env, PATH: `${join(home, "bin")}:${process.env.PATH}` },
  });
const shown = () =>
  readFileSync(join(home, "etc/ssh/ssh_host_ed25519_key.pub"), "utf8").split(" ").slice(0, 2).join(" ").trim();
/** As many sleeps as given, then the loop ends. */
const playTurns = (sleeps: number) => {
  tool("sleep", `echo x >>${home}/slept; [ $(wc -l <${home}/slept) -le ${sleeps} ] || kill $PPID`);
  rmSync(join(home, "slept"), { force: true });
  runHere(readFileSync(join(home, "turns"), "utf8"));
};

it("shows the new key and the one-use key by turns, until the server is claimed", () => {
  const first = run(bootstrapProgram({ cloudInitSeconds: 60 }));
  expect([first.status, first.stderr]).toEqual([0, ""]);
  expect(first.stdout).toMatch(/^ssh-ed25519 [A-Za-z0-9+/]{68}\n$/);
  const fresh = first.stdout.trim();
  // Until the output has left, the key is the one that a second run would know.
  expect(shown()).toBe("ssh-ed25519 FIRST");
  playTurns(1);
  expect(shown()).toBe(fresh);
  playTurns(2);
  expect(shown()).toBe("ssh-ed25519 FIRST");
  expect(readFileSync(join(home, "etc/ssh/ssh_host_ed25519_key"), "utf8")).toBe("the one-use key\n");

  expect(run(claimCommand).status).toBe(0);
  expect(shown()).toBe(fresh);
  expect(readdirSync(join(home, "etc/ssh")).sort()).toEqual(["ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"]);
  expect(readFileSync(join(home, "calls"), "utf8")).toContain("systemctl stop hcloud-swarm-unclaimed.service");
  // Claimed once and for all.
  writeFileSync(join(home, "calls"), "");
  expect(run(claimCommand).status).toBe(0);
  expect(readFileSync(join(home, "calls"), "utf8")).toBe("");
});

it("an interrupted first contact is begun again with another new key, and the one-use key is not lost", () => {
  const lost = run(bootstrapProgram({ cloudInitSeconds: 60 })).stdout;
  playTurns(1);
  const again = run(bootstrapProgram({ cloudInitSeconds: 60 })).stdout;
  expect(again).not.toBe(lost);
  playTurns(2);
  expect(shown()).toBe("ssh-ed25519 FIRST");
  run(claimCommand);
  expect(shown()).toBe(again.trim());
});

it("asks cloud-init once, and again when it has come to its end", () => {
  tool("cloud-init", `[ -e ${home}/run/cloud-init/result.json ] && echo 'status: done' || echo 'status: running'`);
  tool("sleep", `[ "$(grep -c sleep ${home}/calls)" -lt 5 ] || touch ${home}/run/cloud-init/result.json`);
  const { status, stdout } = run(bootstrapProgram({ cloudInitSeconds: 60 }));
  expect(status).toBe(0);
  expect(stdout).toMatch(/^ssh-ed25519 /);
  const calls = readFileSync(join(home, "calls"), "utf8")
    .split("\n")
    .map((line) => line.split(" ")[0]);
  expect(calls.slice(0, 7)).toEqual(["cloud-init", ...Array.from({ length: 5 }, () => "sleep"), "cloud-init"]);
});

it("asks again now and then, for cloud-init may end without a result", () => {
  tool("date", `echo $(($(grep -c sleep ${home}/calls || :) * 20))`);
  tool("sleep");
  tool("cloud-init", `[ "$(grep -c sleep ${home}/calls)" -ge 6 ] && echo 'status: disabled' || echo 'status: running'`);
  expect(run(bootstrapProgram({ cloudInitSeconds: 600 })).status).toBe(0);
  const calls = readFileSync(join(home, "calls"), "utf8").split("\n");
  expect(calls.filter((line) => line.startsWith("cloud-init"))).toHaveLength(3);
});

it("says what went wrong in cloud-init, with the end of its log and the units that failed, and makes no key", () => {
  rmSync(join(home, "var/lib/hcloud-swarm/setup-done"));
  tool("cloud-init", "echo 'status: error'");
  tool(
    "systemctl",
    `case "$*" in
    --failed*) echo 'cloud-final.service loaded failed failed Cloud-init: Final Stage' ;;
    *Result*docker.service) echo exit-code ;;
    *Result*) echo success ;;
    *NRestarts*containerd.service) echo 2 ;;
    *NRestarts*) echo 0 ;;
    list-units*) for unit; do :; done; echo "$unit state" ;;
    esac`,
  );
  tool("journalctl", 'for unit; do :; done; echo "journal of $unit"');
  mkdirSync(join(home, "var/log"));
  const lines = Array.from({ length: 40 }, (_, index) => `line ${index + 1}\n`);
  writeFileSync(join(home, "var/log/cloud-init-output.log"), lines.join(""));
  const { status, stdout, stderr } = run(bootstrapProgram({ cloudInitSeconds: 60 }));
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toContain("cloud-init is 'error'");
  expect(stderr).toMatch(/\nline 11\n(?:line \d+\n)+line 40\n--- failed units\n/);
  const units = ["cloud-final", "containerd", "docker"].map((name) => `${name}.service`);
  const told = units.map((unit) => `${unit} state\njournal of ${unit}\n`).join("");
  expect(stderr.endsWith(`--- failed units\n${told}`), stderr).toBe(true);
  expect(stderr).not.toMatch(/\nline 10\n/);
  expect(existsSync(join(home, "etc/ssh/hcloud-swarm-unclaimed"))).toBe(false);
});
