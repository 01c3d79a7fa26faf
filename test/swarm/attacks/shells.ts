/** Root shells on the attacked machines: one SSH connection to each, shared, for a handshake costs emulated machines seconds. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { outsideNamespace } from "../../../packages/region/src/network/names.js";
import type { AttackedCluster } from "./cluster.js";

/** At once on one machine. sshd lets ten sessions share a connection, and emulated machines are no quicker with more. */
const sessions = 6;

export class Shells {
  readonly #running = new Map<string, number>();
  readonly #waiting = new Map<string, (() => void)[]>();
  readonly #sockets = mkdtempSync(join(tmpdir(), "attacks-"));
  readonly #namespace: string;
  readonly #targets: ReadonlyMap<string, readonly string[]>;

  constructor({ region, stack, cluster, stranger }: AttackedCluster) {
    this.#namespace = outsideNamespace(region.name);
    const common = ["-i", stranger.keyFile, "-o", "BatchMode=yes", "-o", "ConnectTimeout=60", "-o", "LogLevel=ERROR"];
    const pinned = ["-F", join(stack.stateDir, "ssh_config"), ...common];
    // Nobody pinned the stranger's key: it is no node.
    const unknown = [...common, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"];
    this.#targets = new Map([
      ...cluster.nodes.map(({ name }) => [name, [...pinned, name]] as const),
      ["stranger", [...unknown, `root@${stranger.publicIpv4}`]],
    ]);
  }

  /** Runs a shell command and gives what it printed; rejects when it fails. */
  async run(name: string, command: string, input = ""): Promise<string> {
    await this.#turn(name);
    try {
      const run = await this.outside("ssh", [...this.#control(name), ...this.#target(name), command], input);
      return run.stdout;
    } finally {
      this.#running.set(name, (this.#running.get(name) ?? 1) - 1);
      this.#waiting.get(name)?.shift()?.();
    }
  }

  /** Waits until the machine has room for one more session, and takes it. */
  async #turn(name: string): Promise<void> {
    while ((this.#running.get(name) ?? 0) >= sessions)
      await new Promise<void>((resolve) => this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), resolve]));
    this.#running.set(name, (this.#running.get(name) ?? 0) + 1);
  }

  /** Runs a command on the outside machine. */
  outside(command: string, args: readonly string[], input = "") {
    return execa("ip", ["netns", "exec", this.#namespace, command, ...args], { input });
  }

  /** Connections anew to all, or to one machine: those of before a restored checkpoint or a reboot lead nowhere. */
  async reconnect(only?: string): Promise<void> {
    const names = [...this.#targets.keys()].filter((name) => name === (only ?? name));
    await Promise.all(
      names.map(async (name) => {
        await this.disconnect(name);
        // A lost machine must be noticed soon; without the shared connection each command dials for itself.
        const alive = ["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=6"];
        const args = ["-M", "-N", "-f", ...this.#control(name), ...alive, ...this.#target(name)];
        await execa("ip", ["netns", "exec", this.#namespace, "ssh", ...args], { stdio: "ignore" });
      }),
    );
  }

  async disconnect(name: string): Promise<void> {
    const args = ["-O", "exit", ...this.#control(name), ...this.#target(name)];
    await execa("ip", ["netns", "exec", this.#namespace, "ssh", ...args], { reject: false, timeout: 10_000 });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#targets.keys()].map((name) => this.disconnect(name)));
  }

  #control(name: string): string[] {
    return ["-S", join(this.#sockets, name)];
  }

  #target(name: string): readonly string[] {
    const target = this.#targets.get(name);
    if (!target) throw new Error(`there is no machine ${name}`);
    return target;
  }
}
