/** A server's interfaces in Networks: which address it gets and what the API refuses. */
import { z } from "zod";
import type { PrivateInterface } from "../backend.js";
import { startAction } from "./actions.js";
import {
  contains,
  firstFreeAddress,
  isAssignable,
  knownRange,
  overlaps,
  parseIpv4,
  parseRange,
  printIpv4,
  printRange,
  privateMac,
} from "./addresses.js";
import { locationNamed } from "./catalog/locations.js";
import { ApiError, invalidField } from "./errors.js";
import { attachedAddresses } from "./networks.js";
import {
  type Action,
  assertUnlocked,
  byId,
  type Network,
  type PrivateNet,
  type Server,
  type State,
  takeId,
} from "./state.js";
import { idSchema } from "./validation.js";

const MAX_NETWORKS = 3;
const MAX_ALIASES = 5;
const MAX_ATTACHED = 100;

export const attachSchema = z.object({
  network: idSchema,
  ip: z.string().optional(),
  ip_range: z.string().optional(),
  alias_ips: z.array(z.string()).max(MAX_ALIASES).default([]),
});
export const detachSchema = z.object({ network: idSchema });
export const changeAliasIpsSchema = z.object({ network: idSchema, alias_ips: z.array(z.string()).max(MAX_ALIASES) });

type AttachInput = z.output<typeof attachSchema>;

/** Network zone of the resource's location. */
export function zoneOf({ location }: { readonly location: string }): string {
  return locationNamed(location).network_zone;
}

/** Ranges that a resource in this network zone may take addresses from. */
function usableRanges(network: Network, zone: string) {
  return network.subnets
    .filter((subnet) => subnet.networkZone === zone && subnet.type !== "vswitch")
    .map((subnet) => knownRange(subnet.ipRange));
}

function assertAvailable(
  network: Network,
  zone: string,
  text: string,
  taken: ReadonlySet<number>,
  field: string,
): number {
  const address = parseIpv4(text);
  if (address === undefined) throw invalidField(field, "must be an IPv4 address");
  const subnet = usableRanges(network, zone).find((range) => contains(range, address));
  if (!subnet || !isAssignable(address, subnet, knownRange(network.ipRange)) || taken.has(address)) {
    throw new ApiError("ip_not_available", `IP ${text} is not available in the network`);
  }
  return address;
}

/** The address that a resource in this zone gets: the wished one, or the first free one. Throws when there is none. */
export function chooseAddress(
  network: Network,
  zone: string,
  input: Pick<AttachInput, "ip" | "ip_range">,
  taken: ReadonlySet<number>,
): number {
  if (input.ip !== undefined) {
    const address = assertAvailable(network, zone, input.ip, taken, "ip");
    if (input.ip_range !== undefined && !contains(subnetOf(network, input.ip_range), address)) {
      throw invalidField("ip", "must be within ip_range");
    }
    return address;
  }
  const ranges = usableRanges(network, zone);
  const wanted = input.ip_range === undefined ? undefined : printRange(subnetOf(network, input.ip_range));
  for (const range of ranges) {
    if (wanted !== undefined && printRange(range) !== wanted) continue;
    const address = firstFreeAddress(range, knownRange(network.ipRange), taken);
    if (address !== undefined) return address;
  }
  throw new ApiError("no_subnet_available", "no subnet or IP available within the network");
}

function subnetOf(network: Network, text: string) {
  const range = parseRange(text);
  if (!range || !network.subnets.some((subnet) => subnet.ipRange === printRange(range))) {
    throw invalidField("ip_range", "must be the ip_range of a subnet of the network");
  }
  return range;
}

function checkAliases(network: Network, server: Server, aliases: readonly string[], taken: Set<number>): string[] {
  return aliases.map((alias) => {
    const address = assertAvailable(network, zoneOf(server), alias, taken, "alias_ips");
    taken.add(address);
    return printIpv4(address);
  });
}

/** What is in use in the Network. Throws `resource_limit_exceeded` when it is full. */
export function takenAddresses(state: State, network: Network): Set<number> {
  const taken = new Set(attachedAddresses(state, network.id));
  if (taken.size >= MAX_ATTACHED) {
    throw new ApiError("resource_limit_exceeded", `a network has at most ${MAX_ATTACHED} IPs of attached resources`);
  }
  return taken;
}

/** Adds the interface to the server's record: at creation, or as the first half of {@link attachToNetwork}. */
export function addPrivateNet(state: State, server: Server, input: AttachInput): PrivateNet {
  const network = byId(state.networks, input.network, "network");
  if (server.privateNets.some((net) => net.networkId === network.id)) {
    throw new ApiError("server_already_attached", "the server is already attached to the network");
  }
  if (server.privateNets.length >= MAX_NETWORKS) {
    throw new ApiError("resource_limit_exceeded", `a server can be attached to at most ${MAX_NETWORKS} networks`);
  }
  for (const net of server.privateNets) {
    const other = byId(state.networks, net.networkId, "network");
    if (overlaps(knownRange(other.ipRange), knownRange(network.ipRange))) {
      throw new ApiError("networks_overlap", `the network overlaps with network ${other.name} of the server`);
    }
  }
  const taken = takenAddresses(state, network);
  const address = chooseAddress(network, zoneOf(server), input, taken);
  taken.add(address);
  const net: PrivateNet = {
    networkId: network.id,
    mac: privateMac(takeId(state)),
    ip: printIpv4(address),
    aliasIps: checkAliases(network, server, input.alias_ips, taken),
  };
  server.privateNets.push(net);
  return net;
}

function startChange(state: State, now: string, command: string, server: Server, networkId: number): Action {
  return startAction(state, now, {
    command,
    resources: [
      { id: server.id, type: "server" },
      { id: networkId, type: "network" },
    ],
    locks: true,
  });
}

export function attachToNetwork(state: State, now: string, serverId: number, input: AttachInput): Action {
  const server = byId(state.servers, serverId, "server");
  assertUnlocked(state, "server", serverId);
  addPrivateNet(state, server, input);
  return startChange(state, now, "attach_to_network", server, input.network);
}

function attachment(state: State, server: Server, networkId: number): PrivateNet {
  byId(state.networks, networkId, "network");
  const net = server.privateNets.find((item) => item.networkId === networkId);
  if (!net) throw new ApiError("not_found", `server is not attached to network with ID '${networkId}'`);
  return net;
}

export function detachFromNetwork(state: State, now: string, serverId: number, networkId: number): Action {
  const server = byId(state.servers, serverId, "server");
  assertUnlocked(state, "server", serverId);
  const net = attachment(state, server, networkId);
  server.privateNets = server.privateNets.filter((item) => item !== net);
  return startChange(state, now, "detach_from_network", server, networkId);
}

export function changeAliasIps(
  state: State,
  now: string,
  serverId: number,
  input: z.output<typeof changeAliasIpsSchema>,
): Action {
  const server = byId(state.servers, serverId, "server");
  assertUnlocked(state, "server", serverId);
  const net = attachment(state, server, input.network);
  const network = byId(state.networks, input.network, "network");
  net.aliasIps = [];
  net.aliasIps = checkAliases(network, server, input.alias_ips, new Set(attachedAddresses(state, network.id)));
  return startChange(state, now, "change_alias_ips", server, network.id);
}

export function privateInterface(net: PrivateNet): PrivateInterface {
  return { networkId: net.networkId, mac: net.mac, ip: net.ip, aliasIps: net.aliasIps };
}
