/** One machine's QEMU process: from start to end. Disks and records are the caller's. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type { PrivateInterface } from "../backend.js";
import { privateTap } from "../network/names.js";
import { BootShare } from "./bootShare.js";
import {
  type MachinePaths,
  privateBus,
  privateDevice,
  privateNetdev,
  type QemuOptions,
  qemuArguments,
  volumeBlocks,
  volumeController,
  volumeDevice,
  volumeNode,
} from "./qemuArguments.js";
import { askAgent, Qmp } from "./qmp.js";

export class Machine {
  readonly #child: ChildProcess;
  readonly #qmp: Qmp;
  readonly #paths: MachinePaths;
  readonly #ended: Promise<void>;
  readonly #share: BootShare | undefined;

  private constructor(child: ChildProcess, qmp: Qmp, paths: MachinePaths, ended: Promise<void>, isEmulated: boolean) {
    this.#child = child;
    this.#qmp = qmp;
    this.#paths = paths;
    this.#ended = ended;
    this.#share = isEmulated && child.pid !== undefined ? new BootShare(child.pid, paths.console) : undefined;
    this.#share?.begin();
    void ended.then(() => this.#share?.forget());
    qmp.onEvent((event) => {
      if (event === "RESET") this.#share?.begin();
    });
  }

  /** Starts QEMU with the guest held still; {@link Machine.run} lets it go. `errors` is the file for what QEMU says. */
  static async start(options: QemuOptions, errors: string): Promise<Machine> {
    const { paths } = options;
    mkdirSync(dirname(paths.qmp), { recursive: true });
    for (const socket of [paths.qmp, paths.agent]) rmSync(socket, { force: true });
    const log = openSync(errors, "w");
    // The kernel ends QEMU when the daemon dies, however it dies: no machine outlives its region.
    const args = ["--pdeathsig", "KILL", "--", "qemu-system-x86_64", ...qemuArguments(options)];
    const child = spawn("setpriv", args, { stdio: ["ignore", log, log], detached: true });
    closeSync(log);
    const ended = new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
    try {
      const alive = () => child.exitCode === null && child.signalCode === null && child.pid !== undefined;
      const qmp = await Qmp.connect(paths.qmp, alive);
      return new Machine(child, qmp, paths, ended, options.accelerator.kind === "tcg");
    } catch (error) {
      child.kill("SIGKILL");
      await ended;
      throw new Error(`QEMU did not start (${error instanceof Error ? error.message : error}): see ${errors}`);
    }
  }

  /** Resolves when the process has ended, for whatever reason. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  async run(): Promise<void> {
    await this.#qmp.execute("cont");
  }

  /** Cuts the power. */
  async kill(): Promise<void> {
    // On SIGTERM QEMU writes out its own view of the disk, which no power cut would take from a real server either.
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
    await this.#ended;
    clearTimeout(timer);
    this.#qmp.close();
    for (const socket of [this.#paths.qmp, this.#paths.agent]) rmSync(socket, { force: true });
  }

  async pressPower(): Promise<void> {
    await this.#qmp.execute("system_powerdown");
  }

  async reset(): Promise<void> {
    await this.#qmp.execute("system_reset");
  }

  /** Asks the guest's agent to reboot; false when it does not answer. */
  async askReboot(): Promise<boolean> {
    if ((await askAgent(this.#paths.agent, "guest-ping")) === undefined) return false;
    // A guest that reboots may or may not answer: having asked is enough.
    await askAgent(this.#paths.agent, "guest-shutdown", { mode: "reboot" }, 1_000);
    return true;
  }

  /** Sets the guest's clock to now; false when the agent does not answer within a minute, for emulated guests are slow to wake. */
  async setClock(): Promise<boolean> {
    const time = Date.now() * 1_000_000;
    return (await askAgent(this.#paths.agent, "guest-set-time", { time }, 60_000)) !== undefined;
  }

  /** Hot-plugs an interface in two steps, between which the caller moves its tap where it belongs. */
  async addTap(serverId: number, { networkId }: PrivateInterface): Promise<void> {
    await this.#qmp.execute("netdev_add", {
      type: "tap",
      id: privateNetdev(networkId),
      ifname: privateTap(serverId, networkId),
      script: "no",
      downscript: "no",
    });
  }

  async addNic({ networkId, mac }: PrivateInterface, slot: number): Promise<void> {
    await this.#qmp.execute("device_add", {
      driver: "virtio-net-pci",
      id: privateDevice(networkId),
      netdev: privateNetdev(networkId),
      mac,
      bus: privateBus(slot),
      romfile: "",
    });
  }

  async removeNic(networkId: number): Promise<void> {
    await this.#unplug(privateDevice(networkId));
    await this.#qmp.execute("netdev_del", { id: privateNetdev(networkId) });
  }

  /** Unplugs a device. Waits until the guest has let go of it, at most 30 s: then the cable is cut all the same. */
  async #unplug(device: string): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      this.#qmp.onEvent((event, data) => {
        if (event === "DEVICE_DELETED" && data.device === device) resolve();
      });
    });
    await this.#qmp.execute("device_del", { id: device });
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([gone, new Promise<void>((resolve) => (timer = setTimeout(resolve, 30_000)))]);
    clearTimeout(timer);
  }

  /** Hot-plugs a Volume, the first one with its controller. */
  async addVolume(volumeId: number, slot: number, isFirst: boolean): Promise<void> {
    if (isFirst) await this.#qmp.execute("device_add", volumeController);
    await this.#qmp.execute("blockdev-add", volumeBlocks(volumeId, this.#paths.volume(volumeId)));
    await this.#qmp.execute("device_add", volumeDevice(volumeId, slot));
  }

  async removeVolume(volumeId: number, slot: number): Promise<void> {
    await this.#unplug(volumeDevice(volumeId, slot).id);
    await this.#qmp.execute("blockdev-del", { "node-name": volumeNode(volumeId) });
  }

  /** Makes a Volume's disk larger under the guest; `size` is in bytes. */
  async growVolume(volumeId: number, size: number): Promise<void> {
    await this.#qmp.execute("block_resize", { "node-name": volumeNode(volumeId), size });
  }

  /** Keeps memory and disk under a name; the guest stands still meanwhile. */
  async save(snapshot: string): Promise<void> {
    await this.#qmp.execute("stop");
    try {
      await this.#qmp.human(`savevm ${snapshot}`, 300_000);
    } finally {
      await this.#qmp.execute("cont");
    }
  }

  async load(snapshot: string): Promise<void> {
    await this.#qmp.human(`loadvm ${snapshot}`, 300_000);
    // In the middle of its life, and not at its boot.
    this.#share?.end();
  }

  async deleteSnapshot(snapshot: string): Promise<void> {
    await this.#qmp.human(`delvm ${snapshot}`, 300_000);
  }
}
