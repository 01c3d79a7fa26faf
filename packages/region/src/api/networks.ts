/** Networks with subnets and routes. Rules and limits are those of the public API's description and network overview. */
import { z } from "zod";
import type { NetworkSpec } from "../backend.js";
import { recordAction, startAction } from "./actions.js";
import {
  contains,
  firstFreeRange,
  gatewayOf,
  isPrivateRange,
  knownRange,
  overlaps,
  PUBLIC_GATEWAY,
  parseIpv4,
  parseRange,
  printRange,
} from "./addresses.js";
import { networkZones } from "./catalog/locations.js";
import { ApiError, invalidField, protectedFrom } from "./errors.js";
import { labelsSchema } from "./labels.js";
import {
  type Action,
  assertNameFree,
  byId,
  concerns,
  type Network,
  type Route,
  removeById,
  rename,
  type State,
  type Subnet,
  takeId,
} from "./state.js";
import { nameSchema, type protectionSchema, renameSchema } from "./validation.js";

const MAX_SUBNETS = 50;
const MAX_ROUTES = 100;
/** Prefix of a subnet whose range the API chooses, longest prefix of one, longest prefix of a Network. */
const CHOSEN_SUBNET_BITS = 24;
const MAX_SUBNET_BITS = 30;
const MAX_NETWORK_BITS = 24;

export const subnetSchema = z.object({
  type: z.enum(["cloud", "server", "vswitch"]),
  ip_range: z.string().optional(),
  network_zone: z.enum(networkZones as [string, ...string[]]),
  vswitch_id: z.number().int().positive().nullable().optional(),
});
export const routeSchema = z.object({ destination: z.string(), gateway: z.string() });
export const createNetworkSchema = z.object({
  name: nameSchema,
  ip_range: z.string(),
  subnets: z.array(subnetSchema).default([]),
  routes: z.array(routeSchema).default([]),
  labels: labelsSchema.default({}),
  expose_routes_to_vswitch: z.boolean().default(false),
});
export const updateNetworkSchema = renameSchema.extend({ expose_routes_to_vswitch: z.boolean().optional() });
export const ipRangeSchema = z.object({ ip_range: z.string() });

type SubnetInput = z.output<typeof subnetSchema>;

function networkRange(text: string): ReturnType<typeof knownRange> {
  const range = parseRange(text);
  if (!range) throw invalidField("ip_range", "must be a network in CIDR notation without host bits");
  if (!isPrivateRange(range)) throw invalidField("ip_range", "must be one of the private IPv4 ranges of RFC1918");
  if (range.bits > MAX_NETWORK_BITS) throw invalidField("ip_range", `must be at least a /${MAX_NETWORK_BITS}`);
  return range;
}

const subnetRanges = (network: Network) => network.subnets.map((subnet) => knownRange(subnet.ipRange));

function addSubnetTo(network: Network, input: SubnetInput): Subnet {
  if (network.subnets.length >= MAX_SUBNETS) {
    throw new ApiError("resource_limit_exceeded", `a network has at most ${MAX_SUBNETS} subnets`);
  }
  if (input.type === "vswitch" && !input.vswitch_id) throw invalidField("vswitch_id", "is required for type vswitch");
  if (input.type !== "vswitch" && input.vswitch_id) throw invalidField("vswitch_id", "is only for type vswitch");
  const outer = knownRange(network.ipRange);
  const taken = [
    ...subnetRanges(network),
    ...network.routes.map((route) => knownRange(route.destination)).filter((range) => range.bits > 0),
  ];
  const range =
    input.ip_range === undefined
      ? firstFreeRange(outer, Math.max(CHOSEN_SUBNET_BITS, outer.bits), taken)
      : parseRange(input.ip_range);
  if (!range) {
    if (input.ip_range === undefined) throw invalidField("ip_range", "there is no free /24 in the network");
    throw invalidField("ip_range", "must be a network in CIDR notation without host bits");
  }
  if (range.bits > MAX_SUBNET_BITS) throw invalidField("ip_range", `must be at least a /${MAX_SUBNET_BITS}`);
  if (!contains(outer, range)) throw invalidField("ip_range", "must be within the ip_range of the network");
  if (taken.some((other) => overlaps(range, other))) {
    throw invalidField("ip_range", "overlaps with another subnet or with the destination of a route");
  }
  const subnet: Subnet = {
    type: input.type,
    ipRange: printRange(range),
    networkZone: input.network_zone,
    vswitchId: input.vswitch_id ?? null,
  };
  network.subnets.push(subnet);
  return subnet;
}

