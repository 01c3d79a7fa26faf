import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Volumes } from "./volumes.js";

const tools = ["qemu-img", "mkfs.ext4"].every((name) => spawnSync(name, ["-V"]).error === undefined);

describe.skipIf(!tools)("disks of volumes", () => {
  let directory = "";
  const kept = new Set<number>();
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "volumes-"));
    kept.clear();
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  const open = () => new Volumes(directory, (id) => kept.has(id));
  const info = (path: string) => JSON.parse(spawnSync("qemu-img", ["info", "--output=json", path]).stdout.toString());

  it("are made once, formatted, and grow", async () => {
    const volumes = open();
    expect(await volumes.make({ volumeId: 7, size: 10, format: "ext4" })).toBe(true);
    expect(info(volumes.path(7))).toMatchObject({ format: "qcow2", "virtual-size": 10 * 2 ** 30 });
    // The magic number of ext4's superblock.
    const read = ["-r", "-c", "read -v 1080 2", volumes.path(7)];
    expect(spawnSync("qemu-io", read).stdout.toString()).toMatch(/: {2}53 ef /);
    expect(await volumes.make({ volumeId: 7, size: 10, format: "ext4" })).toBe(false);
    await volumes.grow({ volumeId: 7, size: 12 });
    expect(info(volumes.path(7))["virtual-size"]).toBe(12 * 2 ** 30);
    expect(readdirSync(directory)).toEqual(["volume-7.qcow2"]);
  }, 60_000);

  it("are empty without a format, and leave nothing behind when they cannot be made", async () => {
    const volumes = open();
    await volumes.make({ volumeId: 8, size: 10 });
    expect(spawnSync("qemu-io", ["-r", "-c", "read -P 0 0 1M", volumes.path(8)]).status).toBe(0);
    await expect(volumes.make({ volumeId: 9, size: 0, format: "ext4" })).rejects.toThrow("mkfs.ext4");
    expect(readdirSync(directory)).toEqual(["volume-8.qcow2"]);
  }, 60_000);

  it("stay while a checkpoint names them", async () => {
    const volumes = open();
    for (const volumeId of [1, 2, 3]) await volumes.make({ volumeId, size: 10 });
    kept.add(2);
    for (const id of [1, 2]) volumes.delete(id);
    expect([1, 2, 3].map((id) => volumes.has(id))).toEqual([false, true, true]);
    volumes.keepOnly([]);
    expect(readdirSync(directory)).toEqual(["volume-2.qcow2"]);
  }, 60_000);
});
