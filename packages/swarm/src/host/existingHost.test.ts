/** Install and remove, played against a few fake tools, and read by shellcheck. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { agentScript, unitFiles } from "./agentSources";
import { armProgram, installProgram, removeProgram } from "./existingHost";

const shellcheck = spawnSync("shellcheck", ["--version"]).status === 0;
const programs: Record<string, string> = {
  install: installProgram(),
  arm: `set -eu\n${armProgram()}`,
  remove: removeProgram(),
};

describe.skipIf(!shellcheck)("shellcheck", () => {
  it.each(Object.keys(programs))("has nothing to say about %s", (name) => {
    const options = ["--shell=sh", "-"];
    const run = spawnSync("shellcheck", options, { input: programs[name] ?? "", encoding: "utf8" });
    expect(run.stdout).toBe("");
    expect(run.status).toBe(0);
  });
});

describe("on a host", () => {
  let home = "";
  const calls = () => (existsSync(join(home, "calls")) ? readFileSync(join(home, "calls"), "utf8") : "");
  const fake = (name: string, body = "") => {
    writeFileSync(join(home, "bin", name), `#!/bin/sh\necho "${name} $*" >>"${home}/calls"\n${body}\n`);
    chmodSync(join(home, "bin", name), 0o755);
  };
  /** Every absolute path of the host becomes one below `home`. */
  const run = (program: string) =>
    spawnSync("sh", ["-s"], {
      input: program.replace(/(?<![\w}$".])\/(opt|etc|var)\//g, `${home}/$1/`),
      encoding: "utf8",
      env: { ...process.env, PATH: `${join(home, "bin")}:${process.env.PATH}` },
    });

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "host-"));
    for (const folder of ["bin", "opt"]) {
      mkdirSync(join(home, folder), { recursive: true });
    }
    for (const name of [
      "systemctl",
      "journalctl",
      "systemd-run",
      "ipset",
      "conntrack",
      "iptables-nft",
      "ip6tables-nft",
    ])
      fake(name);
    for (const name of ["iptables", "ip6tables"]) fake(name, "echo 'v1.8.11 (nf_tables)'");
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  describe("install and remove", () => {
    it("puts all files there, then takes them away, and never stops or restarts Docker", () => {
      expect(run(installProgram())).toMatchObject({ status: 0, stdout: "" });
      // Until a policy is confirmed, neither a boot nor a start of Docker loads anything.
      expect(existsSync(join(home, "etc/systemd/system/docker.service.d"))).toBe(false);
      expect(calls()).not.toMatch(/ (enable|start|restart) /);
      expect(existsSync(join(home, "var/lib/hcloud-iptables"))).toBe(true);
      expect(run(`set -eu\n${armProgram()}`)).toMatchObject({ status: 0, stdout: "" });
      expect(readFileSync(join(home, "opt/hcloud-iptables.sh"), "utf8")).toBe(agentScript);
      expect(statSync(join(home, "opt/hcloud-iptables.sh")).mode & 0o777).toBe(0o755);
      for (const [name, text] of Object.entries(unitFiles)) {
        const folder = name.endsWith(".conf") ? "docker.service.d/" : "";
        expect(readFileSync(join(home, "etc/systemd/system", folder, name), "utf8")).toBe(text);
      }
      expect(calls()).toContain("systemctl start hcloud-iptables.service hcloud-iptables-check.timer");
      fake("../opt/hcloud-iptables.sh");
      expect(run(removeProgram()).status).toBe(0);
      expect(calls()).toContain("hcloud-iptables.sh remove");
      expect(calls()).toContain("systemctl unmask nftables.service");
      expect(readdirSync(join(home, "opt"))).toEqual([]);
      expect(readdirSync(join(home, "etc/systemd/system"))).toEqual([]);
      expect(calls()).not.toMatch(/systemctl (re)?st(art|op) docker/);
    });

    it("refuses a host with the other backend before it changes anything", () => {
      fake("ip6tables", "echo 'v1.8.11 (legacy)'");
      const { status, stderr } = run(installProgram());
      expect(status).toBe(1);
      expect(stderr).toContain("ip6tables is not of the nf_tables kind");
      expect(readdirSync(join(home, "opt"))).toEqual([]);
    });

    it.each([
      ["of another number", "echo 5789", 1],
      ["of Docker's own number", "echo 4789", 0],
      ["that a worker does not know", "echo", 0],
      ["that a Docker that is down does not tell", "exit 1", 0],
    ])("takes a swarm with a data path %s as it can", (_, docker, status) => {
      fake("docker", docker);
      const done = run(installProgram());
      expect(done.status).toBe(status);
      expect(done.stderr.includes("the data path of this swarm is UDP 5789")).toBe(status === 1);
      expect(readdirSync(join(home, "opt"))).toEqual(status === 1 ? [] : ["hcloud-iptables.sh"]);
    });
  });
});
