/** Servers: creation, changes and deletion as the API's own state sees them; routes/servers.ts carries them out. */
import { z } from "zod";
import type { MachineSpec } from "../backend.js";
import { recordAction, startAction } from "./actions.js";
import { publicMac } from "./addresses.js";
import { type Image, imageNamed } from "./catalog/images.js";
import { locations } from "./catalog/locations.js";
import { isOffered, type ServerType, serverTypeNamed, serverTypes } from "./catalog/serverTypes.js";
import { findLocation } from "./catalog/views.js";
import { ApiError, invalidField, notUnique, protectedFrom } from "./errors.js";
import { isUnavailable } from "./faults.js";
import { applyAtCreation, assertFirewallLimit, forgetServer } from "./firewalls.js";
import { labelsSchema } from "./labels.js";
import { forgetTarget } from "./loadBalancerTargets.js";
import { assertRoomFor } from "./placementGroups.js";
import { addPrimaryIp, publicInterface, releasePrimaryIps } from "./primaryIps.js";
import { addPrivateNet, privateInterface } from "./serverNetworks.js";
import {
  type Action,
  assertUnlocked,
  byId,
  byIdOrName,
  type PrimaryIp,
  removeById,
  type Server,
  type State,
  takeId,
} from "./state.js";
import { hostnameSchema, idOrNameSchema, idSchema } from "./validation.js";
import { releaseVolumes, volumesOf } from "./volumes.js";

/** User-data is at most 32 KiB. */
const MAX_USER_DATA = 32 * 1024;
const MIB_PER_GIB = 1024;

const userDataSchema = z
  .string()
  .refine((text) => Buffer.byteLength(text) <= MAX_USER_DATA, { error: "is limited to 32KiB" });

export const createServerSchema = z.object({
  name: hostnameSchema,
  server_type: idOrNameSchema,
  image: idOrNameSchema,
  location: z.string().optional(),
  datacenter: z.string().optional(),
  ssh_keys: z.array(idOrNameSchema).default([]),
  networks: z.array(idSchema).default([]),
  firewalls: z.array(z.object({ firewall: idSchema })).default([]),
  placement_group: idSchema.optional(),
  public_net: z
    .object({
      enable_ipv4: z.boolean().default(true),
      enable_ipv6: z.boolean().default(true),
      ipv4: idSchema.nullable().optional(),
      ipv6: idSchema.nullable().optional(),
    })
    .default({ enable_ipv4: true, enable_ipv6: true }),
  labels: labelsSchema.default({}),
  user_data: userDataSchema.default(""),
  start_after_create: z.boolean().default(true),
  automount: z.boolean().optional(),
  volumes: z.array(idSchema).max(0, { error: "this region attaches volumes only by their own action" }).optional(),
});
export const updateServerSchema = z.object({ name: hostnameSchema.optional(), labels: labelsSchema.optional() });
export const changeTypeSchema = z.object({ server_type: idOrNameSchema, upgrade_disk: z.boolean() });
export const rebuildSchema = z.object({ image: idOrNameSchema, user_data: userDataSchema.optional() });
export const changeServerProtectionSchema = z.object({
  delete: z.boolean().optional(),
  rebuild: z.boolean().optional(),
});
export const placementGroupRefSchema = z.object({ placement_group: idSchema });

type CreateInput = z.output<typeof createServerSchema>;

function findType(wanted: string): ServerType {
  const type = byIdOrName(serverTypes, wanted);
  if (!type) throw invalidField("server_type", `server type '${wanted}' not found`);
  return type;
}

function findImage(wanted: string, names: readonly string[], type: ServerType): Image {
  const image = byIdOrName(names.map(imageNamed), wanted);
  if (!image) throw invalidField("image", `image '${wanted}' not found`);
  if (type.architecture !== "x86") {
    throw invalidField("image", `image architecture x86 does not fit server type architecture ${type.architecture}`);
  }
  return image;
}

function placementFailure(): ApiError {
  return new ApiError("resource_unavailable", "error during placement");
}

/** The wanted location, or the first that offers the type and reaches the wanted networks and primary IPs. */
function choosePlace(state: State, now: string, input: CreateInput, type: ServerType): string {
  const wanted = findLocation(input.location, input.datacenter);
  if (wanted !== undefined) {
    if (!type.locations.includes(wanted)) throw invalidField("location", "unsupported location for server type");
    if (!isOffered(type, wanted, now)) throw invalidField("server_type", `server type ${type.name} is deprecated`);
    if (isUnavailable(state, type.name, wanted)) throw placementFailure();
    return wanted;
  }
  const offering = locations.filter((place) => isOffered(type, place.name, now));
  if (offering.length === 0) throw invalidField("server_type", `server type ${type.name} is deprecated`);
  const networks = state.networks.filter((network) => input.networks.includes(network.id));
  const ips = state.primaryIps.filter((ip) => [input.public_net.ipv4, input.public_net.ipv6].includes(ip.id));
  const place = offering.find(
    (candidate) =>
      !isUnavailable(state, type.name, candidate.name) &&
      ips.every((ip) => ip.location === candidate.name) &&
      networks.every((network) => network.subnets.some((subnet) => subnet.networkZone === candidate.network_zone)),
  );
  const fallback = offering.find((candidate) => !isUnavailable(state, type.name, candidate.name));
  if (!fallback) throw placementFailure();
  return (place ?? fallback).name;
}

