/** Volumes: disks that exist on their own and are attached to servers. */
import { z } from "zod";
import type { VolumeSpec } from "../backend.js";
import { recordAction, startAction } from "./actions.js";
import { locationNamed } from "./catalog/locations.js";
import { findLocation } from "./catalog/views.js";
import { ApiError, invalidField, protectedFrom } from "./errors.js";
import { labelsSchema } from "./labels.js";
import {
  type Action,
  assertNameFree,
  assertUnlocked,
  byId,
  removeById,
  rename,
  type State,
  takeId,
  type Volume,
} from "./state.js";
import { idSchema, type protectionSchema, renameSchema } from "./validation.js";

/** GB, as Hetzner calls them. */
const MOST = 10_240;
/** Volumes of one server. */
const MOST_AT_SERVER = 16;

const volumeNameSchema = z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/, {
  error: "must be 1 to 64 letters, digits, dashes, underscores and dots, the first and the last a letter or digit",
});
const sizeSchema = z
  .number()
  .int()
  .min(10, { error: "must be at least 10" })
  .max(MOST, { error: `must be at most ${MOST}` });

export const createVolumeSchema = z.object({
  name: volumeNameSchema,
  size: sizeSchema,
  format: z.enum(["ext4", "xfs"]).optional(),
  location: z.string().optional(),
  server: idSchema.optional(),
  automount: z
    .boolean()
    .refine((wanted) => !wanted, { error: "this region mounts nothing" })
    .optional(),
  labels: labelsSchema.default({}),
});
export const updateVolumeSchema = renameSchema.extend({ name: volumeNameSchema.optional() });
export const attachVolumeSchema = createVolumeSchema.pick({ automount: true }).extend({ server: idSchema });
export const resizeVolumeSchema = z.object({ size: sizeSchema });

/** Volumes of a server, by id. */
export function volumesOf(state: State, serverId: number): number[] {
  return state.volumes.filter((volume) => volume.serverId === serverId).map(({ id }) => id);
}

export function volumeSpec({ id, size, format }: Volume): VolumeSpec {
  return { volumeId: id, size, ...(format === null ? {} : { format }) };
}

function startVolumeAction(state: State, now: string, command: string, id: number, serverId?: number): Action {
  const resources = [{ id, type: "volume" }, ...(serverId === undefined ? [] : [{ id: serverId, type: "server" }])];
  return startAction(state, now, { command, resources, locks: true });
}

function locationOf(state: State, { server, location }: z.output<typeof createVolumeSchema>): string {
  if (server === undefined) return findLocation(location, undefined) ?? missingLocation();
  if (location !== undefined) throw invalidField("location", "must not be given with server");
  return byId(state.servers, server, "server").location;
}

function missingLocation(): never {
  throw invalidField("location", "is required when the volume is not attached to a server");
}

export interface VolumeCreation {
  readonly volume: Volume;
  readonly action: Action;
  readonly nextActions: readonly Action[];
}

export function createVolume(state: State, now: string, input: z.output<typeof createVolumeSchema>): VolumeCreation {
  assertNameFree(state.volumes, input.name, "volume");
  const { name, size, format = null, labels, server } = input;
  const location = locationOf(state, input);
  const id = takeId(state);
  const volume: Volume = {
    ...{ id, name, size, format, labels, location },
    created: now,
    serverId: null,
    available: false,
    protection: { delete: false },
  };
  state.volumes.push(volume);
  if (server !== undefined) assertRoom(state, server);
  const action = startVolumeAction(state, now, "create_volume", id, server);
  if (server === undefined) return { volume, action, nextActions: [] };
  volume.serverId = server;
  return { volume, action, nextActions: [startVolumeAction(state, now, "attach_volume", id, server)] };
}

function assertRoom(state: State, serverId: number): void {
  if (volumesOf(state, serverId).length < MOST_AT_SERVER) return;
  throw new ApiError("resource_limit_exceeded", `a server has at most ${MOST_AT_SERVER} volumes`);
}

export function updateVolume(state: State, id: number, input: z.output<typeof updateVolumeSchema>): Volume {
  return rename(state.volumes, id, "volume", input);
}

export function deleteVolume(state: State, id: number): void {
  const volume = byId(state.volumes, id, "volume");
  if (volume.protection.delete) throw protectedFrom("volume", "deletion");
  assertUnlocked(state, "volume", id);
  if (volume.serverId !== null) throw new ApiError("resource_in_use", "the volume must be detached first");
  removeById(state.volumes, id);
}

export function attachVolume(state: State, now: string, id: number, serverId: number): Action {
  const volume = byId(state.volumes, id, "volume");
  const server = byId(state.servers, serverId, "server");
  assertUnlocked(state, "volume", id);
  assertUnlocked(state, "server", serverId);
  if (volume.serverId !== null) throw new ApiError("volume_already_attached", "the volume is attached to a server");
  if (volume.location !== server.location) throw invalidField("server", "is in another location than the volume");
  assertRoom(state, serverId);
  volume.serverId = serverId;
  return startVolumeAction(state, now, "attach_volume", id, serverId);
}

/** Gives the server that lost it beside the action. */
export function detachVolume(state: State, now: string, id: number): { action: Action; serverId: number } {
  const volume = byId(state.volumes, id, "volume");
  const { serverId } = volume;
  if (serverId === null) throw new ApiError("unsupported_error", "the volume is not attached");
  assertUnlocked(state, "volume", id);
  assertUnlocked(state, "server", serverId);
  volume.serverId = null;
  return { action: startVolumeAction(state, now, "detach_volume", id, serverId), serverId };
}

export function resizeVolume(state: State, now: string, id: number, size: number): Action {
  const volume = byId(state.volumes, id, "volume");
  assertUnlocked(state, "volume", id);
  if (size <= volume.size) throw invalidField("size", "must be greater than the current size");
  volume.size = size;
  return startVolumeAction(state, now, "resize_volume", id);
}

export function protectVolume(state: State, now: string, id: number, input: z.output<typeof protectionSchema>): Action {
  const { protection } = byId(state.volumes, id, "volume");
  protection.delete = input.delete ?? protection.delete;
  return recordAction(state, now, { command: "change_protection", resources: [{ id, type: "volume" }] });
}

/** Volumes of a server that is gone are at no server. */
export function releaseVolumes(state: State, serverId: number): void {
  for (const volume of state.volumes) if (volume.serverId === serverId) volume.serverId = null;
}

export function volumeView({ id, name, created, labels, size, format, protection, ...volume }: Volume) {
  return {
    ...{ id, name, created, labels, size, format, protection },
    linux_device: `/dev/disk/by-id/scsi-0HC_Volume_${id}`,
    location: locationNamed(volume.location),
    server: volume.serverId,
    status: volume.available ? "available" : "creating",
  };
}
