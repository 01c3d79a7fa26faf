/** Ports that containers publish and that hosts listen on, dialed over IPv4 by strangers on both sides. */
import type { ClusterNode, Probe } from "../../../harness/src/index.js";
import type { PacketAttack, Seen } from "../types.js";
import { outside, outsideAddress, type Question, stranger, type World } from "../world.js";

interface Kind extends Pick<Probe, "port"> {
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly must?: Seen["must"];
  /** Where it answers over IPv6 as well without a firewall: from outside, for the private network has no IPv6. */
  readonly v6?: true;
}

/** What every set of rules lets in from everywhere, to show that packets leave a place, arrive and are answered. */
function control(protocol: Kind["protocol"], label: string, address: string): Question[] {
  const v6 = address.includes(":");
  const ssh: Question = {
    label: `${label} to SSH${v6 ? " over IPv6" : ""}`,
    must: "open",
    network: v6 ? "tcp6" : "tcp4",
    address,
    port: 22,
    kind: "connect",
  };
  // The mesh has no UDP over IPv6.
  const mesh: Question = { label: `${label} to 9001/udp`, must: "open", network: "udp4", address, port: 9001 };
  return protocol === "udp" && !v6 ? [mesh] : [ssh];
}

/**
 * The port on a node, from outside at its public addresses and from the private network at its private one. The controls are
 * the node itself, at the same address, where the port answers under every set of rules, and what is open from the same place.
 */
async function fromBothSides(world: World, node: ClusterNode, { port, protocol, must = "closed", v6 }: Kind) {
  const question = (label: string, address: string, wanted = must): Question => ({
    label: `${label} to ${node.name} ${address.includes(":") ? "over IPv6 " : ""}${port}/${protocol}`,
    must: wanted,
    network: `${protocol}${address.includes(":") ? "6" : "4"}`,
    address,
    port,
  });
  // The outside machine's kernel need not know SCTP; the stranger's does, and to a node's public address it is outside, too.
  const far = protocol === "sctp" ? stranger : outside;
  const addresses = [node.publicIpv4, ...(v6 ? [node.publicIpv6] : [])];
  const answers = await Promise.all([
    world.ask(
      far,
      addresses.flatMap((address) => [question("outside", address), ...control(protocol, "outside", address)]),
    ),
    world.ask(stranger, [
      question("private network", node.privateIp),
      ...control(protocol, "private network", node.privateIp),
    ]),
    world.ask(
      { kind: "host", node },
      addresses.map((address) => question("the node itself", address, "open")),
    ),
  ]);
  return answers.flat();
}

const onManager = (name: string, what: string, ...ports: Kind[]): PacketAttack => ({
  group: "packets",
  name,
  what,
  of: ports,
  run: async (world) => (await Promise.all(ports.map((port) => fromBothSides(world, world.manager, port)))).flat(),
});

const onBoth = (name: string, what: string, ...ports: Kind[]): PacketAttack => ({
  group: "packets",
  name,
  what,
  of: ports,
  run: async (world) =>
    (await Promise.all(world.both.flatMap((node) => ports.map((port) => fromBothSides(world, node, port))))).flat(),
});

