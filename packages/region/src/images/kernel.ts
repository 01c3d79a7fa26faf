/**
 * Takes the ELF kernel out of a bzImage, so that QEMU enters it at once and the guest need not unpack it, and finds the modules
 * that it needs to see its disk.
 */
import { execa } from "execa";

const ELF = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);
const PACKERS = [
  { magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), command: "zstd" },
  { magic: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]), command: "xz" },
  { magic: Buffer.from([0x1f, 0x8b, 0x08]), command: "gzip" },
];

/** The uncompressed kernel; undefined when it is packed in a way that we, or this host's tools, cannot unpack. */
export async function unpackKernel(image: Buffer): Promise<Buffer | undefined> {
  for (const { magic, command } of PACKERS) {
    for (let at = image.indexOf(magic); at !== -1; at = image.indexOf(magic, at + 1)) {
      // What follows the stream makes the unpacker fail after it has written all of it.
      const { stdout } = await execa(command, ["-dc"], {
        input: image.subarray(at),
        encoding: "buffer",
        reject: false,
        maxBuffer: 2 ** 28,
      });
      const kernel = stdout ? Buffer.from(stdout) : Buffer.alloc(0);
      if (kernel.subarray(0, 4).equals(ELF)) return kernel;
    }
  }
  return undefined;
}

/**
 * Paths of the modules of those names and of all that they need, in the order in which they can be loaded. `dep` is the text of
 * `modules.dep`. Pure.
 * @throws Error when there is no such module.
 */
export function moduleOrder(dep: string, names: readonly string[]): string[] {
  const needs = new Map(
    dep
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const [path = "", rest = ""] = line.split(":");
        // Each needs all those after it.
        return [path, rest.split(" ").filter(Boolean).reverse()] as const;
      }),
  );
  const ordered = names.flatMap((name) => {
    const path = [...needs.keys()].find((file) => file.endsWith(`/${name}.ko`));
    if (path === undefined) throw new Error(`the kernel has no module ${name}`);
    return [...(needs.get(path) ?? []), path];
  });
  return [...new Set(ordered)];
}
