/** Packets as large as an overlay says it takes pass between nodes with don't-fragment, and one byte more does not. */
import { beforeAll, describe, expect, it } from "vitest";
import { type ClusterNode, responderImage } from "../../harness/src/index.js";
import { Life } from "./lib.js";

/** A place to send from, or to: a network namespace on a node, and its address in the network that is asked about. */
interface Place {
  readonly node: ClusterNode;
  /** What comes before a command that is to run there. */
  readonly enter: string;
  readonly address: string;
}

/** IPv4 header and ICMP header: what `ping -s` does not count. */
const headers = 28;
const privateMtu = 1450;
const vxlan = 50;

let life: Life;
let ends: readonly [ClusterNode, ClusterNode];
beforeAll(async () => {
  life = await Life.ready();
  ends = [life.node("m2"), life.node("w1")];
});

const container = async (node: ClusterNode, network: string): Promise<Place> => {
  const name = `mtu-${network}`;
  await life.ssh(
    node,
    `docker run --detach --quiet --network ${network} --name ${name} ${responderImage} serve tcp:8000`,
  );
  const format = `{{.State.Pid}} {{(index .NetworkSettings.Networks "${network}").IPAddress}}`;
  const [pid = "", address = ""] = (await life.ssh(node, `docker inspect --format '${format}' ${name}`)).split(" ");
  return { node, enter: `nsenter --target ${pid} --net`, address };
};

const ingress = async (node: ClusterNode): Promise<Place> => {
  const format = '{{(index .Containers "ingress-sbox").IPv4Address}}';
  const address = await life.ssh(node, `docker network inspect ingress --format '${format}'`);
  return {
    node,
    enter: "nsenter --net=/run/docker/netns/ingress_sbox",
    address: address.split("/")[0] ?? "",
  };
};

const onTheWire = (node: ClusterNode): Place => ({ node, enter: "", address: node.privateIp });

/** Runs `ip link WORDS` on the device that has the place's address. */
const link = async ({ node, enter, address }: Place, verb: string, words = ""): Promise<string> => {
  const match = `awk -v ip=${address} '{ split($4, part, "/"); if (part[1] == ip) print $2 }'`;
  const device = `$(${enter} ip -o -4 address show | ${match})`;
  return await life.ssh(node, `${enter} ip -o link ${verb} dev "${device}" ${words}`);
};
const mtuOf = async (place: Place): Promise<number> => Number(/ mtu (\d+) /.exec(await link(place, "show"))?.[1]);

/** Whether one of several packets of that size, header and all, comes back unfragmented. */
const passes = async (from: Place, to: Place, bytes: number): Promise<boolean> => {
  const ping = `${from.enter} ping -4 -q -M do -c 5 -i 0.5 -W 5 -s ${String(bytes - headers)} ${to.address}`;
  const said = await life.ssh(from.node, `${ping} 2>&1 || :`);
  const received = /(\d+) received/.exec(said)?.[1];
  if (received === undefined) throw new Error(`ping on ${from.node.name} said: ${said}`);
  return Number(received) > 0;
};

async function expectExactly(from: Place, to: Place, mtu: number): Promise<void> {
  expect([await mtuOf(from), await mtuOf(to)]).toEqual([mtu, mtu]);
  for (const [here, there] of [
    [from, to],
    [to, from],
  ] as const) {
    const way = `${here.node.name} to ${there.node.name}`;
    expect(await passes(here, there, mtu), `${String(mtu)} bytes from ${way}`).toBe(true);
    expect(await passes(here, there, mtu + 1), `${String(mtu + 1)} bytes from ${way}`).toBe(false);
  }
}

describe("the largest packet", () => {
  it("of the private network is 1450 bytes", async () => {
    const [a, b] = ends;
    await expectExactly(onTheWire(a), onTheWire(b), privateMtu);
  });

  it("of the ingress network leaves room for VXLAN", async () => {
    const [a, b] = ends;
    await expectExactly(await ingress(a), await ingress(b), privateMtu - vxlan);
  });

  it("of a network of the user leaves room for VXLAN, without any option", async () => {
    await life.ssh(life.manager, "docker network create --driver overlay --attachable mine");
    const [a, b] = ends;
    await expectExactly(await container(a, "mine"), await container(b, "mine"), privateMtu - vxlan);
  });

  it("of an encrypted network leaves room for ESP too", async () => {
    await life.ssh(life.manager, "docker network create --driver overlay --attachable --opt encrypted sealed");
    const [a, b] = ends;
    const places = [await container(a, "sealed"), await container(b, "sealed")] as const;
    const mtu = await mtuOf(places[0]);
    expect(mtu).toBeLessThan(privateMtu - vxlan);
    await expectExactly(...places, mtu);
  });

  it("would be lost on the way if the ingress network took the 1500 bytes that Docker assumes", async () => {
    const [a, b] = ends;
    const [from, to] = [await ingress(a), await ingress(b)];
    for (const place of [from, to]) await link(place, "set", "mtu 1500");
    expect(await passes(from, to, privateMtu - vxlan)).toBe(true);
    expect(await passes(from, to, 1500)).toBe(false);
  });
});
