/** Builds images: mmdebstrap makes the root, mke2fs packs it, and kernel and a small initramfs are taken out of it. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { execa } from "execa";
import { MIRROR_HOST } from "../network/names.js";
import { run } from "../support/command.js";
import { type CpioEntry, cpio } from "./cpio.js";
import { type DebianSource, debianSource } from "./debianSource.js";
import { moduleOrder, unpackKernel } from "./kernel.js";
import { debianAssets } from "./recipe.js";
import { imageDirectory, isBuilt, pruneImages } from "./store.js";
import { sourceLines, type Variant, variantOf } from "./variants.js";

const FREE_BYTES = 3 * 2 ** 30;

/** dpkg leaves out what no server reads, and need not sync a disk that is thrown away. */
const DPKG_OPTIONS = [
  "force-unsafe-io",
  "path-exclude=/usr/share/man/*",
  "path-exclude=/usr/share/info/*",
  "path-exclude=/usr/share/locale/*",
  "path-exclude=/usr/share/doc/*",
  "path-include=/usr/share/doc/*/copyright",
];

const INIT = `#!/bin/busybox sh
export PATH=/bin
busybox mount -t devtmpfs dev /dev
for module in /modules/*.ko; do busybox insmod "$module"; done
busybox mount -t ext4 -o rw /dev/vda /mnt || { echo "no root file system on /dev/vda"; exec busybox sh; }
busybox umount /dev
exec busybox switch_root /mnt /sbin/init
`;

export interface BuildOptions {
  readonly images: string;
  readonly name: string;
  /** Build even if the image is there. */
  readonly fresh?: boolean;
  /** Called with a line of progress now and then. */
  readonly progress: (line: string) => void;
}

/**
 * Builds an image into the cache, unless it is there, and removes those of its name that an older recipe made and no region
 * uses. About a minute and a half, most of it dpkg.
 */
