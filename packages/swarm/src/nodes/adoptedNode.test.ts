import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import type { SwarmClusterArgs } from "../args/components";
import { InvalidArgumentError } from "../args/invalidArgument";
import type { AdoptArgs, NodeArgs } from "../args/pools";
import { armProgram, installProgram } from "../host";
import { type Adoption, serverProperties, type WantedShape } from "../plan/adoption";
import { bootstrapHostKey } from "../remote/sshKey";
import { SwarmCluster } from "../swarmCluster";
import { fakeCloud, hostKey, known, plain } from "../testing/fakeCloud";
import { refuseChanges } from "./adoptedNode";

const { privateKey } = bootstrapHostKey("a test", "key", "pair");
const there = {
  name: "old-box",
  serverType: "cx32",
  location: "nbg1",
  image: "debian-12",
  ipv4Address: "198.51.100.7",
  ipv6Address: "2001:db8:9::1",
  networks: [
    { networkId: 9, ip: "10.9.0.7" },
    { networkId: 4711, ip: "10.0.0.7" },
  ],
};
/** As the other part of a program, an import and an alias find it. */
const servers = { "55": there, "77": there, "prod-manager-1": { networks: there.networks } };
const network = { existing: { id: "4711" } };

interface Made {
  readonly name: string;
  readonly options: pulumi.CustomResourceOptions;
}

/** A cluster of one adopted manager, and what else is given. */
async function up(
  adopt: Partial<AdoptArgs>,
  node: NodeArgs = {},
  extra: Partial<SwarmClusterArgs> = {},
  preview = false,
) {
  const cloud = await fakeCloud({ servers, preview });
  const made: Made[] = [];
  const args: SwarmClusterArgs = {
    ssh: { privateKey },
    network,
    pools: { manager: { role: "manager", nodes: { "manager-1": { adopt: { hostKey, ...adopt }, ...node } } } },
    ...extra,
  };
  const cluster = new SwarmCluster("prod", args, {
    transformations: [({ name, opts }) => void made.push({ name, options: opts })],
  });
  const optionsOf = (name: string) => made.find((one) => one.name === name)?.options;
  return { cloud, cluster, optionsOf };
}

describe("a node that adopts a server by id", () => {
  it("makes no server and no network, key or firewall, and sets nothing up anew", async () => {
    const { cloud } = await up({ id: "55" });
    await cloud.settled();
    expect(cloud.asked.map((one) => one.name).sort()).toEqual([
      "prod",
      "prod-founder",
      "prod-handover",
      "prod-manager-1-agent",
      "prod-manager-1-membership",
      "prod-manager-1-peers",
      "prod-manager-1-policy",
      "prod-roster",
    ]);
  });

  it("reaches it with its own key, at its public address, and keeps its swarm", async () => {
    const { cloud, cluster } = await up({ id: "55", user: "admin" });
    await cloud.settled();
    for (const step of ["agent", "policy", "membership"]) {
      const { connection, triggers } = cloud.inputsOf(`prod-manager-1-${step}`);
      expect(plain(connection)).toMatchObject({ host: there.ipv4Address, user: "admin", hostKey });
      expect(triggers).toEqual(["55"]);
    }
    expect(cloud.inputsOf("prod-manager-1-agent").stdin).toBe(installProgram());
    expect(cloud.inputsOf("prod-manager-1-agent").delete).toMatch(/hcloud-iptables/);
    expect(cloud.inputsOf("prod-manager-1-policy").create).toContain("--keep-swarm");
    const membership = plain(cloud.inputsOf("prod-manager-1-membership").stdin);
    expect(membership).toContain("private_ip='10.0.0.7'");
    expect(membership).toContain(armProgram());
    const nodes = await known(cluster.nodes);
    expect(nodes["manager-1"]).toMatchObject({ publicIpv4: there.ipv4Address, privateIp: "10.0.0.7", serverId: "55" });
  });

  it("leaves the agent on it when that is wished", async () => {
    const { cloud } = await up({ id: "55", keepOnRemove: true });
    await cloud.settled();
    expect(cloud.inputsOf("prod-manager-1-agent").delete).toBeUndefined();
  });

  it("takes the address that is named, in a swarm over public addresses", async () => {
    const { cloud } = await up({ id: "55", address: there.ipv4Address }, {}, { network: {} });
    await cloud.settled();
    expect(plain(cloud.inputsOf("prod-manager-1-membership").stdin)).toContain(`private_ip='${there.ipv4Address}'`);
    expect(cloud.ofType("hcloud:index/network:Network")).toEqual([]);
  });

  it("tells new nodes of it as a peer, and has them join through it", async () => {
    const { cloud } = await up(
      { id: "55" },
      {},
      {
        pools: {
          // By name alone, a-1 would start the swarm.
          a: { role: "manager", nodes: { "a-1": {}, "a-2": {} } },
          manager: { role: "manager", nodes: { "manager-1": { adopt: { hostKey, id: "55" } } } },
        },
      },
    );
    await cloud.settled();
    expect(cloud.inputsOf("prod-a-1-policy").stdin).toContain("\n10.0.0.7\n");
    expect(plain(cloud.inputsOf("prod-manager-1-membership").stdin)).toContain("action='init'");
    expect(plain(cloud.inputsOf("prod-a-1-membership").stdin)).toContain("action='join'");
    expect(cloud.ofType("hcloud:index/server:Server").map((one) => one.name)).toEqual(["prod-a-1", "prod-a-2"]);
  });

  it("previews when the server is not made yet", async () => {
    const { cloud } = await up({ id: "55" }, {}, {}, true);
    await cloud.settled();
    expect(cloud.asked.map((one) => one.name)).toContain("prod-manager-1-membership");
  });
});

