/** The archive format of an initramfs ("newc" cpio). Pure. */

export interface CpioEntry {
  readonly name: string;
  /** Type and permissions, such as 0o100755. */
  readonly mode: number;
  readonly data?: Buffer;
  /** Major and minor number of a device. */
  readonly device?: readonly [number, number];
}

const pad = (length: number): Buffer => Buffer.alloc((4 - (length % 4)) % 4);

function record({ name, mode, data = Buffer.alloc(0), device = [0, 0] }: CpioEntry, inode: number): Buffer {
  const path = Buffer.from(`${name}\0`);
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, device[0], device[1], path.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`);
  return Buffer.concat([header, path, pad(header.length + path.length), data, pad(data.length)]);
}

/** Packs the entries in their order: directories come before what is in them. */
export function cpio(entries: readonly CpioEntry[]): Buffer {
  return Buffer.concat([...entries, { name: "TRAILER!!!", mode: 0 }].map((entry, index) => record(entry, index + 1)));
}
