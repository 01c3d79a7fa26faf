/** The region's networks as the daemon changes them: public sides, Networks, packet filters, leases. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FirewallRule, NetworkSpec, PrivateInterface, PublicInterface } from "../backend.js";
import { run, tryRun } from "../support/command.js";
import { Serial } from "../support/serial.js";
import type { Lease, Route } from "./dhcpPacket.js";
import { type DhcpServer, serveDhcp } from "./dhcpServer.js";
import { serveDns } from "./dns.js";
import {
  METADATA_ADDRESS,
  MIRROR_HOST,
  networkNamespace,
  PUBLIC_GATEWAY,
  privateTap,
  publicTap,
  RESOLVERS,
  routerNamespace,
} from "./names.js";
import { addRouterNamespace, inNamespace, ipBatch, removeNamespace } from "./namespaces.js";
import { type FilteredServer, packetFilterText, shrinks } from "./packetFilter.js";
import { firstAddress } from "./ranges.js";

/** MTU of Hetzner's private networks. */
export const PRIVATE_MTU = 1450;
/** The router's side of every link. Always the same, so that a guest that comes back from a checkpoint knows it still. */
const GATEWAY_MAC = "02:00:ac:1f:01:01";
const LEASE_SECONDS = 86_400;
const DEFAULT_ROUTE = "0.0.0.0/0";

interface Network {
  spec: NetworkSpec;
  /** Its DHCP and metadata service. */
  readonly worker: ChildProcess;
  /** Interfaces in it, by server. */
  readonly members: Map<number, PrivateInterface>;
}

/** What a server's public interface is given by DHCP. Pure. */
export function publicLease(address: string): Lease {
  return {
    address,
    router: PUBLIC_GATEWAY,
    dns: [PUBLIC_GATEWAY],
    seconds: LEASE_SECONDS,
    routes: [
      { destination: `${PUBLIC_GATEWAY}/32`, gateway: "0.0.0.0" },
      { destination: `${METADATA_ADDRESS}/32`, gateway: PUBLIC_GATEWAY },
      { destination: DEFAULT_ROUTE, gateway: PUBLIC_GATEWAY },
    ],
  };
}

/**
 * What a server's interface in a Network is given by DHCP. A server that is nowhere but here reaches the metadata service
 * through it. A default route of the Network is not handed out: servers that want it set it themselves, as on Hetzner. Pure.
 */
export function privateLease(address: string, network: NetworkSpec, { only }: { only: boolean }): Lease {
  const gateway = firstAddress(network.ipRange);
  const given = network.routes.filter(({ destination }) => destination !== DEFAULT_ROUTE);
  const routes: Route[] = [
    { destination: `${gateway}/32`, gateway: "0.0.0.0" },
    { destination: network.ipRange, gateway },
    ...(only ? [{ destination: `${METADATA_ADDRESS}/32`, gateway }] : []),
    ...given.map(({ destination }) => ({ destination, gateway })),
  ];
  return { address, mtu: PRIVATE_MTU, seconds: LEASE_SECONDS, routes };
}

export class Router {
  readonly #name: string;
  readonly #metadataSocket: string;
  readonly #namespace: string;
  readonly #filtered = new Map<number, FilteredServer>();
  readonly #networks = new Map<number, Network>();
  readonly #serial = new Serial();
  readonly #services: { close(): void }[] = [];

  /** `metadataSocket`: where the daemon answers what servers ask the metadata service from inside a Network. */
  constructor(name: string, metadataSocket: string) {
    this.#name = name;
    this.#metadataSocket = metadataSocket;
    this.#namespace = routerNamespace(name);
  }

  /** Starts DHCP and DNS; this process must be in the router's namespace. */
  async start(): Promise<void> {
    const dhcp: DhcpServer = await serveDhcp(PUBLIC_GATEWAY, (mac) => {
      for (const { publicInterface } of this.#filtered.values()) {
        if (publicInterface.mac.toLowerCase() === mac && publicInterface.ipv4) return publicLease(publicInterface.ipv4);
      }
      return undefined;
    });
    this.#services.push(dhcp);
    for (const address of [PUBLIC_GATEWAY, ...RESOLVERS])
      this.#services.push(await serveDns(address, { [MIRROR_HOST]: PUBLIC_GATEWAY }));
    await this.#serial.run(() => this.#applyFilter());
  }