function giveAddress(
  state: State,
  now: string,
  server: Server,
  type: PrimaryIp["type"],
  enabled: boolean,
  wanted?: number | null,
): void {
  if (!wanted) {
    if (enabled) addPrimaryIp(state, now, { type, location: server.location, autoDelete: true, serverId: server.id });
    return;
  }
  if (!enabled) throw invalidField(`public_net.${type}`, `must not be given when enable_${type} is false`);
  const ip = state.primaryIps.find((item) => item.id === wanted);
  if (!ip) throw invalidField(`public_net.${type}`, `primary IP with ID '${wanted}' not found`);
  if (ip.type !== type) throw new ApiError("primary_ip_version_mismatch", `the primary IP is not an ${type}`);
  if (ip.serverId !== null) throw new ApiError("primary_ip_assigned", "the primary IP is already assigned to a server");
  if (ip.location !== server.location) {
    throw new ApiError("primary_ip_datacenter_mismatch", "the primary IP is in another location than the server");
  }
  ip.serverId = server.id;
}

function keysOf(state: State, wanted: readonly string[]): string[] {
  return wanted.map((ref) => {
    const key = byIdOrName(state.sshKeys, ref);
    if (!key) throw invalidField("ssh_keys", `SSH key '${ref}' not found`);
    return key.publicKey;
  });
}

function joinGroup(state: State, server: Server, groupId: number): void {
  if (!state.placementGroups.some((group) => group.id === groupId)) {
    throw invalidField("placement_group", `placement group with ID '${groupId}' not found`);
  }
  assertRoomFor(state, groupId);
  server.placementGroupId = groupId;
}

export interface Creation {
  readonly server: Server;
  readonly action: Action;
  readonly nextActions: readonly Action[];
}

/**
 * `images` are the names that the backend offers; `password` becomes root's when the server gets no SSH key (a key makes
 * it useless, so then it is dropped).
 */
export function createServer(
  state: State,
  now: string,
  input: CreateInput,
  { images, password }: { readonly images: readonly string[]; readonly password: string },
): Creation {
  const type = findType(input.server_type);
  const image = findImage(input.image, images, type);
  if (state.servers.some((server) => server.name === input.name)) throw notUnique("server");
  const id = takeId(state);
  const server: Server = {
    id,
    name: input.name,
    labels: input.labels,
    created: now,
    type: type.name,
    diskSize: type.disk,
    location: choosePlace(state, now, input, type),
    image: image.name,
    userData: input.user_data,
    publicKeys: keysOf(state, input.ssh_keys),
    rootPassword: input.ssh_keys.length > 0 ? null : password,
    mac: publicMac(id),
    privateNets: [],
    placementGroupId: null,
    protection: { delete: false, rebuild: false },
    provisioned: false,
    power: "off",
  };
  state.servers.push(server);
  giveAddress(state, now, server, "ipv4", input.public_net.enable_ipv4, input.public_net.ipv4);
  giveAddress(state, now, server, "ipv6", input.public_net.enable_ipv6, input.public_net.ipv6);
  for (const network of input.networks) {
    if (!state.networks.some((item) => item.id === network)) {
      throw invalidField("networks", `network with ID '${network}' not found`);
    }
    addPrivateNet(state, server, { network, alias_ips: [] });
  }
  if (input.start_after_create) assertHasInterface(state, server);
  applyAtCreation(
    state,
    id,
    input.firewalls.map((item) => item.firewall),
  );
  assertFirewallLimit(state);
  if (input.placement_group !== undefined) joinGroup(state, server, input.placement_group);
  const action = startServerAction(state, now, "create_server", id, image);
  const nextActions = input.start_after_create ? [startServerAction(state, now, "start_server", id)] : [];
  return { server, action, nextActions };
}

function startServerAction(state: State, now: string, command: string, id: number, image?: Image): Action {
  const resources = [{ id, type: "server" }, ...(image ? [{ id: image.id, type: "image" }] : [])];
  return startAction(state, now, { command, resources, locks: true });
}

/** A server needs a public or a private interface to be powered on. */
export function assertHasInterface(state: State, server: Server): void {
  if (publicInterface(state, server) || server.privateNets.length > 0) return;
  throw new ApiError("unsupported_error", "a server requires at least one network interface to be powered on");
}

export function updateServer(state: State, id: number, input: z.output<typeof updateServerSchema>): Server {
  const server = byId(state.servers, id, "server");
  if (input.name !== undefined) {
    if (state.servers.some((other) => other.name === input.name && other.id !== id)) throw notUnique("server");
    server.name = input.name;
  }
  if (input.labels) server.labels = input.labels;
  assertFirewallLimit(state);
  return server;
}

