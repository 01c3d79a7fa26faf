/** Ways to a node that no published port is meant for: its containers' addresses, its loopback, its other interfaces. */
import { api } from "../../../harness/src/index.js";
import { ethernet, udp4 } from "../frames.js";
import type { PacketAttack, Seen } from "../types.js";
import { outside, type Question, type Vantage, type World } from "../world.js";

const gatewayMac = "02:00:ac:1f:01:01";

/** To a container's own address; the control is the node itself, which is on the container's bridge. */
async function directly(world: World, side: "public" | "private", family: "IPv4" | "IPv6" = "IPv4"): Promise<Seen[]> {
  const node = world.manager;
  const [address, network] =
    family === "IPv4"
      ? [await world.addressOf(node, "c-run", "bridge"), "tcp4" as const]
      : [await world.addressOf(node, "c-v6", "v6net", "GlobalIPv6Address"), "tcp6" as const];
  const from: Vantage = { kind: "wire", node, side };
  const version = await world.dockerVersion();
  const closedAnyway = version >= 28 ? `Docker ${version} drops it itself, in raw` : undefined;
  const tcp: Question = {
    label: `${side} wire, TCP, ${family}`,
    must: "closed",
    network,
    address,
    port: 80,
    closedAnyway,
  };
  const udp: Question = { ...tcp, label: `${side} wire, UDP`, network: "udp4", port: 9000 };
  const questions = family === "IPv4" ? [tcp, udp] : [tcp];
  const seen = await world.withRoute(node, side, address, () => world.ask(from, questions));
  const itself = await world.ask(
    { kind: "host", node },
    questions.map(({ closedAnyway: _, ...question }) => ({
      ...question,
      label: `the node itself, ${question.network}`,
      must: "open",
    })),
  );
  return [...seen, ...itself];
}

/** A datagram for a port that is published on loopback only. */
async function toLoopback(world: World, side: "public" | "private"): Promise<Seen> {
  const node = world.manager;
  const version = await world.dockerVersion();
  const closedAnyway = version >= 28 ? `Docker ${version} drops it itself, in raw` : undefined;
  const destination = await world.macOf(node, side);
  return await world.delivered(
    { label: `${side} wire`, must: "closed", closedAnyway },
    node,
    "c-run",
    async (token) => {
      const source = side === "public" ? "172.31.1.1" : "10.0.0.1";
      const packet = udp4({
        source,
        destination: "127.0.0.1",
        sourcePort: 40002,
        destinationPort: 9005,
        payload: Buffer.from(token),
      });
      const frame = ethernet({ source: gatewayMac, destination }, packet);
      await world.inject(node, side, [frame, frame, frame]);
    },
  );
}

