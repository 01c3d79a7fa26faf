import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { cloudConfigOf, filesOf as filesIn } from "../testing/userDataFiles";
import { type Additions, noAdditions, reservedPackage, reservedPath } from "./additions";
import { setupProgram, setupStamp } from "./setup";
import { userData, userDataBytes, userDataLimit } from "./userData";

const plan = {
  hostKey: { privateKey: "x\n", publicKey: "ssh-ed25519 AAAA" },
  payload: "### hcloud-swarm payload 1\n### end\n",
  sshPort: 22,
  docker: { channel: "debian", daemonOptions: {} },
} as const;
interface Written {
  readonly path: string;
  readonly permissions: string;
  readonly encoding?: string;
  readonly content: string;
}
const filesOf = (additions: Partial<Additions>): Written[] =>
  (parse(userData({ ...plan, additions: { ...noAdditions, ...additions } })) as { write_files: Written[] }).write_files;
const textOf = ({ encoding, content }: Written): string =>
  encoding === undefined ? content : gunzipSync(Buffer.from(content, "base64")).toString();

describe("additions in user-data", () => {
  it("change nothing where there are none", () => {
    expect(userData({ ...plan, additions: noAdditions })).toBe(userData(plan));
    expect(setupProgram({ channel: "debian", additions: noAdditions })).toBe(setupProgram({ channel: "debian" }));
  });

  it("are files after the component's own, as they are or packed, whichever is shorter", () => {
    const long = "a line that comes again\n".repeat(400);
    const added = filesOf({
      writeFiles: [
        { path: "/etc/motd", content: "hello\n", permissions: "0644" },
        { path: "/opt/long", content: long, permissions: "0700" },
      ],
    }).slice(-2);
    expect(added.map(({ path, permissions, encoding }) => [path, permissions, encoding])).toEqual([
      ["/etc/motd", "0644", undefined],
      ["/opt/long", "0700", "gz+b64"],
    ]);
    expect(added.map(textOf)).toEqual(["hello\n", long]);
  });

  it("are packed with everything else where they would not fit", () => {
    const noiseOf = (length: number) => Array.from({ length }, (_, i) => ((i * 7919) % 9973).toString(36)).join("");
    const withNoise = (content: string) => ({
      ...noAdditions,
      writeFiles: [{ path: "/opt/noise", content, permissions: "0600" }],
    });
    // The least that does not fit as it is.
    let length = 100;
    while (userData({ ...plan, additions: withNoise(noiseOf(length)) }).startsWith("#")) length += 20;
    const noise = noiseOf(length);
    const additions = withNoise(noise);
    const text = userData({ ...plan, additions });
    expect(text).toMatch(/^[A-Za-z0-9+/]+=*$/);
    expect(Buffer.byteLength(text)).toBe(userDataBytes({ ...plan, additions }));
    expect(cloudConfigOf(text)).toMatch(/^#cloud-config\n/);
    expect([...filesIn(text)]).toEqual([...filesIn(userData(plan)), ["/opt/noise", noise]]);
    const modes = (some: string) =>
      (parse(cloudConfigOf(some)) as { write_files: Written[] }).write_files.map((file) => file.permissions);
    expect(modes(text)).toEqual([...modes(userData(plan)), "0600"]);
  });

  it("are never longer packed with everything else than as they are, so that what is refused could not fit", () => {
    const content = fc.oneof(
      fc.string({ maxLength: 1500 }),
      fc.string({ unit: "binary", maxLength: 500 }),
      fc.base64String(),
    );
    fc.assert(
      fc.property(content, fc.array(fc.string({ maxLength: 60 }), { maxLength: 4 }), (text, runcmd) => {
        const writeFiles = [{ path: "/etc/any", content: text, permissions: "0644" }];
        const given = { ...plan, additions: { packages: ["jq"], writeFiles, runcmd } };
        expect(userDataBytes(given)).toBeLessThanOrEqual(Buffer.byteLength(userData(given)));
      }),
    );
  });

  it("keep every text as it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (content) => {
        const last = filesOf({ writeFiles: [{ path: "/etc/any", content, permissions: "0644" }] }).at(-1);
        expect(last && textOf(last)).toBe(content);
      }),
    );
  });

  it("leave no key of cloud-init's that the component has not", () => {
    const config = (additions: Additions) => Object.keys(parse(userData({ ...plan, additions })) as object);
    expect(config({ packages: ["jq"], writeFiles: [], runcmd: ["true"] })).toEqual(config(noAdditions));
  });

  it("keep commands from other users' eyes", () => {
    const permissions = (runcmd: string[]) =>
      filesOf({ runcmd }).find((file) => file.path === "/opt/hcloud-swarm-setup.sh")?.permissions;
    expect([permissions([]), permissions(["true"])]).toEqual(["0755", "0700"]);
  });

  it("are counted and refused when they are too long", () => {
    const noise = Array.from({ length: 9000 }, (_, i) => ((i * 7919) % 9973).toString(36)).join("");
    const additions = { ...noAdditions, writeFiles: [{ path: "/etc/any", content: noise, permissions: "0644" }] };
    const bytes = userDataBytes({ ...plan, additions });
    expect(bytes).toBeGreaterThan(userDataLimit);
    expect(() => userData({ ...plan, additions })).toThrow(`user-data has ${bytes} bytes, packed,`);
  });
});