export async function buildImage({ images, name, fresh = false, progress }: BuildOptions): Promise<void> {
  const variant = variantOf(name);
  if (!fresh && isBuilt(images, name)) return;
  mkdirSync(images, { recursive: true });
  const free = statfsSync(images);
  if (free.bavail * free.bsize < FREE_BYTES) {
    throw new Error(`no space: building ${name} needs 3 GiB free under ${images}`);
  }
  const started = Date.now();
  const work = join(images, `.building-${name}-${process.pid}`);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  try {
    progress(`image ${name}: installing Debian ${variant.suite}`);
    const root = join(work, "root");
    await bootstrap(variant, root, progress);
    progress(`image ${name}: packing`);
    await takeKernel(variant, root, work);
    await packDisk(variant, root, join(work, "disk.raw"));
    rmSync(root, { recursive: true, force: true });
    const target = imageDirectory(images, name);
    rmSync(target, { recursive: true, force: true });
    renameSync(work, target);
    for (const pruned of pruneImages(images, name)) progress(`image ${name}: removed ${pruned}, of an older recipe`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  progress(`image ${name}: built in ${Math.round((Date.now() - started) / 1000)} s`);
}

async function bootstrap(variant: Variant, root: string, progress: (line: string) => void): Promise<void> {
  const source = await debianSource();
  const child = execa(
    "mmdebstrap",
    [
      ...["--mode=root", "--variant=minbase", "--format=directory", "--architectures=amd64"],
      // The lists stay: a server's first `apt-get update` then fetches only what has changed since.
      "--skip=cleanup/apt/lists",
      '--aptopt=APT::Install-Recommends "false"',
      '--aptopt=Acquire::Languages "none"',
      ...(variant.apt ?? []).map((option) => `--aptopt=${option}`),
      ...DPKG_OPTIONS.map((option) => `--dpkgopt=${option}`),
      `--include=${[...variant.packages, "busybox-static"].join(",")}`,
      `--customize-hook=${join(debianAssets, "customize.sh")} "$1"`,
      ...(variant.disabledUnits ?? []).map((unit) => `--customize-hook=chroot "$1" systemctl -q disable ${unit}`),
      ...[variant.suite, root],
      ...sourceLines(variant, source.archive, source.security),
    ],
    { stdin: "ignore", stdout: "ignore", stderr: "pipe", buffer: false, reject: false },
  );
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    said.push(line);
    if (line.startsWith("I: ")) progress(`  ${line.slice(3)}`);
  }
  if ((await child).failed) throw new Error(`mmdebstrap failed:\n${said.slice(-15).join("\n")}`);
  await moveToMirror(variant, root, source);
  if (variant.cloudInit) {
    // JSON is YAML.
    writeFileSync(join(root, "etc/cloud/cloud.cfg.d/95-release.cfg"), `${JSON.stringify(variant.cloudInit)}\n`);
  }
}

const MIRROR: DebianSource = {
  archive: `http://${MIRROR_HOST}/debian`,
  security: `http://${MIRROR_HOST}/debian-security`,
};

/** What apt calls an archive's lists: its URI without the scheme, slashes as underscores. Pure. */
export function listPrefix(archive: string): string {
  return `${archive.replace(/^[a-z+]+:\/\//, "").replaceAll("/", "_")}_dists_`;
}

/** Makes apt in the image believe that its lists came from the region's mirror, as all later ones will. */
async function moveToMirror(variant: Variant, root: string, source: DebianSource): Promise<void> {
  const lists = join(root, "var/lib/apt/lists");
  for (const file of readdirSync(lists)) {
    for (const archive of ["archive", "security"] as const) {
      const prefix = listPrefix(source[archive]);
      if (!file.startsWith(prefix)) continue;
      renameSync(join(lists, file), join(lists, `${listPrefix(MIRROR[archive])}${file.slice(prefix.length)}`));
    }
  }
  const lines = sourceLines(variant, MIRROR.archive, MIRROR.security);
  writeFileSync(join(root, "etc/apt/sources.list"), `${lines.join("\n")}\n`);
  await run("chroot", [root, "apt-cache", "gencaches"]);
}

async function takeKernel(variant: Variant, root: string, work: string): Promise<void> {
  const boot = join(root, "boot");
  const file = readdirSync(boot).find((name) => name.startsWith("vmlinuz-"));
  if (!file) throw new Error("the image has no kernel");
  const image = readFileSync(join(boot, file));
  writeFileSync(join(work, "kernel"), (await unpackKernel(image)) ?? image);
  const modules = join(root, "usr/lib/modules", file.slice("vmlinuz-".length));
  const dep = readFileSync(join(modules, "modules.dep"), "utf8");
  // The network's too, as in a cloud's own initramfs: left to udev, it may come after cloud-init has looked for it, and the
  // machine then boots without an address. Numbered, for they are loaded in the order of their names.
  const loaded = moduleOrder(dep, [...(variant.modules ?? []), "virtio_net", "virtio_blk"]).map(
    (path, index): CpioEntry => ({
      name: `modules/${String(index).padStart(2, "0")}-${basename(path)}`,
      mode: 0o100644,
      data: readFileSync(join(modules, path)),
    }),
  );
  const directories = ["bin", "dev", "mnt", "modules"].map((name): CpioEntry => ({ name, mode: 0o40755 }));
  const initramfs = cpio([
    ...directories,
    { name: "dev/console", mode: 0o20600, device: [5, 1] },
    { name: "bin/busybox", mode: 0o100755, data: readFileSync(join(root, "usr/bin/busybox")) },
    ...loaded,
    { name: "init", mode: 0o100755, data: Buffer.from(INIT) },
  ]);
  writeFileSync(join(work, "initrd"), initramfs);
}

async function packDisk(variant: Variant, root: string, disk: string): Promise<void> {
  await run("truncate", ["-s", `${variant.gib}G`, disk]);
  // The file is sparse: what mke2fs discards reads as zeros, so there is nothing left to initialise at first boot.
  const features = ["-E", "discard,packed_meta_blocks=1", "-J", "size=32", "-L", "root"];
  await run("mkfs.ext4", ["-q", "-F", ...features, "-d", root, disk], { timeout: 300_000 });
}