function addRouteTo(network: Network, input: Route): void {
  if (network.routes.length >= MAX_ROUTES) {
    throw new ApiError("resource_limit_exceeded", `a network has at most ${MAX_ROUTES} routes`);
  }
  const destination = parseRange(input.destination);
  if (!destination) throw invalidField("destination", "must be a network in CIDR notation without host bits");
  const isDefault = destination.bits === 0;
  if (!isDefault && !isPrivateRange(destination)) {
    throw invalidField("destination", "must be one of the private IPv4 ranges of RFC1918 or 0.0.0.0/0");
  }
  const hop = knownRange(`${PUBLIC_GATEWAY}/32`);
  if (!isDefault && overlaps(destination, hop)) throw invalidField("destination", `must not contain ${PUBLIC_GATEWAY}`);
  if (!isDefault && subnetRanges(network).some((range) => overlaps(range, destination))) {
    throw invalidField("destination", "overlaps with a subnet");
  }
  const others = network.routes.map((route) => knownRange(route.destination));
  if (others.some((other) => (isDefault ? other.bits === 0 : other.bits > 0 && overlaps(other, destination)))) {
    throw invalidField("destination", "overlaps with the destination of another route");
  }
  const gateway = parseIpv4(input.gateway);
  if (gateway === undefined) throw invalidField("gateway", "must be an IPv4 address");
  if (!contains(knownRange(network.ipRange), gateway)) {
    throw invalidField("gateway", "must be within the ip_range of the network");
  }
  if (input.gateway === gatewayOf(network.ipRange) || input.gateway === PUBLIC_GATEWAY) {
    throw invalidField("gateway", `must be neither the first IP of the network's ip_range nor ${PUBLIC_GATEWAY}`);
  }
  if (network.subnets.some((subnet) => subnet.type === "vswitch" && contains(knownRange(subnet.ipRange), gateway))) {
    throw invalidField("gateway", "must not be an IP behind a vSwitch");
  }
  network.routes.push({ destination: printRange(destination), gateway: input.gateway });
}

export function createNetwork(state: State, now: string, input: z.output<typeof createNetworkSchema>): Network {
  assertNameFree(state.networks, input.name, "network");
  const network: Network = {
    id: takeId(state),
    name: input.name,
    ipRange: printRange(networkRange(input.ip_range)),
    subnets: [],
    routes: [],
    labels: input.labels,
    created: now,
    protection: { delete: false },
    exposeRoutesToVswitch: input.expose_routes_to_vswitch,
  };
  for (const subnet of input.subnets) addSubnetTo(network, subnet);
  for (const route of input.routes) addRouteTo(network, route);
  state.networks.push(network);
  return network;
}

export function updateNetwork(state: State, id: number, input: z.output<typeof updateNetworkSchema>): Network {
  const network = rename(state.networks, id, "network", input);
  if (input.expose_routes_to_vswitch !== undefined) network.exposeRoutesToVswitch = input.expose_routes_to_vswitch;
  return network;
}

/** The Network, if no change of it runs; `conflict` otherwise, which clients retry. */
function changeable(state: State, id: number): Network {
  const network = byId(state.networks, id, "network");
  const busy = state.actions.some((action) => action.status === "running" && changesNetwork(action, id));
  if (busy) throw new ApiError("conflict", "network is being changed by another action");
  return network;
}

function changesNetwork(action: Action, id: number): boolean {
  return (
    concerns(action, "network", id) &&
    !action.resources.some(({ type }) => type === "server" || type === "load_balancer")
  );
}

function startChange(state: State, now: string, command: string, id: number): Action {
  return startAction(state, now, { command, resources: [{ id, type: "network" }] });
}

export function addSubnet(state: State, now: string, id: number, input: SubnetInput): Action {
  addSubnetTo(changeable(state, id), input);
  return startChange(state, now, "add_subnet", id);
}

