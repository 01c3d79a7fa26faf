import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "./stack.mjs";

/**
 * A real OpenSSH server on the loopback address, with keys and configuration of its own. `changeHostKey` gives the key that it has from
 * then on; `close` ends it.
 */
export async function startSshd() {
  const program = "/usr/sbin/sshd";
  if (!existsSync(program)) throw new Error("this test needs sshd (Debian: openssh-server)");
  const dir = mkdtempSync(join(tmpdir(), "engine-sshd-"));
  const key = (name) => {
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", join(dir, name)]);
    return [readFileSync(join(dir, name), "utf8"), readFileSync(join(dir, `${name}.pub`), "utf8").trim()];
  };
  const [, hostKey] = key("host");
  const [privateKey, publicKey] = key("user");
  writeFileSync(join(dir, "authorized_keys"), `${publicKey}\n`);
  const port = await freePort();
  const config = [
    "ListenAddress 127.0.0.1",
    `Port ${port}`,
    `HostKey ${join(dir, "host")}`,
    `AuthorizedKeysFile ${join(dir, "authorized_keys")}`,
    "PidFile none",
    "StrictModes no",
    "UsePAM no",
    "PermitRootLogin yes",
    "PasswordAuthentication no",
  ];
  writeFileSync(join(dir, "sshd_config"), `${config.join("\n")}\n`);
  // sshd refuses to start as root without it.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
  const child = spawn(program, ["-D", "-e", "-f", join(dir, "sshd_config")], { stdio: "ignore" });
  const close = async () => {
    const ended = new Promise((done) => child.once("exit", done));
    if (child.exitCode === null && child.kill("SIGTERM")) await ended;
    rmSync(dir, { recursive: true, force: true });
  };
  for (let tries = 0; !(await answers(port)); tries += 1) {
    if (tries === 200 || child.exitCode !== null) {
      await close();
      throw new Error("sshd does not start");
    }
    await sleep(50);
  }
  const changeHostKey = async () => {
    for (const name of ["host", "host.pub"]) rmSync(join(dir, name));
    const [, changed] = key("host");
    // It starts itself anew, with everything read again.
    child.kill("SIGHUP");
    for (let tries = 0; shownBy(port) !== changed; tries += 1) {
      if (tries === 200) throw new Error("sshd does not show its new key");
      await sleep(50);
    }
    return changed;
  };
  return {
    connection: { host: "127.0.0.1", port, user: userInfo().username, privateKey, hostKey },
    changeHostKey,
    close,
  };
}

function shownBy(port) {
  const { stdout } = spawnSync("ssh-keyscan", ["-p", String(port), "-t", "ed25519", "127.0.0.1"], { encoding: "utf8" });
  return /^\S+ (ssh-ed25519 \S+)$/m.exec(stdout)?.[1];
}

function answers(port) {
  return new Promise((done) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      done(true);
    });
    socket.on("error", () => done(false));
  });
}
