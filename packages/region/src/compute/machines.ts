/** All machines of a region: their directories, disks and processes. Implements the machines' half of the backend. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { MachineSpec, PowerState, PrivateInterface, PublicInterface } from "../backend.js";
import { type BootableImage, imageIn } from "../images/store.js";
import type { Layout } from "../layout.js";
import type { Router } from "../network/router.js";
import { run } from "../support/command.js";
import { writeFileAtomically } from "../support/files.js";
import { Serial } from "../support/serial.js";
import { Machine } from "./machine.js";
import type { Accelerator, Limits, MachinePaths } from "./qemuArguments.js";
import { type MachineRecord, machineRecord } from "./record.js";
import { freeSlot, freeVolumeSlot, recordOf } from "./slots.js";

const GIB = 2 ** 30;

export interface MachinesOptions {
  readonly layout: Layout;
  readonly router: Router;
  readonly accelerator: Accelerator;
  readonly limits: Limits;
  readonly image: (name: string) => BootableImage;
  /** Where a Volume's disk is. */
  readonly volume: (volumeId: number) => string;
  /** Whether a disk of a server must be kept because a checkpoint names it. */
  readonly isKept: (serverId: number, disk: string) => boolean;
}

interface Entry {
  record: MachineRecord;
  machine: Machine | undefined;
  /** Set while a soft reboot without agent waits for the guest to power off. */
  restart: boolean;
  readonly serial: Serial;
}

export class Machines {
  readonly #options: MachinesOptions;
  readonly #entries = new Map<number, Entry>();

  constructor(options: MachinesOptions) {
    this.#options = options;
    mkdirSync(options.layout.servers, { recursive: true });
  }

  directory(serverId: number): string {
    return join(this.#options.layout.servers, String(serverId));
  }

  paths(record: MachineRecord): MachinePaths {
    const directory = this.directory(record.spec.serverId);
    return {
      disk: join(directory, record.disk),
      volume: this.#options.volume,
      qmp: join(directory, "qmp.sock"),
      agent: join(directory, "agent.sock"),
      console: join(directory, "console.log"),
    };
  }

  list(): { readonly record: MachineRecord; readonly running: boolean }[] {
    return [...this.#entries.values()].map(({ record, machine }) => ({ record, running: machine !== undefined }));
  }

  async create(spec: MachineSpec): Promise<void> {
    const known = this.#entries.get(spec.serverId);
    if (known) return;
    const directory = this.directory(spec.serverId);
    mkdirSync(directory, { recursive: true });
    const before = this.#readRecord(spec.serverId);
    const disk = before?.disk ?? this.#nextDisk(directory);
    const base = before?.base ?? this.#options.image(spec.image).directory;
    const record = recordOf(spec, disk, base, before);
    if (!existsSync(join(directory, disk))) await this.#makeDisk(record);
    await this.#register(record);
  }

  /** Takes a record as it is, its disk being there: for checkpoints. */
  async adopt(record: MachineRecord): Promise<void> {
    mkdirSync(this.directory(record.spec.serverId), { recursive: true });
    await this.#register(record);
  }

  async #register(record: MachineRecord): Promise<void> {
    const { spec } = record;
    this.#entries.set(spec.serverId, { record, machine: undefined, restart: false, serial: new Serial() });
    this.#save(record);
    const { router } = this.#options;
    if (spec.publicInterface) await router.addPublic(spec.serverId, spec.publicInterface as PublicInterface);
    for (const { nic } of record.privateInterfaces) await router.addPrivate(spec.serverId, nic);
  }

  async rebuild(serverId: number, image: string): Promise<void> {
    await this.#exclusively(serverId, async (entry) => {
      await this.#kill(entry);
      const old = entry.record.disk;
      const directory = this.directory(serverId);
      const disk = this.#nextDisk(directory);
      const base = this.#options.image(image).directory;
      const record = { ...entry.record, disk, base, spec: { ...entry.record.spec, image } };
      await this.#makeDisk(record);
      entry.record = record;
      this.#save(record);
      if (!this.#options.isKept(serverId, old)) rmSync(join(directory, old), { force: true });
    });
  }