export function deleteSubnet(state: State, now: string, id: number, ipRange: string): Action {
  const network = changeable(state, id);
  const range = parseRange(ipRange);
  const index = network.subnets.findIndex((subnet) => range && subnet.ipRange === printRange(range));
  if (index < 0 || !range) throw new ApiError("not_found", `subnet with ip_range '${ipRange}' not found`);
  if (attachedAddresses(state, id).some((address) => contains(range, address))) {
    throw new ApiError("service_error", "cannot remove subnet because servers are attached to it");
  }
  network.subnets.splice(index, 1);
  return startChange(state, now, "delete_subnet", id);
}

export function addRoute(state: State, now: string, id: number, route: Route): Action {
  addRouteTo(changeable(state, id), route);
  return startChange(state, now, "add_route", id);
}

export function deleteRoute(state: State, now: string, id: number, route: Route): Action {
  const network = changeable(state, id);
  const index = network.routes.findIndex(
    (item) => item.destination === route.destination && item.gateway === route.gateway,
  );
  if (index < 0) throw new ApiError("not_found", `route to '${route.destination}' not found`);
  network.routes.splice(index, 1);
  return startChange(state, now, "delete_route", id);
}

/** Ranges only grow, and only at their end. */
export function changeIpRange(state: State, now: string, id: number, ipRange: string): Action {
  const network = changeable(state, id);
  const [before, after] = [knownRange(network.ipRange), networkRange(ipRange)];
  if (after.first !== before.first || after.bits >= before.bits) {
    throw invalidField("ip_range", "can only be extended at its end: same first IP, smaller netmask");
  }
  network.ipRange = printRange(after);
  return startChange(state, now, "change_ip_range", id);
}

export function protectNetwork(
  state: State,
  now: string,
  id: number,
  input: z.output<typeof protectionSchema>,
): Action {
  const network = byId(state.networks, id, "network");
  network.protection.delete = input.delete ?? network.protection.delete;
  return recordAction(state, now, { command: "change_protection", resources: [{ id, type: "network" }] });
}

/** Removes the Network and its attachments; returns the servers that lost their interface in it. */
export function deleteNetwork(state: State, id: number): number[] {
  const network = changeable(state, id);
  if (network.protection.delete) throw protectedFrom("network", "deletion");
  const attached = state.servers.filter((server) => server.privateNets.some((net) => net.networkId === id));
  for (const resource of [...attached, ...state.loadBalancers]) {
    resource.privateNets = resource.privateNets.filter((net) => net.networkId !== id) as typeof resource.privateNets;
  }
  removeById(state.networks, id);
  return attached.map((server) => server.id);
}

/** All addresses of servers and Load Balancers in the Network, aliases included, as numbers. */
export function attachedAddresses(state: State, networkId: number): number[] {
  const balancers = state.loadBalancers.flatMap(({ privateNets }) =>
    privateNets.map((net) => ({ ...net, aliasIps: [] })),
  );
  return [...state.servers.flatMap((server) => server.privateNets), ...balancers]
    .filter((net) => net.networkId === networkId)
    .flatMap((net) => [net.ip, ...net.aliasIps])
    .map((ip) => parseIpv4(ip))
    .filter((ip) => ip !== undefined);
}

export function networkSpec(network: Network): NetworkSpec {
  return {
    networkId: network.id,
    ipRange: network.ipRange,
    subnets: network.subnets.map((subnet) => ({ ipRange: subnet.ipRange, gateway: gatewayOf(network.ipRange) })),
    routes: network.routes.map(({ destination, gateway }) => ({ destination, gateway })),
  };
}

export function networkView(state: State, network: Network) {
  return {
    id: network.id,
    name: network.name,
    ip_range: network.ipRange,
    subnets: network.subnets.map((subnet) => ({
      type: subnet.type,
      ip_range: subnet.ipRange,
      network_zone: subnet.networkZone,
      gateway: gatewayOf(network.ipRange),
      vswitch_id: subnet.vswitchId,
    })),
    routes: network.routes,
    servers: state.servers
      .filter((server) => server.privateNets.some((net) => net.networkId === network.id))
      .map((server) => server.id),
    load_balancers: state.loadBalancers
      .filter(({ privateNets }) => privateNets.some((net) => net.networkId === network.id))
      .map((balancer) => balancer.id),
    protection: network.protection,
    labels: network.labels,
    created: network.created,
    expose_routes_to_vswitch: network.exposeRoutesToVswitch,
  };
}
