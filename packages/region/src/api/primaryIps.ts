/** Primary IPs: public addresses, which exist on their own and are assigned to servers. */
import { z } from "zod";
import type { PublicInterface } from "../backend.js";
import { recordAction, startAction } from "./actions.js";
import { freePublicIpv4, freePublicIpv6, inIpv6Network } from "./addresses.js";
import { locationNamed } from "./catalog/locations.js";
import { datacenterView, findLocation } from "./catalog/views.js";
import { ApiError, invalidField, protectedFrom } from "./errors.js";
import { labelsSchema } from "./labels.js";
import {
  type Action,
  assertNameFree,
  assertUnlocked,
  byId,
  type PrimaryIp,
  removeById,
  rename,
  type Server,
  type State,
  takeId,
} from "./state.js";
import { dnsPtrSchema, idSchema, nameSchema, type protectionSchema, renameSchema } from "./validation.js";

export const createPrimaryIpSchema = z.object({
  name: nameSchema,
  type: z.enum(["ipv4", "ipv6"]),
  assignee_type: z.literal("server"),
  assignee_id: idSchema.nullable().optional(),
  location: z.string().optional(),
  datacenter: z.string().optional(),
  auto_delete: z.boolean().default(false),
  labels: labelsSchema.default({}),
});
export const updatePrimaryIpSchema = renameSchema.extend({ auto_delete: z.boolean().optional() });
export const assignSchema = z.object({ assignee_id: idSchema, assignee_type: z.literal("server") });
export const changeDnsPtrSchema = z.object({ ip: z.string(), dns_ptr: dnsPtrSchema });

type PrimaryIpType = PrimaryIp["type"];

/** The next public address or /64 that nothing has. Throws `resource_unavailable`. */
export function freeAddress(state: State, type: PrimaryIpType): string {
  const balancers = state.loadBalancers.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
  const taken = new Set([...state.primaryIps.map((ip) => ip.ip), ...balancers]);
  const address = type === "ipv4" ? freePublicIpv4(taken) : freePublicIpv6(taken);
  if (address === undefined) throw new ApiError("resource_unavailable", `the region has no free ${type} address`);
  return address;
}

/** Takes the next free address. */
export function addPrimaryIp(
  state: State,
  now: string,
  input: {
    readonly name?: string;
    readonly type: PrimaryIpType;
    readonly location: string;
    readonly autoDelete: boolean;
    readonly serverId: number | null;
    readonly labels?: Record<string, string>;
  },
): PrimaryIp {
  const address = freeAddress(state, input.type);
  const id = takeId(state);
  const ip: PrimaryIp = {
    id,
    name: input.name ?? `primary_ip-${id}`,
    type: input.type,
    ip: address,
    serverId: input.serverId,
    autoDelete: input.autoDelete,
    location: input.location,
    labels: input.labels ?? {},
    created: now,
    protection: { delete: false },
    dnsPtr: [],
  };
  state.primaryIps.push(ip);
  return ip;
}

/** The server's primary IP of this family, if it has one. */
export function primaryIpOf(state: State, serverId: number, type: PrimaryIpType): PrimaryIp | undefined {
  return state.primaryIps.find((ip) => ip.serverId === serverId && ip.type === type);
}

function assertAssignable(state: State, server: Server, type: PrimaryIpType, location: string): void {
  assertUnlocked(state, "server", server.id);
  if (server.power !== "off") throw new ApiError("server_not_stopped", "the server must be powered off");
  if (primaryIpOf(state, server.id, type)) {
    throw new ApiError(type === "ipv4" ? "server_has_ipv4" : "server_has_ipv6", `the server already has an ${type}`);
  }
  if (server.location !== location) {
    throw new ApiError("primary_ip_datacenter_mismatch", "the primary IP is in another location than the server");
  }
}

function startAssignment(state: State, now: string, command: string, ip: PrimaryIp, serverId: number): Action {
  return startAction(state, now, {
    command,
    resources: [
      { id: ip.id, type: "primary_ip" },
      { id: serverId, type: "server" },
    ],
    locks: true,
  });
}

function locationOf(state: State, input: z.output<typeof createPrimaryIpSchema>): string {
  if (input.assignee_id) {
    if (input.location || input.datacenter) throw invalidField("location", "must not be given with assignee_id");
    return byId(state.servers, input.assignee_id, "server").location;
  }
  return findLocation(input.location, input.datacenter) ?? missingLocation();
}

function missingLocation(): never {
  throw invalidField("location", "is required when the primary IP is not assigned to a resource");
}

export function createPrimaryIp(
  state: State,
  now: string,
  input: z.output<typeof createPrimaryIpSchema>,
): { primaryIp: PrimaryIp; action: Action | undefined } {
  assertNameFree(state.primaryIps, input.name, "primary_ip");
  const location = locationOf(state, input);
  const server = input.assignee_id ? byId(state.servers, input.assignee_id, "server") : undefined;
  if (server) assertAssignable(state, server, input.type, location);
  const primaryIp = addPrimaryIp(state, now, {
    name: input.name,
    type: input.type,
    location,
    autoDelete: input.auto_delete,
    serverId: server?.id ?? null,
    labels: input.labels,
  });
  if (!server) return { primaryIp, action: undefined };
  return { primaryIp, action: startAssignment(state, now, "assign_primary_ip", primaryIp, server.id) };
}

