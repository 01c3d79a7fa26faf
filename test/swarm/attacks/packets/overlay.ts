/** Swarm's data path: VXLAN packets forged by strangers, and overlays that must go on working. */
import type { ClusterNode } from "../../../harness/src/index.js";
import { ethernet, udp4, vxlan } from "../frames.js";
import type { PacketAttack, Seen } from "../types.js";
import { outside, stranger, type Vantage, type World } from "../world.js";

const dataPath = 4789;

/** A datagram for a container of an overlay, wrapped as a peer would wrap it. */
async function forged(world: World, node: ClusterNode, network: "plain" | "secret", token: string): Promise<Buffer> {
  const container = `c-${network}`;
  const [address, mac, id] = await Promise.all([
    world.addressOf(node, container, network),
    world.addressOf(node, container, network, "MacAddress"),
    world.ssh(
      node,
      `docker network inspect --format '{{ index .Options "com.docker.network.driver.overlay.vxlanid_list" }}' ${network}`,
    ),
  ]);
  const packet = udp4({
    source: address.replace(/\d+$/, "250"),
    destination: address,
    sourcePort: 5353,
    destinationPort: 9000,
    payload: Buffer.from(token),
  });
  return vxlan(Number(id), ethernet({ source: "02:42:00:00:00:fa", destination: mac }, packet));
}

type Case = Pick<Seen, "label" | "must" | "closedAnyway">;

async function fromSocket(
  world: World,
  from: Vantage,
  address: string,
  seen: Case,
  network: "plain" | "secret" = "plain",
) {
  const node = world.manager;
  return await world.delivered(seen, node, `c-${network}`, async (token) => {
    await world.send(from, address, dataPath, await forged(world, node, network, token));
  });
}

/** From the wire beside the node, with the other node's address as its source. */
async function asPeerOnWire(
  world: World,
  side: "public" | "private",
  destination: string,
  seen: Case,
  network: "plain" | "secret" = "plain",
) {
  const node = world.manager;
  const mac = await world.macOf(node, side);
  return await world.delivered(seen, node, `c-${network}`, async (token) => {
    const packet = udp4({
      source: world.worker.privateIp,
      destination,
      sourcePort: 40001,
      destinationPort: dataPath,
      payload: await forged(world, node, network, token),
    });
    const frame = ethernet({ source: "02:00:ac:1f:01:01", destination: mac }, packet);
    await world.inject(node, side, [frame, frame, frame]);
  });
}

/** The control of all of them: the same packet from a peer arrives. */
const fromPeer = (world: World) =>
  fromSocket(world, { kind: "host", node: world.worker }, world.manager.privateIp, { label: "peer", must: "open" });

export const overlayAttacks: readonly PacketAttack[] = [
  {
    group: "packets",
    name: "vxlan-inject-public",
    what: "a VXLAN packet from outside for a container in an overlay",
    run: async (world) => [
      await fromSocket(world, outside, world.manager.publicIpv4, { label: "outside", must: "closed" }),
      await fromPeer(world),
    ],
  },
  {
    group: "packets",
    name: "vxlan-inject-private-nonpeer",
    what: "the same from a machine in the private network that is no peer",
    run: async (world) => [
      await fromSocket(world, stranger, world.manager.privateIp, { label: "private network", must: "closed" }),
      await fromPeer(world),
    ],
  },
  {
    group: "packets",
    name: "vxlan-inject-from-container",
    what: "the same from containers of another node, whose packets leave with that node's address, and over loopback",
    run: async (world) => {
      const { manager, worker } = world;
      const seen: Seen[] = [];
      for (const container of ["c-run", "c-plain", "c-host"])
        seen.push(
          await fromSocket(world, { kind: "container", node: worker, container }, manager.privateIp, {
            label: `${container} of a worker`,
            must: "closed",
          }),
        );
      seen.push(
        await fromSocket(world, { kind: "container", node: manager, container: "c-host" }, "127.0.0.1", {
          label: "c-host over loopback",
          must: "closed",
        }),
        await fromSocket(world, { kind: "host", node: manager }, "127.0.0.1", {
          label: "the node itself over loopback",
          must: "open",
        }),
        await fromPeer(world),
      );
      return seen;
    },
  },
  {
    group: "packets",
    name: "vxlan-spoofed-peer-src",
    what: "the same on the public wire, with a peer's private address as its source",
    run: async (world) => [
      await asPeerOnWire(world, "public", world.manager.publicIpv4, { label: "to the public address", must: "closed" }),
      await asPeerOnWire(world, "public", world.manager.privateIp, { label: "to the private address", must: "closed" }),
      await fromPeer(world),
    ],
  },
  {
    group: "packets",
    name: "vxlan-cleartext-encrypted-vni",
    what: "a clear-text VXLAN packet of an encrypted overlay, from a peer's address: Docker's own rule must still see it",
    run: async (world) => {
      // From the wire: what a peer's own kernel sends with that network's identifier it encrypts, forged or not.
      const seen = { label: "clear text", must: "closed" as const, closedAnyway: "Docker's own rule drops it" };
      return [
        await asPeerOnWire(world, "private", world.manager.privateIp, seen, "secret"),
        await asPeerOnWire(world, "private", world.manager.privateIp, { label: "of the plain overlay", must: "open" }),
      ];
    },
  },
  {
    group: "packets",
    name: "esp-peer-works",
    what: "an encrypted overlay carries traffic between nodes, as ESP",
    run: async (world) => {
      const address = await world.addressOf(world.manager, "c-secret", "secret");
      const encrypted = async () =>
        Number.parseInt(
          await world.ssh(
            world.manager,
            "ip -s xfrm state | awk '/lifetime current/ { getline; sum += $1 } END { print sum + 0 }'",
          ),
          10,
        );
      const before = await encrypted();
      const answers = await world.ask({ kind: "container", node: world.worker, container: "c-secret" }, [
        { label: "container to container, encrypted overlay", must: "open", network: "tcp4", address, port: 8000 },
      ]);
      const bytes = (await encrypted()) - before;
      return [
        ...answers,
        { label: "it went as ESP", must: "open", open: bytes > 0, detail: `${bytes} bytes more through xfrm` },
      ];
    },
  },
];
