/** What the agent does to `daemon.json` before Docker starts, by Docker's version: with a stand-in for `dockerd`. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { agentScript } from "./agentSources";
import { daemonJson, versionedOptions } from "./dockerOptions";

const debian12 = "Docker version 20.10.24+dfsg1, build 297e128";
const debian13 = "Docker version 26.1.5+dfsg1, build a72d7cd";
const sid = "Docker version 28.5.2+dfsg4, build ecc6942";
const docker29 = "Docker version 29.0.0, build 3d4129b";
const overlays = { overlay: { "com.docker.network.driver.mtu": "1450" } };

let home: string;
const path = (...parts: string[]) => join(home, "root", ...parts);
const daemonFile = () => path("etc/docker/daemon.json");
const text = () => readFileSync(daemonFile(), "utf8");
const daemon = () => JSON.parse(text()) as Record<string, unknown>;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "docker-options-"));
  for (const folder of ["bin", "root/etc/docker", "root/etc/hcloud-iptables"])
    mkdirSync(join(home, folder), { recursive: true });
  writeFileSync(join(home, "agent.sh"), agentScript);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** A fresh server's files, as user-data brings them. */
function fresh(asked: Record<string, unknown> = {}): void {
  writeFileSync(daemonFile(), daemonJson(asked));
  writeFileSync(path("etc/hcloud-iptables/docker-options"), versionedOptions(asked));
}

function start(version: string, environment: Record<string, string> = {}) {
  writeFileSync(
    join(home, "bin/dockerd"),
    `#!/bin/sh\n[ "$*" = --version ] || exit 9\n${version === "" ? "exit 1" : `echo '${version}'`}\n`,
    { mode: 0o755 },
  );
  return spawnSync("sh", [join(home, "agent.sh"), "prepare-docker"], {
    encoding: "utf8",
    env: { ...process.env, HC_ROOT: join(home, "root"), HC_PATH: join(home, "bin"), ...environment },
  });
}
const started = (version: string, environment?: Record<string, string>) => {
  const run = start(version, environment);
  expect(run.stderr).not.toMatch(/FAILED|refused/);
  expect(run.status, run.stderr).toBe(0);
};

describe("prepare-docker", () => {
  it.each([
    ["20.10", debian12, {}],
    ["26.1", debian13, { "default-network-opts": overlays }],
    ["28.5", sid, { "default-network-opts": overlays }],
    ["29.0", docker29, { "default-network-opts": overlays, "firewall-backend": "iptables" }],
  ])("gives Docker %s the options that it knows", (_name, version, added) => {
    fresh();
    started(version);
    expect(daemon()).toEqual({
      "log-driver": "json-file",
      "log-opts": { "max-size": "10m", "max-file": "3" },
      ...added,
    });
    const before = text();
    started(version);
    expect(text()).toBe(before);
  });

  it("follows an upgrade and the way back, and leaves what was there before", () => {
    fresh({ mtu: 1400 });
    const before = text();
    for (const version of [debian12, sid, docker29, debian13, docker29]) started(version);
    expect(daemon()).toMatchObject({ mtu: 1400, "firewall-backend": "iptables", "default-network-opts": overlays });
    started(debian12);
    expect(text()).toBe(before);
  });

  it.each([
    ["no file", undefined],
    ["an empty file", ""],
    ["an empty object", "{}\n"],
    ["an object on one line", '{"debug": true}'],
    ["an object that begins late", '\n  { "debug": true,\n "log-opts": {} }\n'],
  ])("can do with %s", (_name, given) => {
    if (given !== undefined) writeFileSync(daemonFile(), given);
    started(docker29);
    const asked = given?.includes("debug") ? { debug: true } : {};
    expect(daemon()).toMatchObject({ "firewall-backend": "iptables", ...asked });
    started(docker29);
    started(sid);
    expect(daemon()).not.toHaveProperty("firewall-backend");
    expect(daemon()).toMatchObject(asked);
  });

  it("touches nothing where the version needs nothing", () => {
    started(sid);
    expect(existsSync(daemonFile())).toBe(false);
  });

  it("leaves to the user what the user has set, in the file or on the command line", () => {
    fresh({ "default-network-opts": { bridge: { "com.docker.network.driver.mtu": "1400" } } });
    started(docker29, { DOCKER_OPTS: "--firewall-backend=iptables" });
    expect(daemon()).toMatchObject({ "default-network-opts": { bridge: { "com.docker.network.driver.mtu": "1400" } } });
    expect(daemon()).not.toHaveProperty("firewall-backend");
  });

  it("keeps the file's permissions", () => {
    fresh();
    spawnSync("chmod", ["600", daemonFile()]);
    started(docker29);
    expect(statSync(daemonFile()).mode & 0o777).toBe(0o600);
  });

  it.each([
    ["the file", { "firewall-backend": "nftables" }, {}],
    ["the command line", {}, { DOCKER_OPTS: "--firewall-backend=nftables" }],
    ["the environment", {}, { DOCKER_FIREWALL_BACKEND: "nftables" }],
  ])("does not let Docker start with another backend, set in %s", (_name, options, environment) => {
    writeFileSync(daemonFile(), JSON.stringify(options));
    const before = text();
    const run = start(docker29, environment as Record<string, string>);
    expect(run.status).toBe(4);
    expect(run.stderr).toContain("Docker is told to filter with nftables");
    expect(text()).toBe(before);
  });

  it("does not let a Docker start that does not tell its version, or whose file is no object", () => {
    fresh();
    const before = text();
    expect(start("").status).toBe(4);
    expect(start("Docker version unknown").stderr).toContain("does not tell its version");
    expect(text()).toBe(before);
    writeFileSync(daemonFile(), "[]");
    expect(start(docker29).stderr).toContain("not a JSON object");
  });
});

describe("daemonJson", () => {
  it("sets the options of its own log driver only", () => {
    expect(JSON.parse(daemonJson({}))).toEqual({
      "log-driver": "json-file",
      "log-opts": { "max-size": "10m", "max-file": "3" },
    });
    expect(JSON.parse(daemonJson({ "log-driver": "journald" }))).toEqual({ "log-driver": "journald" });
    expect(JSON.parse(daemonJson({ "log-opts": { "max-size": "1m" } }))).toEqual({
      "log-driver": "json-file",
      "log-opts": { "max-size": "1m" },
    });
  });

  it("hands the agent what not every version knows", () => {
    expect(versionedOptions({})).toBe(`24 default-network-opts ${JSON.stringify(overlays)}\n`);
    expect(versionedOptions({ "default-network-opts": {} })).toBe("");
  });
});
