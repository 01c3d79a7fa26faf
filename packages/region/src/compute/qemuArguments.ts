/** The command line of a machine's QEMU. Pure. */
import { privateTap, publicTap } from "../network/names.js";
import type { MachineRecord } from "./record.js";

export interface Accelerator {
  readonly kind: "kvm" | "tcg";
  /** Of an emulated machine's time stamp counter, where it is known. */
  readonly counterKhz?: number | undefined;
}

export interface BootFiles {
  readonly kernel: string;
  readonly initrd: string;
}

export interface MachinePaths {
  readonly disk: string;
  /** Of a Volume. */
  readonly volume: (volumeId: number) => string;
  readonly qmp: string;
  readonly agent: string;
  readonly console: string;
}

export interface QemuOptions {
  readonly machine: MachineRecord;
  readonly paths: MachinePaths;
  readonly boot: BootFiles;
  readonly accelerator: Accelerator;
  /** Upper bounds for every server, whatever its type promises. */
  readonly limits: Limits;
}

export interface Limits {
  readonly cores: number;
  /** MiB. */
  readonly memory: number;
}

/** Bus of the first private interface: it is called enp7s0 in the guest, as on Hetzner. */
const FIRST_PRIVATE_BUS = 7;
/** An API server is in at most three Networks. */
export const MAX_PRIVATE = 3;
const PORTS = FIRST_PRIVATE_BUS - 1 + MAX_PRIVATE;

/** One PCIe root port a bus, buses numbered from 1 in the order of the ports. */
function rootPorts(): string[] {
  return Array.from({ length: PORTS }, (_, index) => {
    const slot = 2 + Math.floor(index / 8);
    const position = index % 8;
    const multifunction = position === 0 ? ",multifunction=on" : "";
    return `pcie-root-port,id=bus${index + 1},chassis=${index + 1},bus=pcie.0,addr=${slot}.${position}${multifunction}`;
  }).flatMap((device) => ["-device", device]);
}

/** Commas in QEMU's option lists are doubled. */
const value = (text: string): string => text.replaceAll(",", ",,");

export const privateBus = (slot: number): string => `bus${FIRST_PRIVATE_BUS + slot}`;
export const privateNetdev = (networkId: number): string => `net${networkId}`;
export const privateDevice = (networkId: number): string => `nic${networkId}`;

function nic(netdev: string, device: string, tap: string, mac: string, bus: string): string[] {
  return [
    "-netdev",
    `tap,id=${netdev},ifname=${tap},script=no,downscript=no`,
    "-device",
    `virtio-net-pci,id=${device},netdev=${netdev},mac=${mac},bus=${bus},romfile=`,
  ];
}

/** A server has at most sixteen Volumes. */
export const MAX_VOLUMES = 16;
/**
 * The controller that Volumes hang on; it comes with the first, so that a machine without any is what it always was. It has a bus of
 * its own, and each Volume keeps its place on it: memory of a checkpoint loads into the same machine only.
 */
export const volumeController = { driver: "virtio-scsi-pci", id: "volumes", bus: "bus5" } as const;
export const volumeNode = (volumeId: number): string => `volume${volumeId}`;
/** The guest's udev makes `scsi-0HC_Volume_ID` of vendor, product and serial. */
export const volumeDevice = (volumeId: number, slot: number) => ({
  driver: "scsi-hd",
  id: `disk${volumeId}`,
  drive: volumeNode(volumeId),
  bus: `${volumeController.id}.0`,
  "scsi-id": slot,
  lun: 0,
  vendor: "HC",
  product: "Volume",
  serial: String(volumeId),
});
/** A disk's file, under the disk: what the host's cache has of it outlives the guest's crashes. */
export const volumeBlocks = (volumeId: number, filename: string) => ({
  driver: "qcow2",
  "node-name": volumeNode(volumeId),
  file: { driver: "file", filename, cache: { "no-flush": true } },
  cache: { "no-flush": true },
  discard: "unmap",
});

