/** Load Balancers as the API's own state sees them; the backend has what carries the connections. */
import { z } from "zod";
import type { LoadBalancerSpec, TargetHealth } from "../backend.js";
import { recordAction, startAction } from "./actions.js";
import { hostOfIpv6Network, printIpv4 } from "./addresses.js";
import { findLoadBalancerType } from "./catalog/loadBalancerTypes.js";
import { locationNamed, locations } from "./catalog/locations.js";
import { findLocation } from "./catalog/views.js";
import { ApiError, invalidField, protectedFrom } from "./errors.js";
import { labelsSchema } from "./labels.js";
import { addServiceTo, balancedService, serviceSchema, serviceView } from "./loadBalancerServices.js";
import { addTargetTo, assertTargetLimit, balancedTargets, targetSchema, targetView } from "./loadBalancerTargets.js";
import { freeAddress, genericPtr } from "./primaryIps.js";
import { chooseAddress, takenAddresses, zoneOf } from "./serverNetworks.js";
import {
  type Action,
  assertNameFree,
  assertUnlocked,
  byId,
  type LoadBalancer,
  removeById,
  type State,
  takeId,
} from "./state.js";
import { dnsPtrSchema, idOrNameSchema, idSchema, nameSchema, type protectionSchema } from "./validation.js";

const algorithmType = z.enum(["round_robin", "least_connections"]);

export const createLoadBalancerSchema = z.object({
  name: nameSchema,
  load_balancer_type: idOrNameSchema,
  location: z.string().optional(),
  network_zone: z.string().optional(),
  algorithm: z.object({ type: algorithmType.default("round_robin") }).default({ type: "round_robin" }),
  labels: labelsSchema.default({}),
  network: idSchema.optional(),
  public_interface: z.boolean().default(true),
  services: z.array(serviceSchema).default([]),
  targets: z.array(targetSchema).default([]),
});
export const changeAlgorithmSchema = z.object({ type: algorithmType });
export const changeBalancerTypeSchema = z.object({ load_balancer_type: idOrNameSchema });
export const attachBalancerSchema = z.object({
  network: idSchema,
  ip: z.string().optional(),
  ip_range: z.string().optional(),
});
export const changeBalancerDnsSchema = z.object({ ip: z.string(), dns_ptr: dnsPtrSchema });

function placeOf(input: z.output<typeof createLoadBalancerSchema>): string {
  const { location, network_zone: zone } = input;
  if ((location === undefined) === (zone === undefined)) {
    throw invalidField("location", "exactly one of location and network_zone is required");
  }
  const found = findLocation(location, undefined) ?? locations.find((item) => item.network_zone === zone)?.name;
  if (found === undefined) throw invalidField("network_zone", `network zone '${zone}' not found`);
  return found;
}

export function createLoadBalancer(
  state: State,
  now: string,
  input: z.output<typeof createLoadBalancerSchema>,
): { balancer: LoadBalancer; action: Action } {
  assertNameFree(state.loadBalancers, input.name, "load_balancer");
  const id = takeId(state);
  const balancer: LoadBalancer = {
    id,
    name: input.name,
    labels: input.labels,
    created: now,
    type: findLoadBalancerType(input.load_balancer_type).name,
    location: placeOf(input),
    algorithm: input.algorithm.type,
    publicEnabled: input.public_interface,
    ipv4: freeAddress(state, "ipv4"),
    ipv6: freeAddress(state, "ipv6"),
    dnsPtr: [],
    privateNets: [],
    services: [],
    targets: [],
    protection: { delete: false },
  };
  state.loadBalancers.push(balancer);
  if (input.network !== undefined) attach(state, balancer, { network: input.network });
  for (const service of input.services) addServiceTo(balancer, service);
  for (const target of input.targets) addTargetTo(state, balancer, target);
  return { balancer, action: startChange(state, now, "create_load_balancer", id) };
}

function startChange(state: State, now: string, command: string, id: number, networkId?: number): Action {
  const network = networkId === undefined ? [] : [{ id: networkId, type: "network" }];
  return startAction(state, now, { command, resources: [{ id, type: "load_balancer" }, ...network], locks: true });
}

/** Changes the Load Balancer if no action locks it, and starts the action that brings the backend there. */
export function changeLoadBalancer(
  state: State,
  now: string,
  command: string,
  id: number,
  change: (balancer: LoadBalancer) => void,
  networkId?: number,
): Action {
  const balancer = byId(state.loadBalancers, id, "load_balancer");
  assertUnlocked(state, "load_balancer", id);
  change(balancer);
  return startChange(state, now, command, id, networkId);
}

export function changeBalancerType(state: State, balancer: LoadBalancer, wanted: string): void {
  const type = findLoadBalancerType(wanted);
  if (type.name === balancer.type || type.max_services < balancer.services.length) {
    throw new ApiError("invalid_load_balancer_type", `type ${type.name} does not fit: same, or too few services`);
  }
  balancer.type = type.name;
  assertTargetLimit(state, balancer);
}

