import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { listPrefix } from "./build.js";
import { cpio } from "./cpio.js";
import { parseIndexTargets } from "./debianSource.js";
import { moduleOrder } from "./kernel.js";
import { recipeDigest } from "./recipe.js";
import { borrowImage, findImage, imageDirectory, pruneImages } from "./store.js";
import { sourceLines, variantOf } from "./variants.js";

describe("debian source", () => {
  const rows = [
    "http://deb.example/debian-security/\tDebian\tDebian-Security\tmain",
    "https://other.example/node/\tNode\tNode\tmain",
    "http://deb.example/debian/\tDebian\tDebian\tmain",
  ];

  it("is what apt is configured for", () => {
    expect(parseIndexTargets(rows.join("\n"))).toEqual({
      archive: "http://deb.example/debian",
      security: "http://deb.example/debian-security",
    });
  });

  it("guesses the security archive beside the main one", () => {
    expect(parseIndexTargets(rows.slice(1).join("\n")).security).toBe("http://deb.example/debian-security");
  });

  it("has lists that apt names after it", () => {
    expect(listPrefix("http://deb.example/debian")).toBe("deb.example_debian_dists_");
  });

  it("says what to do when apt knows nothing", () => {
    expect(() => parseIndexTargets("")).toThrow("apt-get update");
  });
});

describe("variants", () => {
  it("have the suites of their release", () => {
    expect(sourceLines(variantOf("debian-13"), "http://a", "http://s")).toEqual([
      "deb http://a trixie main",
      "deb http://a trixie-updates main",
      "deb http://s trixie-security main",
    ]);
    expect(sourceLines(variantOf("debian-sid"), "http://a", "http://s")).toEqual(["deb http://a sid main"]);
  });

  it("have digests of their own", () => {
    expect(recipeDigest(variantOf("debian-13"))).toMatch(/^[0-9a-f]{16}$/);
    expect(recipeDigest(variantOf("debian-13"))).not.toBe(recipeDigest(variantOf("debian-12")));
  });

  it("are named when a wrong one is asked for", () => {
    expect(() => variantOf("ubuntu")).toThrow("debian-13, debian-13-docker, debian-12, debian-sid");
  });
});

describe("the cache of images", () => {
  let images: string;
  const old = "0123456789abcdef";
  const make = (...names: string[]) => {
    for (const name of names) mkdirSync(join(images, name), { recursive: true });
  };
  beforeEach(() => {
    images = mkdtempSync(join(tmpdir(), "images-"));
  });
  afterEach(() => rmSync(images, { recursive: true, force: true }));

  it("loses what an older recipe made, and nothing else", () => {
    const current = imageDirectory(images, "debian-12");
    mkdirSync(current);
    make(`debian-12-${old}`, `debian-13-${old}`, ".building-debian-12-77", "debian-12-notes");
    expect(pruneImages(images, "debian-12")).toEqual([`debian-12-${old}`]);
    expect(existsSync(join(images, `debian-12-${old}`))).toBe(false);
    for (const kept of [current, join(images, `debian-13-${old}`), join(images, ".building-debian-12-77")])
      expect(existsSync(kept)).toBe(true);
    expect(existsSync(join(images, "debian-12-notes"))).toBe(true);
  });

  it("keeps an image as long as the state of a region that uses it", () => {
    const state = join(images, "state");
    make("state");
    const current = imageDirectory(images, "debian-12");
    mkdirSync(current);
    expect(borrowImage(images, "debian-12", state)).toEqual(findImage(images, "debian-12"));
    const outdated = join(images, `debian-12-${old}`);
    renameSync(current, outdated);
    expect(pruneImages(images, "debian-12")).toEqual([]);
    rmSync(state, { recursive: true });
    expect(pruneImages(images, "debian-12")).toEqual([`debian-12-${old}`]);
  });
});

describe("the modules of a kernel", () => {
  const dep = [
    "kernel/drivers/virtio/virtio_ring.ko:",
    "kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko",
    "kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko",
    "kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko",
    "",
  ].join("\n");
  const order = (...names: string[]) => moduleOrder(dep, names).map((path) => path.slice(path.lastIndexOf("/") + 1));

  it("come after those that they need, each once", () => {
    expect(order("virtio_pci", "virtio_blk")).toEqual([
      "virtio_ring.ko",
      "virtio.ko",
      "virtio_pci.ko",
      "virtio_blk.ko",
    ]);
  });

  it("must be there", () => {
    expect(() => order("virtio_scsi")).toThrow("no module virtio_scsi");
  });
});

describe("cpio", () => {
  it("pads names and data to four bytes and ends with the trailer", () => {
    const archive = cpio([{ name: "init", mode: 0o100755, data: Buffer.from("hello") }]);
    expect(archive.length % 4).toBe(0);
    expect(archive.toString("latin1", 0, 6)).toBe("070701");
    // Size of the data, size of the name with its end.
    expect(archive.toString("latin1", 54, 62)).toBe("00000005");
    expect(archive.toString("latin1", 94, 102)).toBe("00000005");
    expect(archive.toString("latin1", 116, 121)).toBe("hello");
    expect(archive.toString("latin1")).toContain("TRAILER!!!");
  });
});