function volumeArguments({ holdsVolumes, volumes }: MachineRecord, path: (volumeId: number) => string): string[] {
  if (!holdsVolumes) return [];
  const disks = volumes.flatMap(({ slot, volumeId }) => [
    ...["-blockdev", JSON.stringify(volumeBlocks(volumeId, path(volumeId)))],
    ...["-device", JSON.stringify(volumeDevice(volumeId, slot))],
  ]);
  return ["-device", JSON.stringify(volumeController), ...disks];
}

/**
 * TCG translates x86-64-v2 code fast; newer vector units and `rep movsb` hints make guests choose slower paths. Without cmpxchg16b: a
 * guest's kernel met a double fault in its allocator right behind one, with flags that it cannot have had (QEMU 7.2).
 */
export const CPU = { kvm: "host", tcg: "Nehalem,-cx16" } as const;

/**
 * Mitigations guard nothing inside an emulator that has no speculation, and cost a third of the boot. The time stamp
 * counter is steady, but a busy host makes the kernel's watchdog think otherwise and choose a clock that is slow to read.
 */
const APPEND = { kvm: "", tcg: " mitigations=off tsc=nowatchdog" } as const;

/**
 * A kernel that measures its counter while the host is busy may find a tenth of its speed, believes that, and lets ten seconds go by in
 * one: everything that systemd waits for comes too late, and the machine never boots.
 */
const counterSpeed = ({ kind, counterKhz }: Accelerator): string =>
  kind === "tcg" && counterKhz !== undefined ? ` tsc_early_khz=${counterKhz}` : "";

export function qemuArguments({ machine, paths, boot, accelerator, limits }: QemuOptions): string[] {
  const { kind } = accelerator;
  const { serverId, publicInterface } = machine.spec;
  const cores = Math.min(machine.spec.cores, limits.cores);
  const memory = Math.min(machine.spec.memory, limits.memory);
  return [
    ...["-name", `hcloud-${serverId}`],
    ...["-machine", "q35,usb=off,vmport=off,hpet=off"],
    ...["-accel", kind === "kvm" ? "kvm" : "tcg,thread=multi,tb-size=512"],
    ...["-cpu", CPU[kind], "-smp", String(cores), "-m", String(memory)],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-S"],
    ...["-smbios", `type=1,manufacturer=Hetzner,product=vServer,serial=${serverId}`],
    ...["-kernel", boot.kernel, "-initrd", boot.initrd],
    ...["-append", `console=ttyS0 root=/dev/vda rw quiet 8250.nr_uarts=1${APPEND[kind]}${counterSpeed(accelerator)}`],
    ...["-rtc", "base=utc,clock=host"],
    ...["-chardev", `file,id=console,path=${value(paths.console)},append=on`, "-serial", "chardev:console"],
    ...["-qmp", `unix:${value(paths.qmp)},server=on,wait=off`],
    ...rootPorts(),
    ...["-device", "virtio-serial-pci,bus=bus2"],
    ...["-chardev", `socket,id=agent,path=${value(paths.agent)},server=on,wait=off`],
    ...["-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"],
    // The host's page cache outlives the guest's crashes; only a crash of the host loses what it was told is safe.
    ...["-blockdev", `driver=file,node-name=file,filename=${value(paths.disk)},cache.no-flush=on,discard=unmap`],
    ...["-blockdev", "driver=qcow2,node-name=disk,file=file,cache.no-flush=on,discard=unmap"],
    ...["-device", "virtio-blk-pci,drive=disk,bus=bus3"],
    ...["-device", "virtio-rng-pci,bus=bus4"],
    ...volumeArguments(machine, paths.volume),
    ...(publicInterface ? nic("public", "eth", publicTap(serverId), publicInterface.mac, "bus1") : []),
    ...machine.privateInterfaces.flatMap(({ slot, nic: { networkId, mac } }) =>
      nic(privateNetdev(networkId), privateDevice(networkId), privateTap(serverId, networkId), mac, privateBus(slot)),
    ),
  ];
}
