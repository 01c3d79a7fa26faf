/** What containers reach: never the metadata service, not their host; the world and each other as before. */
import type { PacketAttack } from "../types.js";
import type { Question, World } from "../world.js";

const metadata: Omit<Question, "label" | "must"> = {
  network: "tcp4",
  address: "169.254.169.254",
  port: 80,
  request: "GET /hetzner/v1/userdata HTTP/1.0\r\nHost: 169.254.169.254\r\n\r\n",
  // What follows may be packed.
  expect: "HTTP/1.1 200 OK\r\n",
};

/** With a server outside as the control; each attack its own port, for they are made at once. */
const metadataFrom = (name: string, container: string, what: string, ownPort: number): PacketAttack => ({
  group: "packets",
  name,
  what,
  of: [container, ownPort],
  run: async (world) => {
    const node = world.manager;
    return [
      ...(await world.withOutsideServer([`tcp:${ownPort}`], (address) =>
        world.ask({ kind: "container", node, container }, [
          { ...metadata, label: "container", must: "closed" },
          { label: "container to the world", must: "open", network: "tcp4", address, port: ownPort },
        ]),
      )),
      ...(await world.ask({ kind: "host", node }, [{ ...metadata, label: "the node itself", must: "open" }])),
    ];
  },
});

async function icc(world: World) {
  const { manager, worker } = world;
  const [near, far] = await Promise.all([
    world.addressOf(manager, "c-run", "bridge"),
    world.addressOf(worker, "c-plain", "plain"),
  ]);
  return [
    ...(await world.ask({ kind: "container", node: manager, container: "c-443" }, [
      { label: "same bridge", must: "open", network: "tcp4", address: near, port: 80 },
    ])),
    ...(await world.ask({ kind: "container", node: manager, container: "c-plain" }, [
      { label: "overlay, TCP, between nodes", must: "open", network: "tcp4", address: far, port: 8000 },
      { label: "overlay, UDP, between nodes", must: "open", network: "udp4", address: far, port: 9000 },
    ])),
  ];
}

export const containerAttacks: readonly PacketAttack[] = [
  metadataFrom("metadata-from-bridge", "c-run", "the server's user-data, read from a container on a bridge", 8191),
  metadataFrom("metadata-from-overlay", "c-plain", "the same from a container on an overlay", 8192),
  metadataFrom("metadata-from-hostnet", "c-host", "the same from a container on the host's network", 8193),
  {
    group: "packets",
    name: "container-to-host-ssh",
    what: "a container of each kind of bridge dials SSH and a daemon of its own host; the node itself reaches them",
    run: async (world) => {
      const node = world.manager;
      const ssh = { network: "tcp4", port: 22, request: "\r\n", expect: "SSH-2.0" } as const;
      const v6 = { ...ssh, network: "tcp6", address: node.publicIpv6 } as const;
      const daemon = { network: "tcp4", port: 7000, address: node.publicIpv4 } as const;
      return [
        ...(await world.ask({ kind: "container", node, container: "c-run" }, [
          { ...ssh, label: "bridge's address", must: "closed", address: "172.17.0.1" },
          { ...ssh, label: "public address", must: "closed", address: node.publicIpv4 },
          { ...daemon, label: "a daemon's port 7000", must: "closed" },
        ])),
        // Tasks of services reach their host over docker_gwbridge; attk0 is a bridge that the policy names.
        ...(
          await Promise.all(
            (["c-plain", "c-custom"] as const).map((container) =>
              world.ask({ kind: "container", node, container }, [
                { ...ssh, label: `${container}, public address`, must: "closed", address: node.publicIpv4 },
                { ...daemon, label: `${container}, a daemon's port 7000`, must: "closed" },
              ]),
            ),
          )
        ).flat(),
        ...(await world.ask({ kind: "container", node, container: "c-v6" }, [
          { ...v6, label: "public address, IPv6", must: "closed" },
        ])),
        ...(await world.ask({ kind: "host", node }, [
          { ...ssh, label: "the node itself", must: "open", address: node.publicIpv4 },
          { ...v6, label: "the node itself, IPv6", must: "open" },
          { ...daemon, label: "the node itself, 7000", must: "open" },
        ])),
      ];
    },
  },
  {
    group: "packets",
    name: "egress-to-same-port-number",
    what: "a container dials 8080 somewhere else: a closed published port's number is no reason to stop it",
    run: async (world) =>
      world.withOutsideServer(["tcp:8080"], (address) =>
        world.ask({ kind: "container", node: world.manager, container: "c-run" }, [
          { label: "container to 8080 outside", must: "open", network: "tcp4", address, port: 8080 },
        ]),
      ),
  },
  {
    group: "packets",
    name: "egress-dns-udp",
    what: "a container asks a name server outside",
    run: async (world) =>
      world.withOutsideServer(["udp:53"], (address) =>
        world.ask({ kind: "container", node: world.manager, container: "c-run" }, [
          { label: "container to 53/udp outside", must: "open", network: "udp4", address, port: 53 },
        ]),
      ),
  },
  {
    group: "packets",
    name: "icc-works",
    what: "containers reach each other on a bridge and over an overlay",
    run: icc,
  },
];
