/**
 * The metadata service as Hetzner's serves it at http://169.254.169.254/hetzner/v1: in the shapes that cloud-init's
 * Hetzner data source reads. The server is known by the address that the request comes from.
 */
import Fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import { stringify } from "yaml";
import { ASKING } from "../backend.js";
import {
  contains,
  gatewayOf,
  hostOfIpv6Network,
  knownRange,
  linkLocalOf,
  parseIpv4,
  plainAddress,
} from "./addresses.js";
import { datacenterName } from "./catalog/views.js";
import type { Engine } from "./engine.js";
import { holds, primaryIpOf } from "./primaryIps.js";
import { zoneOf } from "./serverNetworks.js";
import { byId, type Server, type State } from "./state.js";

/** The region's router answers DNS for its servers at the public gateway's address. */
const NAMESERVERS = ["172.31.1.1"];
const IPV6_GATEWAY = "fe80::1";

/**
 * The server that has this address: public IPv4, inside its IPv6 network, the link-local address of one of its
 * interfaces, or an address in a Network (aliases included; `networkId` says in which, as Networks may overlap).
 */
export function findServerByAddress(state: State, address: string, networkId?: number): Server | undefined {
  const wanted = plainAddress(address).toLowerCase();
  const owner = state.primaryIps.find((ip) => ip.serverId !== null && holds(ip, wanted))?.serverId;
  if (owner !== undefined) return state.servers.find((server) => server.id === owner);
  return state.servers.find((server) => {
    const nets = server.privateNets.filter((net) => networkId === undefined || net.networkId === networkId);
    const macs = [server.mac, ...nets.map((net) => net.mac)];
    return (
      nets.some((net) => net.ip === wanted || net.aliasIps.includes(wanted)) ||
      macs.some((mac) => linkLocalOf(mac) === wanted)
    );
  });
}

function networkConfig(state: State, server: Server) {
  const ipv4 = primaryIpOf(state, server.id, "ipv4");
  const ipv6 = primaryIpOf(state, server.id, "ipv6");
  const subnets = [
    ...(ipv4 ? [{ dns_nameservers: NAMESERVERS, ipv4: true, type: "dhcp" }] : []),
    ...(ipv6
      ? [
          {
            address: `${hostOfIpv6Network(ipv6.ip)}/64`,
            ...(ipv4 ? {} : { dns_nameservers: NAMESERVERS }),
            gateway: IPV6_GATEWAY,
            ipv6: true,
            type: "static",
          },
        ]
      : []),
  ];
  const config = subnets.length === 0 ? [] : [{ mac_address: server.mac, name: "eth0", subnets, type: "physical" }];
  return { config, version: 1 };
}

function privateNetworks(state: State, server: Server) {
  return server.privateNets.map((net, index) => {
    const network = byId(state.networks, net.networkId, "network");
    const address = parseIpv4(net.ip) ?? 0;
    const subnet = network.subnets.find((item) => contains(knownRange(item.ipRange), address));
    return {
      ip: net.ip,
      alias_ips: net.aliasIps,
      interface_num: index + 1,
      mac_address: net.mac,
      network_id: network.id,
      network_name: network.name,
      network: network.ipRange,
      subnet: subnet?.ipRange ?? network.ipRange,
      gateway: gatewayOf(network.ipRange),
    };
  });
}

/** cloud-config that sets root's password on servers made without an SSH key. */
function vendorData(server: Server): string {
  if (server.rootPassword === null) return "";
  const users = [{ name: "root", password: server.rootPassword, type: "text" }];
  return `#cloud-config\n${yaml({ ssh_pwauth: true, disable_root: false, chpasswd: { expire: false, users } })}`;
}

function metadataOf(state: State, server: Server): Record<string, unknown> {
  return {
    "availability-zone": datacenterName(server.location),
    hostname: server.name,
    "instance-id": server.id,
    "local-ipv4": "",
    "network-config": networkConfig(state, server),
    "public-ipv4": primaryIpOf(state, server.id, "ipv4")?.ip ?? "",
    "public-keys": server.publicKeys,
    region: zoneOf(server),
    vendor_data: vendorData(server),
  };
}

/** YAML 1.1, which is what PyYAML reads: a MAC address of digits is a number there unless it is quoted. */
function yaml(value: unknown): string {
  return stringify(value, { version: "1.1", lineWidth: 0 });
}

function print(value: unknown): string {
  return typeof value === "object" ? yaml(value) : String(value);
}

/** How the server that asks is found. */
type Asking = (state: State, request: FastifyRequest) => Server | undefined;

export const bySource: Asking = (state, request) => findServerByAddress(state, request.ip);

/** For requests that the worker of a Network hands on, and that nobody else can send. */
export const byHeaders: Asking = (state, { headers }) => {
  const [address, network] = [headers[ASKING.address], Number(headers[ASKING.network])];
  const isOf = (server: Server) => server.privateNets.some((net) => net.networkId === network);
  const server = typeof address === "string" ? findServerByAddress(state, address, network) : undefined;
  return server && isOf(server) ? server : undefined;
};

/** The app that the daemon serves at 169.254.169.254:80. Answers 404 to addresses that no server has. */
export function createMetadataApp(engine: Engine, asking: Asking): FastifyInstance {
  const app = Fastify({ forceCloseConnections: true });
  const respond = (path: string, answer: (state: State, server: Server, key: string) => string | undefined) => {
    app.get(`/hetzner/v1${path}`, async (request, reply) => {
      const server = asking(engine.state, request);
      const { key = "" } = request.params as { key?: string };
      const text = server && answer(engine.state, server, key);
      reply.type("text/plain; charset=utf-8");
      if (text === undefined) return reply.code(404).send("not found\n");
      // As Hetzner Cloud says that there is none; cloud-init 26.2 takes an empty 200 for a failure, and asks for two minutes.
      if (text === "") return reply.code(204).send();
      return reply.send(text);
    });
  };
  respond("/metadata", (state, server) => yaml(metadataOf(state, server)));
  respond("/metadata/private-networks", (state, server) => yaml(privateNetworks(state, server)));
  respond("/metadata/:key", (state, server, key) => {
    const metadata = metadataOf(state, server);
    return Object.hasOwn(metadata, key) ? print(metadata[key]) : undefined;
  });
  respond("/userdata", (_state, server) => server.userData);
  return app;
}
