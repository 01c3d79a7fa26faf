/** Where interfaces and Volumes sit in a machine: they keep their places for as long as they are there. */
import type { MachineSpec, PrivateInterface } from "../backend.js";
import { MAX_PRIVATE, MAX_VOLUMES } from "./qemuArguments.js";
import { type MachineRecord, machineRecord } from "./record.js";

/** A free slot for one more private interface. */
export function freeSlot(used: readonly number[]): number {
  const slot = firstFree(used);
  if (slot < MAX_PRIVATE) return slot;
  throw new Error(`a server is in at most ${MAX_PRIVATE} networks`);
}

export function freeVolumeSlot(used: readonly number[]): number {
  const slot = firstFree(used);
  if (slot < MAX_VOLUMES) return slot;
  throw new Error(`a server has at most ${MAX_VOLUMES} volumes`);
}

function firstFree(used: readonly number[]): number {
  let slot = 0;
  while (used.includes(slot)) slot += 1;
  return slot;
}

/** The record of a machine, keeping the slots of interfaces and Volumes that it has already. */
export function recordOf(spec: MachineSpec, disk: string, base: string, before?: MachineRecord): MachineRecord {
  const { privateInterfaces, volumes = [], ...rest } = spec;
  const placed: { slot: number; nic: PrivateInterface }[] = [];
  const slotBefore = (nic: PrivateInterface) =>
    before?.privateInterfaces.find((item) => item.nic.networkId === nic.networkId)?.slot;
  const reserved = privateInterfaces.map(slotBefore).filter((slot) => slot !== undefined);
  for (const nic of privateInterfaces) {
    const slot = slotBefore(nic) ?? freeSlot([...reserved, ...placed.map((item) => item.slot)]);
    placed.push({ slot, nic });
  }
  return machineRecord.parse({
    spec: rest,
    privateInterfaces: placed,
    volumes: placedVolumes(volumes, before?.volumes ?? []),
    holdsVolumes: before?.holdsVolumes || volumes.length > 0,
    disk,
    base,
  });
}

function placedVolumes(wanted: readonly number[], before: MachineRecord["volumes"]): MachineRecord["volumes"] {
  const placed = before.filter(({ volumeId }) => wanted.includes(volumeId));
  for (const volumeId of wanted) {
    if (placed.some((item) => item.volumeId === volumeId)) continue;
    placed.push({ slot: freeVolumeSlot(placed.map(({ slot }) => slot)), volumeId });
  }
  return placed;
}
