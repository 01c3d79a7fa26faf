/** A server as the API shows it. */
import { imageNamed, imageView } from "./catalog/images.js";
import { locationNamed } from "./catalog/locations.js";
import { includedTraffic, serverTypeNamed, serverTypeView } from "./catalog/serverTypes.js";
import { datacenterView } from "./catalog/views.js";
import { firewallStatus, firewallsOf } from "./firewalls.js";
import { balancersOf } from "./loadBalancerTargets.js";
import { placementGroupView } from "./placementGroups.js";
import { dnsPtrView, primaryIpOf } from "./primaryIps.js";
import { concerns, isLocked, type Server, type State } from "./state.js";
import { volumesOf } from "./volumes.js";

const STATUS_OF_COMMAND: Readonly<Record<string, string>> = {
  create_server: "initializing",
  delete_server: "deleting",
  rebuild_server: "rebuilding",
  change_server_type: "migrating",
  start_server: "starting",
  stop_server: "stopping",
};

/** What the oldest running action makes of the server, else its power state. */
export function statusOf(state: State, server: Server): string {
  for (const action of state.actions) {
    const status = STATUS_OF_COMMAND[action.command];
    if (status !== undefined && action.status === "running" && concerns(action, "server", server.id)) return status;
  }
  return server.power;
}

function publicNetView(state: State, server: Server) {
  const ipv4 = primaryIpOf(state, server.id, "ipv4");
  const ipv6 = primaryIpOf(state, server.id, "ipv6");
  return {
    ipv4: ipv4 ? { id: ipv4.id, ip: ipv4.ip, blocked: false, dns_ptr: dnsPtrView(ipv4)[0]?.dns_ptr ?? "" } : null,
    ipv6: ipv6 ? { id: ipv6.id, ip: ipv6.ip, blocked: false, dns_ptr: dnsPtrView(ipv6) } : null,
    floating_ips: [],
    firewalls: firewallsOf(state, server).map((firewall) => ({
      id: firewall.id,
      status: firewallStatus(state, firewall.id, server.id),
    })),
  };
}

export function serverView(state: State, server: Server, now: string) {
  const type = serverTypeNamed(server.type);
  const group = state.placementGroups.find((item) => item.id === server.placementGroupId);
  return {
    id: server.id,
    name: server.name,
    status: statusOf(state, server),
    created: server.created,
    public_net: publicNetView(state, server),
    private_net: server.privateNets.map((net) => ({
      network: net.networkId,
      ip: net.ip,
      alias_ips: net.aliasIps,
      mac_address: net.mac,
    })),
    server_type: serverTypeView(type),
    datacenter: datacenterView(server.location, now),
    location: locationNamed(server.location),
    image: imageView(imageNamed(server.image)),
    iso: null,
    rescue_enabled: false,
    locked: isLocked(state, "server", server.id),
    backup_window: null,
    outgoing_traffic: 0,
    ingoing_traffic: 0,
    included_traffic: includedTraffic(type, server.location),
    protection: server.protection,
    labels: server.labels,
    volumes: volumesOf(state, server.id),
    load_balancers: balancersOf(state, server.id),
    primary_disk_size: server.diskSize,
    placement_group: group ? placementGroupView(state, group) : null,
  };
}