/** Gives it an address in the Network. At most one Network at a time. */
export function attach(state: State, balancer: LoadBalancer, input: z.output<typeof attachBalancerSchema>): void {
  const network = byId(state.networks, input.network, "network");
  if (balancer.privateNets.length > 0) {
    throw new ApiError("load_balancer_already_attached", "the load balancer is already attached to a network");
  }
  const address = chooseAddress(network, zoneOf(balancer), input, takenAddresses(state, network));
  balancer.privateNets.push({ networkId: network.id, ip: printIpv4(address) });
}

/** Targets by private address stay, without one to connect to until it is attached again. */
export function detach(state: State, balancer: LoadBalancer, networkId: number): void {
  byId(state.networks, networkId, "network");
  const kept = balancer.privateNets.filter((net) => net.networkId !== networkId);
  if (kept.length === balancer.privateNets.length) {
    throw new ApiError("not_found", `load balancer is not attached to network with ID '${networkId}'`);
  }
  balancer.privateNets = kept;
}

export function disablePublic(balancer: LoadBalancer): void {
  if (balancer.privateNets.length === 0) {
    throw new ApiError("load_balancer_not_attached_to_network", "the load balancer is not attached to a network");
  }
  if (balancer.targets.some((target) => !target.usePrivateIp)) {
    throw new ApiError("targets_without_use_private_ip", "the load balancer has targets that use the public IP");
  }
  balancer.publicEnabled = false;
}

export function startBalancerDeletion(state: State, id: number): void {
  const balancer = byId(state.loadBalancers, id, "load_balancer");
  assertUnlocked(state, "load_balancer", id);
  if (balancer.protection.delete) throw protectedFrom("load_balancer", "deletion");
  removeById(state.loadBalancers, id);
}

function record(state: State, now: string, command: string, id: number): Action {
  return recordAction(state, now, { command, resources: [{ id, type: "load_balancer" }] });
}

export function protectLoadBalancer(
  state: State,
  now: string,
  id: number,
  input: z.output<typeof protectionSchema>,
): Action {
  const balancer = byId(state.loadBalancers, id, "load_balancer");
  balancer.protection.delete = input.delete ?? balancer.protection.delete;
  return record(state, now, "change_protection", id);
}

export function changeBalancerDns(
  state: State,
  now: string,
  id: number,
  { ip, dns_ptr: dnsPtr }: z.output<typeof changeBalancerDnsSchema>,
): Action {
  const balancer = byId(state.loadBalancers, id, "load_balancer");
  if (ip !== balancer.ipv4 && ip !== hostOfIpv6Network(balancer.ipv6)) {
    throw invalidField("ip", "is not a public address of the load balancer");
  }
  balancer.dnsPtr = balancer.dnsPtr.filter((entry) => entry.ip !== ip);
  if (dnsPtr !== null) balancer.dnsPtr.push({ ip, dnsPtr });
  return record(state, now, "change_dns_ptr", id);
}

export function loadBalancerSpec(state: State, balancer: LoadBalancer): LoadBalancerSpec {
  const { ipv4, ipv6: ipv6Network } = balancer;
  return {
    loadBalancerId: balancer.id,
    ...(balancer.publicEnabled ? { publicInterface: { ipv4, ipv6Network } } : {}),
    privateInterfaces: balancer.privateNets.map(({ networkId, ip }) => ({
      networkId,
      ip,
      ipRange: byId(state.networks, networkId, "network").ipRange,
    })),
    algorithm: balancer.algorithm,
    maxConnections: findLoadBalancerType(balancer.type).max_connections,
    services: balancer.services.map(balancedService),
    targets: balancedTargets(state, balancer),
  };
}

export function loadBalancerView(state: State, balancer: LoadBalancer, health: readonly TargetHealth[]) {
  const type = findLoadBalancerType(balancer.type);
  const ipv6 = hostOfIpv6Network(balancer.ipv6);
  const ptr = (ip: string) => balancer.dnsPtr.find((entry) => entry.ip === ip)?.dnsPtr;
  return {
    id: balancer.id,
    name: balancer.name,
    labels: balancer.labels,
    created: balancer.created,
    location: locationNamed(balancer.location),
    load_balancer_type: type,
    algorithm: { type: balancer.algorithm },
    public_net: {
      enabled: balancer.publicEnabled,
      ipv4: { ip: balancer.ipv4, dns_ptr: ptr(balancer.ipv4) ?? genericPtr(balancer.ipv4) },
      ipv6: { ip: ipv6, dns_ptr: ptr(ipv6) ?? null },
    },
    private_net: balancer.privateNets.map(({ networkId, ip }) => ({ network: networkId, ip })),
    services: balancer.services.map(serviceView),
    targets: balancer.targets.map((target) => targetView(state, balancer, target, health)),
    protection: balancer.protection,
    included_traffic: type.prices.find(({ location }) => location === balancer.location)?.included_traffic ?? 0,
    ingoing_traffic: 0,
    outgoing_traffic: 0,
  };
}