export const publishedAttacks: readonly PacketAttack[] = [
  onManager("udp-publish", "docker run -p 9002:9000/udp, not in the policy", {
    port: 9002,
    protocol: "udp",
    v6: true,
  }),
  onManager("udp-high-port", "docker run -p 40000:9000/udp, among the ephemeral ports", {
    port: 40000,
    protocol: "udp",
    v6: true,
  }),
  onManager(
    "sctp-publish",
    "docker run -p 9004/sctp, not in the policy; 9003/sctp is",
    { port: 9004, protocol: "sctp" },
    { port: 9003, protocol: "sctp", must: "open" },
  ),
  onManager("run-remap-8080-80", "docker run -p 8083:80: an open port's number, but the container's", {
    port: 8083,
    protocol: "tcp",
    v6: true,
  }),
  onManager("run-443-to-8081-allowed", "docker run -p 443:8081: the published port is open, the container's is not", {
    port: 443,
    protocol: "tcp",
    v6: true,
    must: "open",
  }),
  onBoth("host-mode-8080-80", "service published with mode=host, 8081 -> 80", {
    port: 8081,
    protocol: "tcp",
    v6: true,
  }),
  onBoth(
    "ingress-8080-80",
    "service published through the mesh, 8080 -> 80; 80 -> 8000 is in the policy",
    { port: 8080, protocol: "tcp" },
    { port: 80, protocol: "tcp", must: "open" },
  ),
  onBoth(
    "ingress-udp",
    "service published through the mesh, 9000/udp; 9001/udp is in the policy",
    { port: 9000, protocol: "udp" },
    { port: 9001, protocol: "udp", must: "open" },
  ),
  onManager(
    "host-network-listener",
    "container on the host's network, 7000/tcp and 7001/udp",
    { port: 7000, protocol: "tcp", v6: true },
    { port: 7001, protocol: "udp", v6: true },
  ),
  {
    group: "packets",
    name: "custom-bridge-name",
    what: "docker run -p 8085:80 on a bridge that is not named br-…; its containers still reach the world",
    run: async (world) => [
      ...(await fromBothSides(world, world.manager, { port: 8085, protocol: "tcp", v6: true })),
      ...(await world.withOutsideServer(["tcp:8181"], (address) =>
        world.ask({ kind: "container", node: world.manager, container: "c-custom" }, [
          { label: "container to the world", must: "open", network: "tcp4", address, port: 8181 },
        ]),
      )),
    ],
  },
  {
    group: "packets",
    name: "2377-7946-public",
    what: "swarm's management and gossip; a handshake with a daemon of the host is its answer; UDP is judged by the daemon's log",
    run: async (world) => {
      const node = world.manager;
      const dial = (label: string, address: string, closedAnyway?: string) =>
        [2377, 7946].map(
          (port): Question => ({
            label: `${label} to ${port}/tcp`,
            must: "closed",
            network: "tcp4",
            address,
            port,
            kind: "connect",
            closedAnyway,
          }),
        );
      const bound = "the daemon listens at the private address alone";
      const tcp = [
        ...(await world.ask(outside, dial("outside", node.publicIpv4, bound))),
        ...(await world.ask(stranger, dial("private network", node.privateIp))),
        // What the public side can still do: packets for the private address, on the public wire.
        ...(await world.withRoute(node, "public", node.privateIp, () =>
          world.ask({ kind: "wire", node, side: "public" }, dial("public wire, private address,", node.privateIp)),
        )),
      ];
      const peer = await world.ask(
        { kind: "host", node: world.worker },
        [2377, 7946].map((port) => ({
          label: `peer to ${port}/tcp`,
          must: "open",
          network: "tcp4",
          address: world.manager.privateIp,
          port,
          kind: "connect",
        })),
      );
      return [...tcp, ...peer, ...(await gossip(world))];
    },
  },
  {
    group: "packets",
    name: "2377-on-worker",
    what: "a listener on 2377 of a worker, where swarm has none: not even peers reach it",
    run: async (world) => {
      const node = world.worker;
      await world.ssh(
        node,
        `docker run -d --network host --name c-2377 ${world.image} serve --log tcp:2377 >/dev/null`,
      );
      try {
        const question = (label: string, must: Seen["must"], address: string): Question => ({
          label: `${label} to a worker's 2377`,
          must,
          network: "tcp4",
          address,
          port: 2377,
        });
        const own = await world.ask({ kind: "host", node }, [question("itself", "open", "127.0.0.1")]);
        return [
          ...own,
          ...(await world.ask({ kind: "host", node: world.manager }, [question("peer", "closed", node.privateIp)])),
          ...(await fromBothSides(world, node, { port: 2377, protocol: "tcp", v6: true })),
        ];
      } finally {
        await world.ssh(node, "docker rm -f c-2377 >/dev/null");
      }
    },
  },
];

/**
 * Datagrams to the gossip port: the daemon logs those that it cannot decrypt, with their sender. A peer's is sent last and is
 * the control: once it is in the log, so are those before it that came through.
 */
async function gossip(world: World): Promise<Seen[]> {
  const { manager, worker } = world;
  const { publicIpv4, privateIp } = manager;
  const senders = [
    { label: "outside", must: "closed", from: outside, address: publicIpv4, sender: outsideAddress },
    {
      label: "private network",
      must: "closed",
      from: stranger,
      address: privateIp,
      sender: world.attacked.stranger.privateIp,
    },
    { label: "peer", must: "open", from: { kind: "host", node: worker }, address: privateIp, sender: worker.privateIp },
  ] as const;
  const since = (await world.ssh(manager, "date +%s")).trim();
  for (const { from, address } of senders) await world.send(from, address, 7946, Buffer.from("odd gossip"));
  const lines = (sender: string) =>
    `journalctl -u docker --since @${since} --no-pager -o cat | grep -c 'from=${sender}'`;
  await world.ssh(manager, `for i in $(seq 15); do [ "$(${lines(worker.privateIp)})" -gt 0 ] && break; sleep 1; done`);
  const seen: Seen[] = [];
  for (const { label, must, address, sender } of senders) {
    const logged = Number(await world.ssh(manager, `${lines(sender)} || :`));
    seen.push({
      label: `${label} to 7946/udp`,
      must,
      closedAnyway: address === publicIpv4 ? "the daemon listens at the private address alone" : undefined,
      open: logged > 0,
      detail: `${logged} lines of the daemon`,
    });
  }
  return seen;
}
