/** Disks of Volumes: a file each, on its own, whichever server has it. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { VolumeSpec } from "../backend.js";
import { run } from "../support/command.js";

const GIB = 2 ** 30;

/** Makes a file system on a file that is a disk. Its name is the Volume's for as long as nobody labels it. */
const FORMAT = {
  // Its tables are made as they are needed: those of ten terabytes take their time.
  ext4: ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard"],
  xfs: ["mkfs.xfs", "-q", "-f", "-K"],
} as const;

export class Volumes {
  readonly #directory: string;
  readonly #isKept: (volumeId: number) => boolean;

  /** `isKept`: whether a disk must stay because a checkpoint names it. */
  constructor(directory: string, isKept: (volumeId: number) => boolean) {
    this.#directory = directory;
    this.#isKept = isKept;
  }

  path(volumeId: number): string {
    return join(this.#directory, `volume-${volumeId}.qcow2`);
  }

  has(volumeId: number): boolean {
    return existsSync(this.path(volumeId));
  }

  /** Makes the disk; false when there is one already. */
  async make({ volumeId, size, format }: VolumeSpec): Promise<boolean> {
    if (this.has(volumeId)) return false;
    mkdirSync(this.#directory, { recursive: true });
    const [raw, disk] = [join(this.#directory, `${volumeId}.raw`), join(this.#directory, `${volumeId}.new`)];
    try {
      writeFileSync(raw, "");
      truncateSync(raw, size * GIB);
      if (format !== undefined) await this.#format(raw, format);
      await run("qemu-img", ["convert", "-q", "-f", "raw", "-O", "qcow2", raw, disk], { timeout: 300_000 });
      renameSync(disk, this.path(volumeId));
    } finally {
      for (const file of [raw, disk]) rmSync(file, { force: true });
    }
    return true;
  }

  async #format(file: string, format: keyof typeof FORMAT): Promise<void> {
    const [program, ...args] = FORMAT[format];
    await run(program, [...args, file], { timeout: 300_000 });
  }

  /** Makes the disk of a Volume that no running machine has larger; `size` is in GiB. */
  async grow({ volumeId, size }: VolumeSpec): Promise<void> {
    await run("qemu-img", ["resize", "-q", this.path(volumeId), String(size * GIB)]);
  }

  delete(volumeId: number): void {
    if (!this.#isKept(volumeId)) rmSync(this.path(volumeId), { force: true });
  }

  /** Removes disks that are not among these and that no checkpoint names. */
  keepOnly(volumeIds: readonly number[]): void {
    if (!existsSync(this.#directory)) return;
    for (const file of readdirSync(this.#directory)) {
      const id = Number(/^volume-(\d+)\.qcow2$/.exec(file)?.[1]);
      if (id > 0 && !volumeIds.includes(id)) this.delete(id);
    }
  }
}