  async resize(serverId: number, size: { cores: number; memory: number; disk: number }): Promise<void> {
    await this.#exclusively(serverId, async (entry) => {
      const { spec } = entry.record;
      if (size.disk > spec.disk) {
        await run("qemu-img", ["resize", "-q", this.paths(entry.record).disk, String(size.disk * GIB)]);
      }
      entry.record = { ...entry.record, spec: { ...spec, ...size, disk: Math.max(size.disk, spec.disk) } };
      this.#save(entry.record);
    });
  }

  /** Stops the machine and removes it; a disk that a checkpoint names stays. */
  async delete(serverId: number): Promise<void> {
    const entry = this.#entries.get(serverId);
    if (!entry) return;
    await entry.serial.run(async () => {
      await this.#kill(entry);
      await this.#forget(entry);
      this.clear(serverId);
    });
  }

  /** Removes the files of a machine that is no more, its record too, but for disks that a checkpoint names: it has their records. */
  clear(serverId: number): void {
    const directory = this.directory(serverId);
    const files = readdirSync(directory);
    const kept = files.filter((file) => file.endsWith(".qcow2") && this.#options.isKept(serverId, file));
    if (kept.length === 0) rmSync(directory, { recursive: true, force: true });
    else
      for (const file of files)
        if (!kept.includes(file)) rmSync(join(directory, file), { recursive: true, force: true });
  }

  async #forget({ record }: Entry): Promise<void> {
    const { serverId } = record.spec;
    this.#entries.delete(serverId);
    await this.#options.router.removePublic(serverId);
    for (const { nic } of record.privateInterfaces) await this.#options.router.removePrivate(serverId, nic.networkId);
  }

  async powerOn(serverId: number): Promise<void> {
    await this.#exclusively(serverId, async (entry) => {
      if (!entry.machine) await this.#start(entry);
      await entry.machine?.run();
    });
  }

  /** Starts a machine with the memory and disk of a snapshot; {@link Machines.powerOn} lets it run. */
  async resumeFrom(serverId: number, snapshot: string): Promise<void> {
    await this.#exclusively(serverId, async (entry) => {
      const machine = await this.#start(entry);
      await machine.load(snapshot);
    });
  }

  async #start(entry: Entry): Promise<Machine> {
    const { record } = entry;
    const { serverId, publicInterface } = record.spec;
    const { accelerator, limits, router } = this.#options;
    const paths = this.paths(record);
    const boot = imageIn(record.base);
    const errors = join(this.directory(serverId), "qemu.log");
    const machine = await Machine.start({ machine: record, paths, boot, accelerator, limits }, errors);
    entry.machine = machine;
    void machine.ended.then(() => this.#onEnd(entry, machine));
    if (publicInterface) await router.plugPublic(serverId, publicInterface as PublicInterface);
    for (const { nic } of record.privateInterfaces) await router.plugPrivate(serverId, nic);
    return machine;
  }

  #onEnd(entry: Entry, machine: Machine): void {
    if (entry.machine !== machine) return;
    entry.machine = undefined;
    if (!entry.restart) return;
    entry.restart = false;
    this.powerOn(entry.record.spec.serverId).catch((error: unknown) => console.error(String(error)));
  }

  async #kill(entry: Entry): Promise<void> {
    const machine = entry.machine;
    entry.machine = undefined;
    entry.restart = false;
    await machine?.kill();
  }

  async powerOff(serverId: number): Promise<void> {
    await this.#exclusively(serverId, (entry) => this.#kill(entry));
  }

  async shutdown(serverId: number): Promise<void> {
    await this.#exclusively(serverId, async (entry) => {
      entry.restart = false;
      await entry.machine?.pressPower();
    });
  }

  async reboot(serverId: number): Promise<void> {
    await this.#exclusively(serverId, async (entry) => {
      if (!entry.machine) throw new Error("the server is off");
      if (await entry.machine.askReboot()) return;
      entry.restart = true;
      await entry.machine.pressPower();
    });
  }

  async reset(serverId: number): Promise<void> {
    await this.#exclusively(serverId, async (entry) => {
      if (entry.machine) return await entry.machine.reset();
      await (await this.#start(entry)).run();
    });
  }

  powerState(serverId: number): PowerState {
    return this.#entry(serverId).machine ? "running" : "off";
  }

  async attach(serverId: number, nic: PrivateInterface): Promise<void> {
    await this.#exclusively(serverId, async (entry) => {
      const others = entry.record.privateInterfaces.filter((item) => item.nic.networkId !== nic.networkId);
      const known = entry.record.privateInterfaces.find((item) => item.nic.networkId === nic.networkId);
      const slot = known?.slot ?? freeSlot(others.map((item) => item.slot));
      entry.record = {
        ...entry.record,
        privateInterfaces: [...others, { slot, nic: { ...nic, aliasIps: [...nic.aliasIps] } }],
      };
      this.#save(entry.record);
      await this.#options.router.addPrivate(serverId, nic);
      if (!entry.machine) return;
      if (known) return await this.#options.router.updatePrivate(serverId, nic);
      await entry.machine.addTap(serverId, nic);
      await this.#options.router.plugPrivate(serverId, nic);
      await entry.machine.addNic(nic, slot);
    });
  }

  async detach(serverId: number, networkId: number): Promise<void> {
    await this.#exclusively(serverId, async (entry) => {
      const privateInterfaces = entry.record.privateInterfaces.filter((item) => item.nic.networkId !== networkId);
      if (privateInterfaces.length === entry.record.privateInterfaces.length) return;
      entry.record = { ...entry.record, privateInterfaces };
      this.#save(entry.record);
      await entry.machine?.removeNic(networkId);
      await this.#options.router.removePrivate(serverId, networkId);
    });
  }

  async attachVolume(serverId: number, volumeId: number): Promise<void> {
    await this.#exclusively(serverId, async (entry) => {
      const { volumes, holdsVolumes } = entry.record;
      if (volumes.some((item) => item.volumeId === volumeId)) return;
      const slot = freeVolumeSlot(volumes.map((item) => item.slot));
      await entry.machine?.addVolume(volumeId, slot, !holdsVolumes);
      entry.record = { ...entry.record, volumes: [...volumes, { slot, volumeId }], holdsVolumes: true };
      this.#save(entry.record);
    });
  }

  async detachVolume(serverId: number, volumeId: number): Promise<void> {
    await this.#exclusively(serverId, async (entry) => {
      const found = entry.record.volumes.find((item) => item.volumeId === volumeId);
      if (!found) return;
      const volumes = entry.record.volumes.filter((item) => item !== found);
      try {
        await entry.machine?.removeVolume(volumeId, found.slot);
      } catch {
        // A process that hangs keeps the disk from every other one.
        await this.#kill(entry);
      }
      entry.record = { ...entry.record, volumes };
      this.#save(entry.record);
    });
  }

  /** Tells a guest that has it, and runs, that its Volume is larger; `size` is in GiB. */
  async growVolume(volumeId: number, size: number): Promise<boolean> {
    for (const { record, machine, serial } of this.#entries.values()) {
      if (!machine || !record.volumes.some((item) => item.volumeId === volumeId)) continue;
      await serial.run(() => machine.growVolume(volumeId, size * GIB));
      return true;
    }
    return false;
  }

  async setPublic(serverId: number, nic: PublicInterface | undefined): Promise<void> {
    await this.#exclusively(serverId, async (entry) => {
      if (entry.machine) throw new Error("the server must be off to change its public interface");
      const { publicInterface: _, ...spec } = entry.record.spec;
      entry.record = { ...entry.record, spec: nic ? { ...spec, publicInterface: nic } : spec };
      this.#save(entry.record);
      if (nic) await this.#options.router.addPublic(serverId, nic);
      else await this.#options.router.removePublic(serverId);
    });
  }

  /** The machine's process, when it runs. */
  running(serverId: number): Machine | undefined {
    return this.#entry(serverId).machine;
  }

  /** Cuts the power of all machines and forgets them; disks and records stay. */
  async releaseAll(): Promise<void> {
    await Promise.all(
      [...this.#entries.values()].map(async (entry) => {
        await entry.serial.run(async () => {
          await this.#kill(entry);
          await this.#forget(entry);
        });
      }),
    );
  }

  #entry(serverId: number): Entry {
    const entry = this.#entries.get(serverId);
    if (!entry) throw new Error(`server ${serverId} has no machine`);
    return entry;
  }

  async #exclusively<T>(serverId: number, work: (entry: Entry) => Promise<T>): Promise<T> {
    const entry = this.#entry(serverId);
    return await entry.serial.run(() => work(entry));
  }

  #nextDisk(directory: string): string {
    const taken = readdirSync(directory);
    let number = 1;
    while (taken.includes(`disk-${number}.qcow2`)) number += 1;
    return `disk-${number}.qcow2`;
  }

  async #makeDisk(record: MachineRecord): Promise<void> {
    const base = imageIn(record.base).disk;
    await run("qemu-img", [
      ...["create", "-q", "-f", "qcow2", "-b", base, "-F", "raw"],
      ...[this.paths(record).disk, String(record.spec.disk * GIB)],
    ]);
  }

  #recordFile(serverId: number): string {
    return join(this.directory(serverId), "machine.json");
  }

  #save(record: MachineRecord): void {
    writeFileAtomically(this.#recordFile(record.spec.serverId), `${JSON.stringify(record, null, 2)}\n`);
  }

  #readRecord(serverId: number): MachineRecord | undefined {
    try {
      return machineRecord.parse(JSON.parse(readFileSync(this.#recordFile(serverId), "utf8")));
    } catch {
      return undefined;
    }
  }
}
