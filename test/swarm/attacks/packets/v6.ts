/** The same over IPv6, where Docker's rules and its proxies part ways. */
import type { PacketAttack, Seen } from "../types.js";
import { outside, type Question, type World } from "../world.js";

const question = (world: World, port: number, must: Seen["must"], more: Partial<Question> = {}): Question => ({
  label: `outside to [IPv6]:${port}`,
  must,
  network: "tcp6",
  address: world.manager.publicIpv6,
  port,
  ...more,
});

export const v6Attacks: readonly PacketAttack[] = [
  {
    group: "packets",
    name: "v6-docker-proxy",
    what: "docker run -p on an IPv4-only bridge: docker-proxy answers over IPv6, in INPUT",
    run: (world) =>
      world.ask(outside, [
        question(world, 8083, "closed"),
        question(world, 9002, "closed", { network: "udp6", label: "outside to [IPv6]:9002/udp" }),
        question(world, 443, "open"),
      ]),
  },
  {
    group: "packets",
    name: "v6-native-bridge",
    what: "docker run -p on a bridge with IPv6; 8888 is in the policy, 8084 is not",
    run: (world) => world.ask(outside, [question(world, 8084, "closed"), question(world, 8888, "open")]),
  },
  {
    group: "packets",
    name: "v6-ingress",
    what: "the mesh's ports over IPv6: Docker only holds them there, so a handshake is all there is to get",
    run: async (world) => [
      ...(await world.ask(outside, [question(world, 8080, "closed", { kind: "connect" })])),
      ...(await world.ask({ kind: "host", node: world.manager }, [
        question(world, 8080, "open", { kind: "connect", label: "the node itself to [IPv6]:8080" }),
      ])),
    ],
  },
  {
    group: "packets",
    name: "v6-ndp-survives",
    // Without neighbour discovery the node has no IPv6, for nobody else's probes either.
    disturbs: true,
    what: "IPv6 answers after both sides forgot each other's link addresses; not so with neighbour discovery dropped",
    run: async (world) => {
      const node = world.manager;
      const forget = async () => {
        await world.onWire(node, "public", ["ip", "-6", "neigh", "flush", "dev", world.wire(node, "public").tap]);
        await world.ssh(node, "ip -6 neigh flush dev eth0");
      };
      const ask = async (label: string, must: Seen["must"]) => {
        await forget();
        return await world.ask(outside, [{ ...question(world, 443, must), label }]);
      };
      const survives = await ask("outside to [IPv6]:443 after forgetting", "open");
      const types = [135, 136].map((type) => `-p ipv6-icmp --icmpv6-type ${type} -j DROP`);
      await world.ssh(node, types.map((rule) => `ip6tables -I INPUT ${rule}`).join(" && "));
      try {
        await forget();
        const [silent] = await world.ask(outside, [
          { ...question(world, 443, "closed"), label: "the same, neighbour discovery dropped" },
        ]);
        if (!silent) throw new Error("no result");
        return [
          ...survives,
          { ...silent, closedAnyway: "it is the control: the probe depends on neighbour discovery" },
        ];
      } finally {
        await world.ssh(node, types.map((rule) => `ip6tables -D INPUT ${rule}`).join(" && "));
      }
    },
  },
];