describe("what is not to be added", () => {
  it.each([
    "/etc/hcloud-iptables/payload",
    "/etc/ssh/sshd_config.d/99.conf",
    "/etc/docker/daemon.json",
    "/opt/hcloud-iptables.sh",
    "/root/.ssh/authorized_keys",
    "/etc/cloud/cloud.cfg.d/99.cfg",
    "/etc/systemd/system/docker.service.d/override.conf",
    "/etc/systemd/system/hcloud-iptables.service",
    "/var/lib/hcloud-swarm/setup-done",
  ])("%s", (path) => expect(path).toMatch(reservedPath));
  it.each([
    "/etc/docker/certs.d/mirror/ca.crt",
    "/etc/sysctl.d/60.conf",
    "/opt/backup.sh",
    "/etc/systemd/system/mine.service",
  ])("but %s", (path) => expect(path).not.toMatch(reservedPath));
  it.each(["ufw", "firewalld", "iptables-persistent", "docker.io", "docker-ce=5:28", "containerd.io"])("%s", (name) =>
    expect(name).toMatch(reservedPackage),
  );
  it.each(["jq", "docker-compose", "ufw-extras", "fail2ban"])("but %s", (name) =>
    expect(name).not.toMatch(reservedPackage),
  );
});

describe("the setup with additions, run with stand-ins", () => {
  let home = "";
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "additions-"));
    for (const name of ["apt-get", "update-alternatives", "systemctl", "apt-cache"]) {
      const fails = name === "apt-get" ? 'case "$*" in *missing*) exit 100 ;; esac' : "";
      const version = name === "apt-cache" ? "echo 'Version: 26.1.5'" : "";
      writeFileSync(join(home, name), `#!/bin/sh\necho "${name} $*" >>"${home}/log"\n${fails}\n${version}\n`, {
        mode: 0o755,
      });
    }
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  function run(additions: Partial<Additions>) {
    const text = setupProgram({ channel: "debian", additions: { ...noAdditions, ...additions } });
    const input = text.replaceAll(setupStamp.replace("/setup-done", ""), join(home, "var"));
    const { status, stderr } = spawnSync("sh", ["-s"], {
      input,
      cwd: home,
      env: { PATH: `${home}:/usr/bin:/bin` },
      encoding: "utf8",
    });
    const log = readFileSync(join(home, "log"), "utf8").trim().split("\n");
    return { status, stderr, log, isDone: existsSync(join(home, "var", "setup-done")) };
  }

  it("installs packages and runs commands when Docker runs, each as it is written", () => {
    const { status, log, isDone } = run({
      packages: ["jq", "htop=3.2.2-2"],
      runcmd: ['echo "one it\'s $((1 + 1))" >>log', "cd / && cat", "echo two >>log"],
    });
    expect({ status, isDone }).toEqual({ status: 0, isDone: true });
    const docker = log.findIndex((line) => line.startsWith("systemctl start docker.service"));
    expect(docker).toBeGreaterThan(0);
    expect(log.slice(docker + 1).map((line) => line.replace(/^apt-get .* install/, "install"))).toEqual([
      "install --no-install-recommends jq htop=3.2.2-2",
      "one it's 2",
      "two",
    ]);
  });

  it("is not done when a command fails, says which, and does not print it", () => {
    const done = run({ runcmd: ["true", "secret=hunter2; exit 3", "echo never >>log"] });
    expect(done).toMatchObject({
      status: 1,
      isDone: false,
      stderr: expect.stringMatching(/cloudInit\.runcmd\[1\] ended with status 3/),
    });
    expect(done.stderr).not.toContain("hunter2");
    expect(done.log).not.toContain("never");
  });

  it("is not done when a package cannot be had", () => {
    const done = run({ packages: ["missing"], runcmd: ["echo never >>log"] });
    expect(done).toMatchObject({ status: 1, isDone: false, stderr: expect.stringMatching(/packages of cloudInit/) });
    expect(done.log).not.toContain("never");
  });

  const shellcheck = spawnSync("shellcheck", ["--version"]).status === 0;
  it.skipIf(!shellcheck)("leaves shellcheck nothing to say", () => {
    const input = setupProgram({
      channel: "debian",
      additions: { packages: ["jq"], writeFiles: [], runcmd: ["it's"] },
    });
    const check = spawnSync("shellcheck", ["-s", "sh", "-e", "SC1091,SC2086", "-"], { input, encoding: "utf8" });
    expect(check.stdout).toBe("");
  });
});