/** The server, if no action locks it. */
function unlockedServer(state: State, id: number): Server {
  const server = byId(state.servers, id, "server");
  assertUnlocked(state, "server", id);
  return server;
}

/** Starts an action that only the backend carries out: power and the like. */
export function startPowerAction(state: State, now: string, command: string, id: number): Action {
  unlockedServer(state, id);
  return startServerAction(state, now, command, id);
}

export function startDeletion(state: State, now: string, id: number): Action {
  const server = unlockedServer(state, id);
  if (server.protection.delete) throw protectedFrom("server", "deletion");
  return startServerAction(state, now, "delete_server", id);
}

/** Forgets the server and everything that hangs on it: the last step of its deletion. */
export function forgetDeleted(state: State, id: number): void {
  releasePrimaryIps(state, id);
  releaseVolumes(state, id);
  forgetServer(state, id);
  forgetTarget(state, id);
  removeById(state.servers, id);
}

export function changeType(
  state: State,
  now: string,
  id: number,
  input: z.output<typeof changeTypeSchema>,
): { server: Server; action: Action } {
  const server = unlockedServer(state, id);
  const [before, after] = [serverTypeNamed(server.type), findType(input.server_type)];
  if (server.power !== "off") throw new ApiError("server_not_stopped", "the server must be powered off");
  if (before.architecture !== after.architecture) {
    throw new ApiError("invalid_server_type", "the server type has another architecture");
  }
  if (after.name === before.name || after.disk < server.diskSize || !isOffered(after, server.location, now)) {
    throw new ApiError(
      "invalid_server_type",
      `server type ${after.name} does not fit: same, smaller disk or deprecated`,
    );
  }
  if (isUnavailable(state, after.name, server.location)) throw placementFailure();
  server.type = after.name;
  if (input.upgrade_disk) server.diskSize = after.disk;
  return { server, action: startServerAction(state, now, "change_server_type", id) };
}

export function rebuild(
  state: State,
  now: string,
  id: number,
  input: z.output<typeof rebuildSchema>,
  images: readonly string[],
): { server: Server; action: Action } {
  const server = unlockedServer(state, id);
  if (server.protection.rebuild) throw protectedFrom("server", "rebuild");
  const image = findImage(input.image, images, serverTypeNamed(server.type));
  server.image = image.name;
  if (input.user_data !== undefined) server.userData = input.user_data;
  return { server, action: startServerAction(state, now, "rebuild_server", id, image) };
}

export function protectServer(
  state: State,
  now: string,
  id: number,
  input: z.output<typeof changeServerProtectionSchema>,
): Action {
  const server = byId(state.servers, id, "server");
  const wanted = { ...server.protection };
  if (input.delete !== undefined) wanted.delete = input.delete;
  if (input.rebuild !== undefined) wanted.rebuild = input.rebuild;
  if (wanted.delete !== wanted.rebuild) throw invalidField("rebuild", "delete and rebuild need to have the same value");
  server.protection = wanted;
  return recordAction(state, now, { command: "change_protection", resources: [{ id, type: "server" }] });
}

export function addToPlacementGroup(state: State, now: string, id: number, groupId: number): Action {
  const server = unlockedServer(state, id);
  const group = byId(state.placementGroups, groupId, "placement_group");
  if (server.power !== "off") throw new ApiError("server_not_stopped", "the server must be powered off");
  if (server.placementGroupId !== null)
    throw new ApiError("unsupported_error", "server is in a placement group already");
  joinGroup(state, server, group.id);
  const resources = [
    { id, type: "server" },
    { id: groupId, type: "placement_group" },
  ];
  return recordAction(state, now, { command: "add_to_placement_group", resources });
}

export function removeFromPlacementGroup(state: State, now: string, id: number): Action {
  const server = unlockedServer(state, id);
  if (server.placementGroupId === null) throw new ApiError("unsupported_error", "server is in no placement group");
  const resources = [
    { id, type: "server" },
    { id: server.placementGroupId, type: "placement_group" },
  ];
  server.placementGroupId = null;
  return recordAction(state, now, { command: "remove_from_placement_group", resources });
}

/** Cores, memory in MiB and disk in GiB, as the API sells them. */
export function sizeOf(server: Server): { cores: number; memory: number; disk: number } {
  const type = serverTypeNamed(server.type);
  return { cores: type.cores, memory: type.memory * MIB_PER_GIB, disk: server.diskSize };
}

export function machineSpec(state: State, server: Server): MachineSpec {
  const nic = publicInterface(state, server);
  const volumes = volumesOf(state, server.id);
  return {
    serverId: server.id,
    name: server.name,
    image: server.image,
    ...sizeOf(server),
    ...(nic ? { publicInterface: nic } : {}),
    privateInterfaces: server.privateNets.map(privateInterface),
    ...(volumes.length === 0 ? {} : { volumes }),
  };
}