export const routeAttacks: readonly PacketAttack[] = [
  {
    group: "packets",
    name: "direct-route-container-ip",
    what: "a neighbour with a route to a container's own address, on either wire",
    run: async (world) => [
      ...(await directly(world, "public")),
      ...(await directly(world, "private")),
      ...(await directly(world, "public", "IPv6")),
    ],
  },
  {
    group: "packets",
    name: "loopback-publish-l2",
    what: "docker run -p 127.0.0.1:9005: a neighbour's packet to 127.0.0.1; the node itself reaches it",
    run: async (world) => {
      const seen = [await toLoopback(world, "public"), await toLoopback(world, "private")];
      const itself = await world.ask({ kind: "host", node: world.manager }, [
        { label: "the node itself", must: "open", network: "udp4", address: "127.0.0.1", port: 9005 },
      ]);
      return [...seen, ...itself];
    },
  },
  {
    group: "packets",
    name: "public-ip-via-private-nic",
    what: "packets for the node's public address that come in on the private wire",
    run: async (world) => {
      const node = world.manager;
      const address = node.publicIpv4;
      return await world.withRoute(node, "private", address, () =>
        world.ask({ kind: "wire", node, side: "private" }, [
          { label: "closed 8083 at the public address", must: "closed", network: "tcp4", address, port: 8083 },
          { label: "open 443 at the public address", must: "open", network: "tcp4", address, port: 443 },
        ]),
      );
    },
  },
  {
    group: "packets",
    name: "iface-renamed",
    what: "the public interface gets another name: rules that name interfaces fail open",
    disturbs: true,
    run: async (world) => {
      const node = world.worker;
      const rename = (from: string, to: string) =>
        world.ssh(
          node,
          // The addresses and routes come back with the file for systemd-networkd only under the old name.
          `systemd-run --quiet --collect sh -c '
             ip -4 route show dev ${from} >/run/routes4; ip -6 route show dev ${from} >/run/routes6
             ip -4 -o addr show dev ${from} | awk "{print \\$4}" >/run/addr4; ip -6 -o addr show dev ${from} scope global | awk "{print \\$4}" >/run/addr6
             ip link set ${from} down; ip link set ${from} name ${to}; ip link set ${to} up; sleep 1
             while read a; do ip addr add $a dev ${to}; done </run/addr4
             while read a; do ip -6 addr add $a dev ${to} nodad; done </run/addr6
             ip route replace 172.31.1.1 dev ${to}; ip route replace default via 172.31.1.1 dev ${to}
             ip -6 route replace default via fe80::1 dev ${to}'`,
        );
      await rename("eth0", "wan0");
      await new Promise((resolve) => setTimeout(resolve, 4000));
      try {
        // Without this an interface that kept its name would pass.
        await world.ssh(node, "ip link show wan0 >/dev/null && ! ip link show eth0 2>/dev/null");
        return await world.ask(outside, [
          {
            label: "closed 8083, renamed interface",
            must: "closed",
            network: "tcp4",
            address: node.publicIpv4,
            port: 8083,
          },
          {
            label: "closed 9002/udp, renamed interface",
            must: "closed",
            network: "udp4",
            address: node.publicIpv4,
            port: 9002,
          },
          { label: "open 443, renamed interface", must: "open", network: "tcp4", address: node.publicIpv4, port: 443 },
        ]);
      } finally {
        await rename("wan0", "eth0");
        await new Promise((resolve) => setTimeout(resolve, 4000));
      }
    },
  },
  {
    group: "packets",
    name: "private-nic-hotplug",
    what: "a server is put into a second private network while it runs: nothing in the rules knows that interface",
    disturbs: true,
    run: async (world) => {
      const node = world.worker;
      const { region } = world.attacked;
      const made = (await api(region, "POST", "/networks", {
        name: `hotplug-${Date.now()}`,
        ip_range: "10.9.0.0/16",
        subnets: [{ type: "cloud", network_zone: "eu-central", ip_range: "10.9.0.0/24" }],
      })) as { network: { id: number } };
      const id = made.network.id;
      const address = "10.9.0.5";
      await api(region, "POST", `/servers/${node.serverId}/actions/attach_to_network`, { network: id, ip: address });
      try {
        await world.ssh(
          node,
          `for i in $(seq 30); do ip -4 -o addr | grep -q 'inet ${address}/' && exit 0; sleep 1; done; ip -br addr >&2; exit 1`,
        );
        return await world.askFromNetwork(id, [
          { label: "closed 8083 at the new address", must: "closed", network: "tcp4", address, port: 8083 },
          { label: "closed 9002/udp at the new address", must: "closed", network: "udp4", address, port: 9002 },
          { label: "open 443 at the new address", must: "open", network: "tcp4", address, port: 443 },
        ]);
      } finally {
        await api(region, "POST", `/servers/${node.serverId}/actions/detach_from_network`, { network: id });
        await new Promise((resolve) => setTimeout(resolve, 2000));
        await api(region, "DELETE", `/networks/${id}`).catch(() => undefined);
      }
    },
  },
];