export function updatePrimaryIp(state: State, id: number, input: z.output<typeof updatePrimaryIpSchema>): PrimaryIp {
  const ip = rename(state.primaryIps, id, "primary_ip", input);
  if (input.auto_delete && ip.protection.delete) throw protectedFrom("primary_ip", "deletion");
  if (input.auto_delete !== undefined) ip.autoDelete = input.auto_delete;
  return ip;
}

export function deletePrimaryIp(state: State, id: number): void {
  const ip = byId(state.primaryIps, id, "primary_ip");
  if (ip.protection.delete) throw protectedFrom("primary_ip", "deletion");
  if (ip.serverId !== null) throw new ApiError("must_be_unassigned", "the primary IP must be unassigned first");
  removeById(state.primaryIps, id);
}

export function assignPrimaryIp(state: State, now: string, id: number, serverId: number): Action {
  const ip = byId(state.primaryIps, id, "primary_ip");
  const server = byId(state.servers, serverId, "server");
  if (ip.serverId !== null) {
    throw new ApiError("primary_ip_already_assigned", "the primary IP is already assigned to a server");
  }
  assertAssignable(state, server, ip.type, ip.location);
  ip.serverId = serverId;
  return startAssignment(state, now, "assign_primary_ip", ip, serverId);
}

/** Returns the server that lost the address beside the action. */
export function unassignPrimaryIp(state: State, now: string, id: number): { action: Action; serverId: number } {
  const ip = byId(state.primaryIps, id, "primary_ip");
  if (ip.serverId === null) throw new ApiError("unsupported_error", "the primary IP is not assigned");
  const server = byId(state.servers, ip.serverId, "server");
  assertUnlocked(state, "server", server.id);
  if (server.power !== "off") throw new ApiError("server_not_stopped", "the server must be powered off");
  ip.serverId = null;
  return { action: startAssignment(state, now, "unassign_primary_ip", ip, server.id), serverId: server.id };
}

export function changeDnsPtr(
  state: State,
  now: string,
  id: number,
  input: z.output<typeof changeDnsPtrSchema>,
): Action {
  const ip = byId(state.primaryIps, id, "primary_ip");
  setDnsPtr(ip, input);
  return recordAction(state, now, { command: "change_dns_ptr", resources: [{ id, type: "primary_ip" }] });
}

export function setDnsPtr(ip: PrimaryIp, input: z.output<typeof changeDnsPtrSchema>): void {
  if (!holds(ip, input.ip)) throw invalidField("ip", "is not an address of the primary IP");
  ip.dnsPtr = ip.dnsPtr.filter((entry) => entry.ip !== input.ip);
  if (input.dns_ptr !== null) ip.dnsPtr.push({ ip: input.ip, dnsPtr: input.dns_ptr });
}

/** Whether `address` is the primary IP or lies in its network. */
export function holds(ip: PrimaryIp, address: string): boolean {
  return ip.type === "ipv4" ? ip.ip === address : inIpv6Network(address, ip.ip);
}

export function protectPrimaryIp(
  state: State,
  now: string,
  id: number,
  input: z.output<typeof protectionSchema>,
): Action {
  const ip = byId(state.primaryIps, id, "primary_ip");
  if (input.delete && ip.autoDelete) throw invalidField("delete", "cannot be enabled while auto_delete is true");
  ip.protection.delete = input.delete ?? ip.protection.delete;
  return recordAction(state, now, { command: "change_protection", resources: [{ id, type: "primary_ip" }] });
}

/** Primary IPs of a server that is gone: those with auto_delete go too, the others are free again. */
export function releasePrimaryIps(state: State, serverId: number): void {
  for (const ip of state.primaryIps.filter((item) => item.serverId === serverId)) {
    if (ip.autoDelete) removeById(state.primaryIps, ip.id);
    else ip.serverId = null;
  }
}

/** The public interface as the backend wants it; undefined for a server without public addresses. */
export function publicInterface(state: State, server: Server): PublicInterface | undefined {
  const ipv4 = primaryIpOf(state, server.id, "ipv4");
  const ipv6 = primaryIpOf(state, server.id, "ipv6");
  if (!ipv4 && !ipv6) return undefined;
  return { mac: server.mac, ...(ipv4 ? { ipv4: ipv4.ip } : {}), ...(ipv6 ? { ipv6Network: ipv6.ip } : {}) };
}

/** The PTR record of an IPv4 address that nobody set one for. */
export function genericPtr(ipv4: string): string {
  return `static.${ipv4.split(".").reverse().join(".")}.clients.your-server.de`;
}

/** PTR records: those that were set, and Hetzner's generic one for an IPv4 address without. */
export function dnsPtrView(ip: PrimaryIp): { ip: string; dns_ptr: string }[] {
  const entries = ip.dnsPtr.map((entry) => ({ ip: entry.ip, dns_ptr: entry.dnsPtr }));
  if (ip.type === "ipv6" || entries.length > 0) return entries;
  return [{ ip: ip.ip, dns_ptr: genericPtr(ip.ip) }];
}

export function primaryIpView(ip: PrimaryIp, now: string) {
  return {
    id: ip.id,
    name: ip.name,
    type: ip.type,
    ip: ip.ip,
    assignee_id: ip.serverId,
    assignee_type: "server",
    auto_delete: ip.autoDelete,
    blocked: false,
    created: ip.created,
    location: locationNamed(ip.location),
    datacenter: datacenterView(ip.location, now),
    dns_ptr: dnsPtrView(ip),
    labels: ip.labels,
    protection: ip.protection,
  };
}
