import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hangs, lateDate, shortTimeout } from "../testing/silentDocker";
import { prepareProgram, recordOfNewServer, verifyProgram, workProgram } from "./nodeProgram";
import type { MaintenanceSettings } from "./plan";

/** Programs that a node has. `boot` is the boot it is in, `engine` the version that is installed, `versions` what can be had. */
const tools: Record<string, string> = {
  sleep: "",
  agent: `[ ! -e "$FAKE/red" ] || { echo 'peers: failed' >&2; exit 1; }`,
  journalctl: "",
  // As on Debian, whose packages do not restart what they replace.
  readlink: `case $1 in /proc/42/exe) cat "$FAKE/exe" ;; *) exit 1 ;; esac`,
  systemctl: `case "$*" in
  'show --property=MainPID --value docker.service') echo 42 ;;
  'show '*) echo 0 ;;
  'restart docker.service') echo /usr/sbin/dockerd >"$FAKE/exe" ;;
  'is-active'*) if [ -e "$FAKE/running" ]; then rm "$FAKE/running"; echo active; else echo inactive; exit 3; fi ;;
  esac`,
  "systemd-run": `case "$*" in
  *hcloud-swarm-restart*) ;;
  *) for script; do :; done; touch "$FAKE/running"; sh "$script" ;;
  esac`,
  timeout: shortTimeout,
  date: lateDate(),
  docker: `${hangs}
  case "$*" in
  'info') [ ! -e "$FAKE/silent" ] ;;
  *LocalNodeState*) if [ -e "$FAKE/locked" ]; then echo locked; else echo active; fi ;;
  *ControlAvailable*) echo true ;;
  'swarm unlock') read -r key; [ "$key" = SWMKEY-1-key ] && rm "$FAKE/locked" ;;
  esac`,
  "apt-get": `case "$*" in
  *--simulate*) cat "$FAKE/simulated" ;;
  *--no-remove*) [ -z "$(cat "$FAKE/simulated")" ] || { echo 'E: remove is disabled'; exit 100; } ;;
  esac
  case "$*" in
  *--simulate*) ;;
  *--download-only*) ;;
  *install*) [ ! -e "$FAKE/broken" ] || { echo 'E: it is full'; exit 100; }
    for word; do case $word in docker.io=*)
      echo "\${word#*=}" >"$FAKE/engine"
      echo '/usr/sbin/dockerd (deleted)' >"$FAKE/exe" ;;
    esac; done ;;
  *update) [ ! -e "$FAKE/offline" ] || { echo 'E: no network'; exit 100; } ;;
  esac`,
  "apt-mark": `shift; for package; do [ "$package" != jq ] || echo jq; done`,
  "apt-cache": `while read -r version; do echo " docker.io | $version | http://deb"; done <"$FAKE/versions"`,
  "dpkg-query": `case "$*" in *Abbrev*) printf 'ii  docker.io\\nii  containerd\\n' ;; *) cat "$FAKE/engine" ;; esac`,
  dpkg: `case $1 in --compare-versions) [ "$(printf '%s\\n' "$2" "$4" | sort -V | tail -n 1)" = "$2" ] && [ "$2" != "$4" ] ;; esac`,
};

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "maintenance-"));
  for (const name of ["run", "log", "lib", "apt"]) mkdirSync(join(dir, name));
  for (const [name, body] of Object.entries(tools)) {
    writeFileSync(join(dir, name), `#!/bin/sh\necho "${name} $*" >>"$FAKE/calls"\n${body}\n`);
    chmodSync(join(dir, name), 0o755);
  }
  set({
    boot: "boot-1",
    engine: "26.1.5+dfsg1-9",
    versions: "28.5.2-1\n28.5.1-1\n26.1.5+dfsg1-9",
    simulated: "",
    exe: "/usr/sbin/dockerd",
  });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));
function set(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), `${text}\n`);
}
const read = (name: string) => (existsSync(join(dir, name)) ? readFileSync(join(dir, name), "utf8").trim() : "");
const calls = (pattern: RegExp) =>
  read("calls")
    .split("\n")
    .filter((call) => pattern.test(call));

/** The program, with the node's directories moved under the test's. */
function run(program: string) {
  const input = program
    .replaceAll("/proc/sys/kernel/random/boot_id", `${dir}/boot`)
    .replaceAll("/var/lib/hcloud-swarm/", `${dir}/lib/`)
    .replaceAll("/var/log/", `${dir}/log/`)
    .replaceAll("/run/$unit", `${dir}/run/$unit`)
    .replaceAll("/etc/apt/preferences.d/", `${dir}/apt/`)
    .replaceAll("/opt/hcloud-iptables.sh", `${dir}/agent`);
  const env = { ...process.env, PATH: `${dir}:${process.env.PATH}`, FAKE: dir };
  const { status, stdout, stderr } = spawnSync("sh", ["-s"], { input, encoding: "utf8", env });
  return { status, stdout: stdout.trim(), stderr };
}
const settings = { name: "prod-w1", number: 3, upgrade: "none", reboot: true, timeout: 60 } as const;
const prepare = (more: Partial<MaintenanceSettings> = {}) => run(prepareProgram({ ...settings, ...more }));
const work = (more: Partial<MaintenanceSettings> = {}) => run(workProgram({ ...settings, ...more }));
const verify = (token = "3", more = {}) => run(verifyProgram({ name: "prod-w1", token, waitSeconds: 1, ...more }));
const restarts = () => calls(/^systemd-run.*hcloud-swarm-restart/).length;

