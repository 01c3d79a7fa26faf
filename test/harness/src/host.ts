import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Region } from "./region.js";
import { responderBinary } from "./responder.js";

/** A machine of the region, reached as root over SSH with its host key pinned. */
export interface Host {
  readonly address: string;
  readonly hostKey: string;
  /** Runs a shell command; rejects when it fails. */
  ssh(command: string, input?: string): Promise<string>;
  /** Puts a file there. */
  send(file: string, target: string): Promise<void>;
}

/** Waits, at most `seconds`, until a host shows a key of that type, and gives it as `TYPE BASE64`. */
export async function scanHostKey(region: Region, address: string, type: string, seconds = 600): Promise<string> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const scan = await region.exec("ssh-keyscan", ["-T", "5", "-t", type, address], { reject: false });
    const key = /^\S+ (\S+ \S+)$/m.exec(String(scan.stdout))?.[1];
    if (key) return key;
    if (Date.now() > deadline) throw new Error(`${address} showed no ${type} host key within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 3000));
  }
}

/** What every connection waits for at most: one to a machine that was restarted meanwhile would never end by itself. */
const patience = { ConnectTimeout: "20", ServerAliveInterval: "30", ServerAliveCountMax: "6" };
const optionOf = ([name, value]: [string, string | undefined]): string[] => ["-o", `${name}=${value}`];
/** As arguments of `ssh` and `scp`. */
export const patientOptions = Object.entries(patience).flatMap(optionOf);

/** `directory` is for the file of known hosts. */
export function hostAt(region: Region, address: string, hostKey: string, keyFile: string, directory: string): Host {
  mkdirSync(directory, { recursive: true });
  const known = join(directory, `known-${address}`);
  writeFileSync(known, `${address} ${hostKey}\n`);
  const options = Object.entries({
    UserKnownHostsFile: known,
    StrictHostKeyChecking: "yes",
    HostKeyAlgorithms: hostKey.split(" ")[0],
    IdentityFile: keyFile,
    IdentitiesOnly: "yes",
    BatchMode: "yes",
    ...patience,
  }).flatMap(optionOf);
  return {
    address,
    hostKey,
    async ssh(command, input = "") {
      const run = await region.exec("ssh", ["-F", "/dev/null", ...options, `root@${address}`, command], { input });
      return String(run.stdout);
    },
    async send(file, target) {
      await region.exec("scp", ["-q", "-F", "/dev/null", ...options, file, `root@${address}:${target}`], {});
    },
  };
}

/** Puts the responder on a host, as a program and as an image: the region has no registry of images. */
export async function installResponderOn(host: Pick<Host, "ssh" | "send">): Promise<void> {
  await host.send(await responderBinary(), `${responderProgram}.new`);
  await host.ssh(
    `set -eu; chmod 755 ${responderProgram}.new; mv ${responderProgram}.new ${responderProgram}
     tar -C ${responderProgram.slice(0, responderProgram.lastIndexOf("/"))} -c responder |
       docker import --change 'ENTRYPOINT ["/responder"]' - ${responderImage} >/dev/null`,
  );
}

export const responderImage = "hcloud-swarm/responder:local";
export const responderProgram = "/usr/local/bin/responder";