  /** The server's public side: known to DHCP and source checks before its interface is there. */
  async addPublic(serverId: number, publicInterface: PublicInterface): Promise<void> {
    await this.#serial.run(async () => {
      this.#filtered.set(serverId, { serverId, publicInterface, rules: this.#filtered.get(serverId)?.rules });
      await this.#applyFilter();
      this.#publishLeasesOf(serverId);
    });
  }

  async removePublic(serverId: number): Promise<void> {
    await this.#serial.run(async () => {
      if (!this.#filtered.delete(serverId)) return;
      await this.#applyFilter();
      this.#publishLeasesOf(serverId);
    });
  }

  /** Brings up the tap of a machine that was just started; its guest must not run yet. */
  async plugPublic(serverId: number, { mac, ipv4, ipv6Network }: PublicInterface): Promise<void> {
    const tap = publicTap(serverId);
    const lines = [
      `link set ${tap} address ${GATEWAY_MAC}`,
      `addr add fe80::1/64 dev ${tap} nodad`,
      `link set ${tap} up`,
    ];
    if (ipv4) {
      lines.push(`neigh replace ${ipv4} lladdr ${mac} dev ${tap} nud permanent`);
      lines.push(`route replace ${ipv4}/32 dev ${tap} src ${PUBLIC_GATEWAY}`);
    }
    if (ipv6Network) lines.push(`route replace ${ipv6Network} dev ${tap}`);
    await ipBatch(this.#namespace, lines);
  }

  /** Puts the API's packet filter in place; `undefined` lets all pass. */
  async setFirewall(serverId: number, rules: readonly FirewallRule[] | undefined): Promise<void> {
    await this.#serial.run(async () => {
      const server = this.#filtered.get(serverId);
      // Without a public side there is no public path to filter.
      if (!server) return;
      this.#filtered.set(serverId, { ...server, rules });
      await this.#applyFilter();
      if (shrinks(server.rules, rules)) await this.#forgetConnections(server.publicInterface);
    });
  }

  async #applyFilter(): Promise<void> {
    await run("nft", ["-f", "-"], { input: packetFilterText([...this.#filtered.values()]) });
  }

  async #forgetConnections({ ipv4, ipv6Network }: PublicInterface): Promise<void> {
    // conntrack fails when it deleted nothing.
    if (ipv4) for (const side of ["--orig-dst", "--orig-src"]) await tryRun("conntrack", ["-D", side, ipv4]);
    if (ipv6Network) {
      for (const side of ["--orig-dst", "--orig-src"]) {
        await tryRun("conntrack", [
          "-D",
          "-f",
          "ipv6",
          side,
          ipv6Network.replace(/\/64$/, ""),
          `--mask${side.slice(6)}`,
          "ffff:ffff:ffff:ffff::",
        ]);
      }
    }
  }

  /** Forgets every connection: after a checkpoint is restored none of them is real. */
  async flushConnections(): Promise<void> {
    await tryRun("conntrack", ["-F"]);
  }

  async putNetwork(spec: NetworkSpec): Promise<void> {
    await this.#serial.run(async () => {
      const namespace = networkNamespace(this.#name, spec.networkId);
      const known = this.#networks.get(spec.networkId);
      const network = known ?? { spec, worker: await this.#startWorker(spec), members: new Map() };
      if (known)
        await ipBatch(
          namespace,
          known.spec.routes.flatMap((route) => [`route flush ${route.destination} proto static`]),
        );
      network.spec = spec;
      this.#networks.set(spec.networkId, network);
      for (const [serverId, nic] of network.members) await this.#routeMember(network, serverId, nic);
      this.#publishLeases(network);
    });
  }

  async deleteNetwork(networkId: number): Promise<void> {
    await this.#serial.run(async () => {
      const network = this.#networks.get(networkId);
      if (!network) return;
      this.#networks.delete(networkId);
      network.worker.kill("SIGKILL");
      await removeNamespace(networkNamespace(this.#name, networkId));
    });
  }

  networkIds(): number[] {
    return [...this.#networks.keys()];
  }

  async #startWorker(spec: NetworkSpec): Promise<ChildProcess> {
    const namespace = networkNamespace(this.#name, spec.networkId);
    const gateway = firstAddress(spec.ipRange);
    if (await addRouterNamespace(namespace)) {
      await ipBatch(namespace, [`addr add ${gateway}/32 dev lo`, `addr add ${METADATA_ADDRESS}/32 dev lo`]);
    }
    const worker = fileURLToPath(new URL("./networkWorker.js", import.meta.url));
    const given = [worker, gateway, String(spec.networkId), this.#metadataSocket];
    const [command, args] = inNamespace(namespace, process.execPath, given);
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    child.stdin.on("error", () => {});
    await new Promise<void>((resolve, reject) => {
      child.stdout.once("data", () => resolve());
      child.once("exit", (code) => reject(new Error(`the worker of network ${spec.networkId} ended with ${code}`)));
      child.once("error", reject);
    });
    return child;
  }

  #publishLeasesOf(serverId: number): void {
    for (const network of this.#networks.values()) if (network.members.has(serverId)) this.#publishLeases(network);
  }

  #publishLeases({ spec, members, worker }: Network): void {
    const leases = Object.fromEntries(
      [...members].map(([serverId, nic]) => [
        nic.mac.toLowerCase(),
        privateLease(nic.ip, spec, { only: !this.#filtered.has(serverId) }),
      ]),
    );
    worker.stdin?.write(`${JSON.stringify({ leases })}\n`);
  }

  /** Makes a server a member of a Network: its lease is there before its interface is. */
  async addPrivate(serverId: number, nic: PrivateInterface): Promise<void> {
    await this.#serial.run(async () => {
      const network = this.#network(nic.networkId);
      network.members.set(serverId, nic);
      this.#publishLeases(network);
    });
  }

  async removePrivate(serverId: number, networkId: number): Promise<void> {
    await this.#serial.run(async () => {
      const network = this.#networks.get(networkId);
      if (!network?.members.delete(serverId)) return;
      this.#publishLeases(network);
    });
  }

  /** Moves a machine's tap into its Network's namespace and brings it up there. */
  async plugPrivate(serverId: number, nic: PrivateInterface): Promise<void> {
    await this.#serial.run(async () => {
      const network = this.#network(nic.networkId);
      await ipBatch(this.#namespace, [
        `link set ${privateTap(serverId, nic.networkId)} netns ${networkNamespace(this.#name, nic.networkId)}`,
      ]);
      await this.#routeMember(network, serverId, nic);
    });
  }

  /** Routes the addresses of an interface that is there already, after its alias addresses changed. */
  async updatePrivate(serverId: number, nic: PrivateInterface): Promise<void> {
    await this.#serial.run(async () => {
      const tap = privateTap(serverId, nic.networkId);
      await ipBatch(networkNamespace(this.#name, nic.networkId), [`route flush dev ${tap}`]);
      await this.#routeMember(this.#network(nic.networkId), serverId, nic);
    });
  }

  async #routeMember(network: Network, serverId: number, nic: PrivateInterface): Promise<void> {
    const namespace = networkNamespace(this.#name, nic.networkId);
    const tap = privateTap(serverId, nic.networkId);
    if (!(await tryRun("ip", ["-n", namespace, "link", "show", tap]))) return;
    const gateway = firstAddress(network.spec.ipRange);
    await ipBatch(namespace, [
      `link set ${tap} address ${GATEWAY_MAC} mtu ${PRIVATE_MTU} up`,
      ...[nic.ip, ...nic.aliasIps].flatMap((address) => [
        `neigh replace ${address} lladdr ${nic.mac} dev ${tap} nud permanent`,
        `route replace ${address}/32 dev ${tap} src ${gateway}`,
      ]),
      ...network.spec.routes
        .filter((route) => route.gateway === nic.ip)
        .map((route) => `route replace ${route.destination} via ${nic.ip} dev ${tap} onlink proto static`),
    ]);
  }

  #network(networkId: number): Network {
    const network = this.#networks.get(networkId);
    if (!network) throw new Error(`network ${networkId} is not there`);
    return network;
  }

  async close(): Promise<void> {
    for (const service of this.#services) service.close();
    for (const networkId of this.networkIds()) await this.deleteNetwork(networkId);
  }
}
