/**
 * A worker without a public address: it is made, joins and is verified over the manager, gets its packages through it, serves behind
 * it, and nobody else reaches more of it than the policy says.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import {
  api,
  type ClusterNode,
  eventually,
  hostAt,
  type Probe,
  probeFromOutside,
  responderBinary,
  responderImage,
  responderProgram,
  say,
  scanHostKey,
  sessionsByHost,
} from "../../harness/src/index.js";
import { expectWhole, Life, longProbation, note, poolsOf, restart, type Wish } from "./lib.js";
import { askedOn, onNode, openOf, tcp } from "./probes.js";

const wish: Wish = { m1: { role: "manager" }, w1: { role: "worker", privateOnly: true } };
// The worker's cloud-init begins when the manager's has ended, and asks for packages through it.
const args = {
  policy: { publishedPorts: [{ port: 80 }] },
  network: { egress: { node: "m1" } },
  timeouts: longProbation,
};

let life: Life;
let manager: ClusterNode;
let worker: ClusterNode;
let firstSessions: Record<string, number>;

beforeAll(async () => {
  const { stack } = await Life.empty();
  await stack.setConfig("pools", JSON.stringify(poolsOf(wish)));
  await stack.setConfig("args", JSON.stringify(args));
  const run = await stack.up(note);
  firstSessions = sessionsByHost(run);
  life = await Life.open(wish);
  [manager, worker] = [life.node("m1"), life.node("w1")];
  await life.equip();
  // Behind the mesh on the worker alone, so that whoever gets an answer has reached it.
  const create = (name: string, port: number) =>
    `docker service create --quiet --no-resolve-image --name ${name} --constraint node.hostname==${worker.name} ` +
    `--publish ${String(port)}:8000 ${responderImage} serve tcp:8000`;
  await life.ssh(manager, `${create("web", 80)} && ${create("forbidden", 8080)}`);
});

const serverSchema = z.object({
  server: z.object({
    id: z.number(),
    public_net: z.object({
      ipv4: z.object({ ip: z.string() }).nullable(),
      ipv6: z.object({ ip: z.string() }).nullable(),
      firewalls: z.array(z.unknown()),
    }),
  }),
});
const serverOf = async (id: string) => serverSchema.parse(await api(life.region, "GET", `/servers/${id}`)).server;
const idOf = z.object({ id: z.number() });

const defaultRoute = () => life.ssh(worker, "ip -4 route show default");
const leadsOut = async () => (await defaultRoute()).includes("via 10.0.0.1");
const waysOut = async () => {
  // The mirror's name comes from Hetzner's resolvers, and both are reached by the manager alone.
  await life.ssh(worker, "getent ahostsv4 mirror.region.internal");
  await life.ssh(worker, "apt-get -q update -o APT::Update::Error-Mode=any");
};
const masqueraded = async () =>
  Number(/^\[(\d+):\d+\] -A HC-NAT /m.exec(await life.ssh(manager, "iptables-save -c -t nat"))?.[1] ?? Number.NaN);

describe("a private-only worker", () => {
  it("has joined over the manager, is verified, and is no more and no less than a node", async () => {
    await expectWhole(life, life.cluster.outputs.swarmId);
    expect([worker.publicIpv4, worker.publicIpv6]).toEqual(["", ""]);
    const { public_net: net } = await serverOf(worker.serverId);
    expect(net).toEqual({ ipv4: null, ipv6: null, firewalls: [] });
    expect((await serverOf(manager.serverId)).public_net.ipv4?.ip).toBe(manager.publicIpv4);
    expect(firstSessions[worker.privateIp]).toBe(3);
    // Its own three, and one to the manager for each of the worker's.
    expect(firstSessions[manager.publicIpv4]).toBe(6);
  });

  it("lets the next deployment do nothing", async () => {
    const run = await life.become(wish, args);
    expect(run.sshSessions).toEqual([]);
    expect(run.text).not.toMatch(/ (created|updated|deleted|replaced)/);
  });

  it("gets out through the manager, with the manager's address, and to its own metadata by itself", async () => {
    const before = await masqueraded();
    await waysOut();
    expect(await masqueraded()).toBeGreaterThan(before);
    const metadata = "http://169.254.169.254/hetzner/v1/metadata/instance-id";
    expect(await life.ssh(worker, `curl -sf -m 10 ${metadata}`)).toBe(worker.serverId);
    expect(await life.ssh(manager, `curl -sf -m 10 ${metadata}`)).toBe(manager.serverId);
    await life.ssh(manager, "iptables -t nat -I HC-NAT 1 -j RETURN");
    try {
      const fetch = "curl -s -m 8 -o /dev/null http://mirror.region.internal/ && echo open || echo closed";
      expect(await life.ssh(worker, fetch), "without translation nobody answers").toBe("closed");
    } finally {
      // By its text: the agent may have taken it away already, and the translation would be the first rule then.
      await life.ssh(manager, "iptables -t nat -D HC-NAT -j RETURN || :");
    }
    await waysOut();
  });

  it("serves behind the manager's ingress, and is reached from outside in no other way", async () => {
    const outside = (probes: readonly Probe[]) => probeFromOutside(life.region, probes).then(openOf);
    expect(
      await outside([
        tcp("web on the manager", manager.publicIpv4, 80, "answer"),
        tcp("forbidden on the manager", manager.publicIpv4, 8080, "answer"),
        tcp("ssh of the manager", manager.publicIpv4, 22, "connect"),
        tcp("web on the worker", worker.privateIp, 80, "answer"),
        tcp("ssh of the worker", worker.privateIp, 22, "connect"),
      ]),
    ).toEqual({
      "web on the manager": true,
      "forbidden on the manager": false,
      "ssh of the manager": true,
      "web on the worker": false,
      "ssh of the worker": false,
    });
    const web = `curl -sf -m 10 -o /dev/null http://${manager.publicIpv4}/`;
    await life.region.exec("sh", ["-c", web], {});
  });

  it("opens to a machine of its network that is no peer what the policy opens, and SSH", async () => {
    const networks = z.object({ networks: z.array(idOf) }).parse(await api(life.region, "GET", "/networks")).networks;
    const keys = z.object({ ssh_keys: z.array(idOf) }).parse(await api(life.region, "GET", "/ssh_keys")).ssh_keys;
    const { server } = serverSchema.parse(
      await api(life.region, "POST", "/servers", {
        ...{ name: "stranger", server_type: "cx23", image: "debian-13-docker", location: "fsn1" },
        ssh_keys: keys.map(({ id }) => id),
        networks: networks.map(({ id }) => id),
      }),
    );
    try {
      const address = (await serverOf(String(server.id))).public_net.ipv4?.ip ?? "";
      const hostKey = await scanHostKey(life.region, address, "ed25519", 900);
      const stranger = hostAt(life.region, address, hostKey, life.keyFile, life.stack.stateDir);
      await stranger.ssh("cloud-init status --wait >/dev/null || :");
      await stranger.send(await responderBinary(), responderProgram);
      await stranger.ssh(`chmod 755 ${responderProgram}`);
      const questions = [
        tcp("web", worker.privateIp, 80, "answer"),
        tcp("ssh", worker.privateIp, 22, "connect"),
        tcp("forbidden", worker.privateIp, 8080, "answer"),
        tcp("gossip", worker.privateIp, 7946, "connect"),
        tcp("managers", manager.privateIp, 2377, "connect"),
      ];
      const closed = { forbidden: false, gossip: false, managers: false };
      expect(await askedOn(stranger.ssh, questions)).toEqual({ web: true, ssh: true, ...closed });
      // Something listens there: peers reach the swarm's ports, and the worker itself the port that is not open.
      expect(await askedOn(onNode(life, manager), [tcp("gossip", worker.privateIp, 7946, "connect")])).toEqual({
        gossip: true,
      });
      expect(
        await askedOn(onNode(life, worker), [
          tcp("managers", manager.privateIp, 2377, "connect"),
          tcp("forbidden", worker.privateIp, 8080, "answer"),
        ]),
      ).toEqual({ managers: true, forbidden: true });
    } finally {
      await api(life.region, "DELETE", `/servers/${String(server.id)}`);
    }
  });

  it("gets its route back when somebody drops it, and after a restart", async () => {
    expect(await defaultRoute()).toMatch(/^default via 10\.0\.0\.1 dev \S+ /);
    await life.ssh(worker, "ip -4 route del default");
    const begin = Date.now();
    await eventually("the default route", 120, leadsOut);
    const seconds = (Date.now() - begin) / 1000;
    say(`    a dropped route was back after ${seconds.toFixed(0)} s`);
    await restart(life, worker);
    await eventually("the default route", 120, leadsOut);
    await eventually("the way out", 300, () => waysOut().then(() => true));
    await eventually(
      "the swarm on it",
      600,
      async () => (await life.ssh(worker, "docker info --format '{{.Swarm.LocalNodeState}}'")) === "active",
    );
    const web = `curl -sf -m 10 -o /dev/null http://${manager.publicIpv4}/`;
    await eventually(
      "the web service",
      600,
      async () => (await life.region.exec("sh", ["-c", web], { reject: false })).exitCode === 0,
    );
    await life.settle();
    await expectWhole(life, life.cluster.outputs.swarmId);
  });

  it("takes a changed policy over the manager, and says how to become a public one", async () => {
    const other = { ...args, policy: { publishedPorts: [{ port: 80 }, { port: 8080 }] } };
    const run = await life.become(wish, other);
    expect(sessionsByHost(run)[worker.privateIp]).toBe(2);
    const results = await probeFromOutside(life.region, [tcp("opened", manager.publicIpv4, 8080, "answer")]);
    expect(openOf(results)).toEqual({ opened: true });
    await life.stack.setConfig("pools", JSON.stringify(poolsOf({ ...wish, w1: { role: "worker" } })));
    const refused = await life.stack.pulumi("up", "--yes");
    expect(refused.exitCode).not.toBe(0);
    expect(refused.text).toMatch(/life-w1 has no public address and stays without\. .*'replacement'/);
    await life.become(wish, args);
    await expectWhole(life, life.cluster.outputs.swarmId);
  });

  it("is managed over a host that is given, too", async () => {
    const hostKey = await scanHostKey(life.region, manager.publicIpv4, "ed25519");
    const questions = [tcp("web", worker.privateIp, 80, "answer"), tcp("opened", worker.privateIp, 8080, "answer")];
    expect(await askedOn(onNode(life, manager), questions)).toEqual({ web: true, opened: false });
    const bastion = { host: manager.publicIpv4, hostKey };
    const policy = { publishedPorts: [{ port: 80 }, { port: 8080 }] };
    const run = await life.become(wish, { ...args, bastion, policy });
    // As for any change of the policy, and one to the host for each of the worker's.
    expect(sessionsByHost(run)).toEqual({ [worker.privateIp]: 2, [manager.publicIpv4]: 4 });
    // The test's own connections to the worker go over that entry now.
    expect(life.cluster.outputs.sshConfig).toContain("\n  ProxyJump life-bastion\n");
    expect(await askedOn(onNode(life, manager), questions)).toEqual({ web: true, opened: true });
    await expectWhole(life, life.cluster.outputs.swarmId);
  });

  it("goes with its cluster: nothing is left", async () => {
    await life.stack.destroy(note);
    for (const kind of ["servers", "networks", "firewalls", "ssh_keys", "placement_groups", "primary_ips"]) {
      const left = z.record(z.string(), z.unknown()).parse(await api(life.region, "GET", `/${kind}`));
      expect(left[kind], kind).toEqual([]);
    }
  });
});
