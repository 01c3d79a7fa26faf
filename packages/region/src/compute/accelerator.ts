/**
 * Whether KVM works here. /dev/kvm may be there and hang, refuse, or be far slower than emulation, so a virtual machine
 * of one instruction is started and timed.
 */
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { Accelerator } from "./qemuArguments.js";

const PORT = 0x501;
/** Written to the debug port by the guest; QEMU exits with twice that plus one. */
const WORD = 0x21;
/** A working KVM takes a tenth of a second; one that is emulated below us takes seconds. */
const LIMIT_MS = 1_500;

/** A boot sector that writes to the debug port, whereupon QEMU exits. Padded to a size that firmware reads. */
function bootDisk(): Buffer {
  const disk = Buffer.alloc(1 << 20);
  // mov dx, PORT; mov al, WORD; out dx, al; hlt; jmp to hlt
  disk.set([0xba, PORT & 255, PORT >> 8, 0xb0, WORD, 0xee, 0xf4, 0xeb, 0xfd]);
  disk.set([0x55, 0xaa], 510);
  return disk;
}

export interface Detection {
  readonly accelerator: Accelerator;
  /** Why it is that one, for people. */
  readonly reason: string;
}

export async function detectAccelerator(): Promise<Detection> {
  const emulated = (reason: string): Detection => ({ accelerator: { kind: "tcg" }, reason });
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
  } catch {
    return emulated("/dev/kvm is not there or may not be used");
  }
  const directory = mkdtempSync(join(tmpdir(), "hcloud-region-kvm-"));
  try {
    const disk = join(directory, "disk.raw");
    writeFileSync(disk, bootDisk());
    const started = Date.now();
    const probe = await execa(
      "qemu-system-x86_64",
      [
        ...["-accel", "kvm", "-machine", "pc", "-m", "128", "-nodefaults", "-no-user-config", "-display", "none"],
        ...["-device", `isa-debug-exit,iobase=${PORT},iosize=4`],
        ...["-drive", `file=${disk.replaceAll(",", ",,")},format=raw,if=virtio,readonly=on`],
      ],
      { timeout: LIMIT_MS, killSignal: "SIGKILL", reject: false, stdin: "ignore" },
    );
    const took = `${((Date.now() - started) / 1000).toFixed(1)} s`;
    if (probe.timedOut) return emulated(`/dev/kvm did not run one instruction within ${LIMIT_MS / 1000} s`);
    if (probe.exitCode !== WORD * 2 + 1) return emulated(`/dev/kvm failed: ${probe.stderr.split("\n").at(-1) ?? ""}`);
    return { accelerator: { kind: "kvm" }, reason: `a test machine ran in ${took}` };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