describe("a node that takes a server over", () => {
  it("imports it, with every argument of it ignored: nothing is replaced and nothing changed", async () => {
    const { cloud, optionsOf } = await up({ importId: "55" });
    await cloud.settled();
    expect(cloud.ofType("hcloud:index/server:Server").map((one) => one.name)).toEqual(["prod-manager-1"]);
    expect(optionsOf("prod-manager-1")?.import).toBe("55");
    expect(optionsOf("prod-manager-1")?.ignoreChanges).toEqual(serverProperties);
    expect(plain(cloud.inputsOf("prod-manager-1-policy").connection).host).toBe(there.ipv4Address);
  });

  it.each([
    ["old-server", { name: "old-server" }],
    ["urn:pulumi:a::b::hcloud:index/server:Server::x", "urn:pulumi:a::b::hcloud:index/server:Server::x"],
  ])("finds it under its former name %s", async (alias, expected) => {
    const { cloud, optionsOf } = await up({ alias });
    await cloud.settled();
    const [given] = optionsOf("prod-manager-1")?.aliases ?? [];
    if (typeof expected === "string") expect(given).toBe(expected);
    else expect(given).toMatchObject(expected);
    expect(optionsOf("prod-manager-1")?.ignoreChanges).toEqual(serverProperties);
    expect(optionsOf("prod-manager-1-policy")?.deletedWith).toBeDefined();
  });

  it("lets its type change when it may be powered off", async () => {
    const { cloud, optionsOf } = await up({ alias: "x", mayReboot: true }, { serverType: "cx42" });
    await cloud.settled();
    expect(optionsOf("prod-manager-1")?.ignoreChanges).not.toContain("serverType");
    expect(cloud.inputsOf("prod-manager-1").serverType).toBe("cx42");
  });

  it("makes it anew when it may be replaced, as any other node", async () => {
    const { cloud, optionsOf } = await up({ alias: "x", mayReplace: true }, { image: "debian-13" });
    await cloud.settled();
    expect(optionsOf("prod-manager-1")?.ignoreChanges).toEqual(["sshKeys"]);
    expect(optionsOf("prod-manager-1")?.aliases).toMatchObject([{ name: "x" }]);
    expect(cloud.asked.map((one) => one.name)).toContain("prod-manager-1-bootstrap");
    expect(cloud.inputsOf("prod-manager-1-agent").create).toBeUndefined();
  });
});

describe("what is refused", () => {
  it.each<[Adoption["way"], WantedShape, RegExp]>([
    ["id", { serverType: "cx42" }, /serverType: from "cx32" to "cx42".*powered off.*whoever owns/],
    ["importId", { location: "fsn1" }, /location: from "nbg1" to "fsn1".*deleted.*take this one away/],
    ["alias", { image: "debian-13" }, /image: from "debian-12" to "debian-13".*mayReplace/],
  ])("of a server by %s: %j", (way, wanted, message) => {
    const plan = { component: 'SwarmCluster "prod"', path: "pools.manager.nodes.manager-1", wanted };
    const check = () => refuseChanges(plan, there, { way, mayReboot: false, mayReplace: false });
    expect(check).toThrow(message);
    expect(check).toThrow(
      /^SwarmCluster "prod": an adopted server stays as it is\n {2}pools\.manager\.nodes\.manager-1\./,
    );
    expect(check).toThrow(pulumi.RunError);
  });

  it("is nothing where the program names what the server is", async () => {
    const { cluster, cloud } = await up({ id: "55" }, { serverType: "cx32", location: "nbg1", image: "debian-12" });
    await cloud.settled();
    expect((await known(cluster.nodes))["manager-1"]?.serverId).toBe("55");
  });

  it.each<[Partial<AdoptArgs>, string]>([
    [{}, "adopt.id"],
    [{ id: "55", importId: "55" }, "adopt.id"],
    [{ id: "55", mayReboot: true }, "adopt.mayReboot"],
    [{ importId: "55", mayReplace: true }, "adopt.mayReplace"],
    [{ alias: "x", keepOnRemove: true }, "adopt.keepOnRemove"],
    [{ id: "web" }, "adopt.id"],
    [{ alias: "a b" }, "adopt.alias"],
    [{ id: "55", hostKey: "ssh-rsa AAAA" }, "adopt.hostKey"],
  ])("%j, before anything is made", async (adopt, path) => {
    await expect(up(adopt)).rejects.toThrow(InvalidArgumentError);
    await expect(up(adopt)).rejects.toMatchObject({ paths: [`pools.manager.nodes.manager-1.${path}`] });
  });

  it("a server whose address in the swarm nothing tells", async () => {
    await expect(up({ id: "55" }, {}, { network: {} })).rejects.toThrow(
      /adopt\.address: given nothing; allowed: its address/,
    );
  });
});
