import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ReachableHost, sshConfig } from "./sshConfig";
import { bootstrapHostKey } from "./sshKey";

let dir: string;
const serverKey = bootstrapHostKey("test", "test", "server");
const otherKey = bootstrapHostKey("test", "test", "other");
const clientKey = bootstrapHostKey("test", "test", "client");

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "ssh-config-"));
  // sshd wants its separation directory even for one connection on standard input.
  mkdirSync("/run/sshd", { recursive: true });
  const files = { server: serverKey.privateKey, client: clientKey.privateKey, authorized: clientKey.publicKey };
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(dir, name), `${text.trimEnd()}\n`);
    chmodSync(join(dir, name), 0o600);
  }
  writeFileSync(
    join(dir, "sshd_config"),
    `HostKey ${join(dir, "server")}\nAuthorizedKeysFile ${join(dir, "authorized")}\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n`,
  );
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const host: ReachableHost = {
  name: "prod-manager-1",
  address: "203.0.113.7",
  port: 22,
  user: userInfo().username,
  hostKey: serverKey.publicKey,
};

function ssh(hosts: readonly ReachableHost[], sshdOptions = "") {
  const config = join(dir, "config");
  writeFileSync(config, sshConfig(hosts));
  const proxy = `ProxyCommand=/usr/sbin/sshd -i -f ${join(dir, "sshd_config")} ${sshdOptions}`;
  const options = ["-F", config, "-i", join(dir, "client"), "-o", "BatchMode=yes", "-o", proxy];
  return spawnSync("ssh", [...options, host.name, "echo in"], { encoding: "utf8" });
}

describe("sshConfig", () => {
  it("lets ssh in where the server has the pinned key, with no known_hosts file", () => {
    expect(ssh([host])).toMatchObject({ status: 0, stdout: "in\n" });
  });

  it("leads over another host of the file where it is told to", () => {
    const file = join(dir, "jump");
    const [bastion, hidden] = [
      { ...host, name: "bastion" },
      { ...host, name: "hidden", address: "10.0.0.3", jump: "bastion" },
    ];
    writeFileSync(file, sshConfig([bastion, hidden]));
    const asked = (name: string) => spawnSync("ssh", ["-F", file, "-G", name], { encoding: "utf8" }).stdout;
    expect(asked("hidden")).toMatch(/^hostname 10\.0\.0\.3$/m);
    expect(asked("hidden")).toMatch(/^proxyjump bastion$/m);
    expect(asked("bastion")).not.toMatch(/^proxyjump/m);
  });

  it("keeps ssh out where the server has another key", () => {
    const done = ssh([{ ...host, hostKey: otherKey.publicKey }]);
    expect(done).toMatchObject({ status: 255, stdout: "" });
    expect(done.stderr).toMatch(/Host key verification failed/);
  });

  it.each(["rsa", "ecdsa"])("lets ssh in where a host that was there has an %s key beside others", (kind) => {
    const file = join(dir, kind);
    spawnSync("ssh-keygen", ["-q", "-t", kind, "-N", "", "-C", "a comment", "-f", file]);
    const hostKey = readFileSync(`${file}.pub`, "utf8");
    expect(ssh([{ ...host, hostKey }], `-h ${file}`)).toMatchObject({ status: 0, stdout: "in\n" });
    expect(ssh([{ ...host, hostKey }])).toMatchObject({ status: 255, stdout: "" });
  });

  it("has one block a host", () => {
    expect(sshConfig([host, { ...host, name: "prod-worker-1", port: 2222 }]).match(/^Host .*|^ {2}Port .*/gm)).toEqual([
      "Host prod-manager-1",
      "  Port 22",
      "Host prod-worker-1",
      "  Port 2222",
    ]);
  });
});