describe("a node's maintenance", () => {
  it("restarts it once, whatever is run again", () => {
    expect(prepare()).toMatchObject({ status: 0, stdout: "todo" });
    expect(work()).toMatchObject({ status: 0, stdout: "ok" });
    expect(restarts()).toBe(1);
    expect(calls(/^systemctl stop ssh/)).toHaveLength(2);
    expect(read("lib/maintenance")).toBe("3 3 boot-1 ok");
    expect(verify(), "it has not restarted yet").toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/not restarted/),
    });
    set({ boot: "boot-2" });
    expect(work()).toMatchObject({ status: 0, stdout: "ok" });
    expect(prepare(), "not back yet").toMatchObject({ stdout: "todo" });
    expect(verify()).toMatchObject({ status: 0, stdout: "ok" });
    expect(work()).toMatchObject({ status: 0, stdout: "ok" });
    expect(restarts()).toBe(1);
    expect(prepare()).toMatchObject({ stdout: "nothing" });
    expect(prepare({ number: 2 })).toMatchObject({ stdout: "nothing" });
    expect(prepare({ number: 4 })).toMatchObject({ stdout: "todo" });
    expect(calls(/^apt-get/)).toEqual([]);
  });

  it("is none for a server that is made with the number", () => {
    writeFileSync(join(dir, "lib/maintenance"), recordOfNewServer(3));
    expect(prepare()).toMatchObject({ status: 0, stdout: "nothing" });
    expect(prepare({ dockerVersion: "28.5" })).toMatchObject({ stdout: "todo" });
    expect(prepare({ number: 4 })).toMatchObject({ stdout: "todo" });
  });

  it("brings Docker to a version without a higher number and without a restart, and keeps it there", () => {
    const wish = { number: 0, dockerVersion: "28.5" };
    expect(prepare(wish)).toMatchObject({ status: 0, stdout: "todo" });
    expect(calls(/^apt-get .*--download-only .*docker.io=28.5.2-1 containerd$/)).toHaveLength(1);
    expect(read("engine")).toBe("26.1.5+dfsg1-9");
    expect(work(wish)).toMatchObject({ status: 0, stdout: "ok" });
    expect(read("engine")).toBe("28.5.2-1");
    expect(read("apt/hcloud-swarm-docker")).toMatch(/^Pin: version 28\.5\.2-1$/m);
    expect(read("lib/maintenance")).toBe("0 0-28.5 - ok");
    expect(calls(/^systemctl restart docker.service$/), "what was replaced runs no longer").toHaveLength(1);
    expect(read("exe")).toBe("/usr/sbin/dockerd");
    expect(restarts()).toBe(0);
    expect(verify("0-28.5").status).toBe(0);
    expect(prepare(wish)).toMatchObject({ stdout: "nothing" });
  });

  it("restarts a Docker that somebody upgraded and left running, and no Docker before a restart of the node", () => {
    set({ engine: "28.5.2-1", exe: "/usr/sbin/dockerd (deleted)" });
    const wish = { number: 0, dockerVersion: "28.5" };
    expect(prepare(wish)).toMatchObject({ stdout: "todo" });
    expect(work(wish)).toMatchObject({ stdout: "ok" });
    expect(read("exe")).toBe("/usr/sbin/dockerd");
    expect(verify("0-28.5").status).toBe(0);
    expect(prepare(wish)).toMatchObject({ stdout: "nothing" });
    set({ calls: "", exe: "/usr/sbin/dockerd (deleted)" });
    expect(prepare({ number: 0 }), "nobody asked for a version").toMatchObject({ stdout: "nothing" });
    expect(work({ ...wish, number: 4 })).toMatchObject({ stdout: "ok" });
    expect(restarts()).toBe(1);
    expect(calls(/^systemctl restart/)).toEqual([]);
  });

  it("upgrades what it is told to", () => {
    expect(work({ upgrade: "docker" }).stdout).toBe("ok");
    expect(calls(/^apt-get (?!.*--simulate).*--only-upgrade install docker.io containerd$/)).toHaveLength(1);
    expect(calls(/dist-upgrade/)).toEqual([]);
    expect(work({ number: 4, upgrade: "all", reboot: false }).stdout).toBe("ok");
    expect(calls(/^apt-get (?!.*--simulate).*dist-upgrade$/)).toHaveLength(1);
    expect(read("lib/maintenance")).toBe("4 4 - ok");
  });

  it("lets packages go that came with the old Docker", () => {
    set({ simulated: "Remv tini [0.19.0-3]\nInst docker.io [26.1.5] (28.5.2-1 Debian)" });
    expect(prepare({ dockerVersion: "28.5" })).toMatchObject({ status: 0, stdout: "todo" });
    expect(work({ dockerVersion: "28.5" })).toMatchObject({ status: 0, stdout: "ok" });
    expect(read("engine")).toBe("28.5.2-1");
  });

  it.each<[string, Record<string, string>, Partial<MaintenanceSettings>, RegExp]>([
    [
      "packages of the user's in the way",
      { simulated: "Remv tini [0.19.0-3]\nRemv jq [1.7]" },
      { dockerVersion: "28.5" },
      /would remove these packages.*: jq\n/,
    ],
    ["such a package in the way of all others", { simulated: "Purg jq [1.7]" }, { upgrade: "all" }, /remove.*: jq\n/],
    [
      "a version that cannot be had",
      {},
      { dockerVersion: "29" },
      /Docker 29 cannot be had: docker.io 26.1.5.*could not be fetched/s,
    ],
    ["a version that only begins alike", { versions: "28.51-1" }, { dockerVersion: "28.5" }, /28.5 cannot be had/],
    ["an older version", { versions: "20.10.1-1" }, { dockerVersion: "20" }, /older than what is installed/],
    ["no network", { offline: "" }, { upgrade: "all" }, /E: no network/],
    ["a red verification", { red: "" }, {}, /peers: failed.*not as its policy says/s],
    ["a silent Docker", { silent: "" }, {}, /Docker does not answer/],
  ])("is not begun with %s", (_, files, more, message) => {
    set(files);
    expect(prepare(more)).toMatchObject({ status: 1, stdout: "", stderr: expect.stringMatching(message) });
    expect(read("lib/maintenance")).toBe("");
  });

  it("says what failed and does not restart then, so that the node can go back to work", () => {
    set({ broken: "" });
    expect(work({ upgrade: "docker" })).toMatchObject({ status: 0, stdout: "the upgrade failed: E: it is full" });
    expect(calls(/^dpkg --configure -a/)).toHaveLength(1);
    expect(restarts()).toBe(0);
    expect(verify()).toMatchObject({ status: 0, stdout: "the upgrade failed: E: it is full" });
  });

  it("does not come back unverified, silent or locked", () => {
    work({ reboot: false, upgrade: "docker" });
    set({ red: "" });
    expect(verify()).toMatchObject({ status: 1, stderr: expect.stringMatching(/peers: failed.*stays drained/s) });
    rmSync(join(dir, "red"));
    set({ locked: "" });
    expect(verify()).toMatchObject({ status: 1, stderr: expect.stringMatching(/locked: run 'docker swarm unlock'/) });
    expect(verify("3", { unlockKey: "SWMKEY-1-key" }).status).toBe(0);
    expect(read("calls")).not.toContain("SWMKEY");
    set({ silent: "" });
    expect(verify()).toMatchObject({ status: 1, stderr: expect.stringMatching(/Docker does not answer within 1 s/) });
  });

  it.each([
    [".", /Docker does not answer within 1 s/],
    ["LocalNodeState", /its swarm state is '' after 1 s/],
    ["ControlAvailable", /its swarm state is 'active' after 1 s/],
    ["node ls", /its swarm state is 'active' after 1 s/],
  ])(
    "does not come back where Docker takes a request and does not answer it: %s",
    { timeout: 30_000 },
    (requests, message) => {
      work({ reboot: false, upgrade: "docker" });
      set({ hangs: requests });
      expect(verify()).toMatchObject({ status: 1, stderr: expect.stringMatching(message) });
      expect(calls(/^systemctl (start|restart) docker/)).toEqual([]);
    },
  );

  it("is not begun where Docker does not answer", () => {
    set({ hangs: "info" });
    expect(prepare()).toMatchObject({ status: 1, stderr: expect.stringMatching(/Docker does not answer/) });
  });

  const shellcheck = spawnSync("shellcheck", ["--version"]).status === 0;
  it.skipIf(!shellcheck)("leaves shellcheck nothing to say", () => {
    const plan = { ...settings, dockerVersion: "28.5" };
    const job = /job='([\s\S]*?\n)'\nset -eu/.exec(workProgram(plan))?.[1]?.replaceAll("'\\''", "'") ?? "";
    expect(job).toContain("dist-upgrade");
    // SC2317, SC2329, SC2034: the programs share functions and variables, and not each needs all. SC2016: a program in quotes.
    const options = ["-s", "sh", "-e", "SC2016,SC2317,SC2329,SC2034", "-"];
    for (const input of [
      prepareProgram(plan),
      workProgram(plan),
      job,
      verifyProgram({ ...plan, token: "3", waitSeconds: 1 }),
    ])
      expect(spawnSync("shellcheck", options, { input, encoding: "utf8" }).stdout).toBe("");
  });
});
