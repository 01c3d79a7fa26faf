/** A host key that somebody changed on a node that is up, and a program that accepts it. */
import { describe, expect, it } from "vitest";
import type { SwarmClusterArgs } from "../args/components";
import type { NodeArgs } from "../args/pools";
import { HardenedServer } from "../hardenedServer";
import { RefusedChangeError } from "../refusedChange";
import { bootstrapHostKey } from "../remote/sshKey";
import { SwarmCluster } from "../swarmCluster";
import { type FakeCloud, type FakeOptions, fakeCloud, hostKey, known, plain } from "../testing/fakeCloud";
import { madeCluster } from "../testing/madeCluster";
import { type KnownKeys, keyInForce } from "./acceptedKey";

const { privateKey } = bootstrapHostKey("a test", "key", "pair");
const accepted = bootstrapHostKey("another", "key", "pair").publicKey;
const ssh = { privateKey };

/** A manager that is the way out, a worker behind it and one beside it. */
const pools = (m1: NodeArgs, w1: NodeArgs = {}): SwarmClusterArgs["pools"] => ({
  m: { role: "manager", nodes: { m1 } },
  w: { role: "worker", nodes: { w1: { privateOnly: true, ...w1 }, w2: {} } },
});
const up = (m1: NodeArgs, w1: NodeArgs = {}, options: FakeOptions = {}) =>
  madeCluster({ ssh, pools: pools(m1, w1), network: { egress: { node: "m1" } } }, options);
const connectionOf = (cloud: FakeCloud, step: string) => plain(cloud.inputsOf(step).connection);
const later = ["agent", "policy", "membership", "peers"];
const mark = /^prod-m1-host-key-[0-9a-f]{8}$/;
/** The memory of the server has an id, too, so that the mocks give others to what comes after it. */
const withoutIds = (inputs: object) => JSON.stringify(inputs).replace(/\b1\d\d\b/g, "ID");
const marks = (cloud: FakeCloud) => cloud.asked.filter(({ name }) => /-host-key-/.test(name));

describe("a node's accepted host key", () => {
  it("is asked of it by all steps after its first contact, and by those over it; by no other", async () => {
    const { cloud } = await up({ hostKey: `${accepted} root@prod-m1\n` });
    for (const step of later) {
      expect(connectionOf(cloud, `prod-m1-${step}`).hostKey, step).toBe(accepted);
      expect(connectionOf(cloud, `prod-w1-${step}`).hostKey, step).toBe(hostKey);
      expect(connectionOf(cloud, `prod-w1-${step}`).proxy.hostKey, step).toBe(accepted);
      expect(connectionOf(cloud, `prod-w2-${step}`).hostKey, step).toBe(hostKey);
    }
    for (const step of ["handover", "roster"]) expect(connectionOf(cloud, `prod-${step}`).hostKey).toBe(accepted);
    const first = bootstrapHostKey(privateKey, "prod", "m1").publicKey;
    expect(connectionOf(cloud, "prod-m1-bootstrap").hostKey).toBe(first);
  });

  it("changes nothing but connections and what a preview shows of the node", async () => {
    const without = (await up({})).cloud;
    const { cloud } = await up({ hostKey: accepted });
    expect(marks(cloud).map(({ name }) => name)).toEqual([expect.stringMatching(mark)]);
    expect(marks(without)).toEqual([]);
    for (const { name, inputs } of without.asked) {
      const { connection: _, nodes: __, ...before } = inputs;
      const { connection, nodes, ...after } = cloud.inputsOf(name);
      expect(withoutIds(after), name).toEqual(withoutIds(before));
    }
    const shown = { hostKey: accepted };
    expect(cloud.inputsOf("prod").nodes.m1).toMatchObject(shown);
    expect(without.inputsOf("prod").nodes.m1).not.toHaveProperty("hostKey");
    // First contacts are not made again: of their connections only what their step ignores is another.
    const { proxy, ...rest } = connectionOf(cloud, "prod-w1-bootstrap");
    const { proxy: was, ...before } = connectionOf(without, "prod-w1-bootstrap");
    expect(rest).toEqual(before);
    expect({ ...proxy, hostKey: was.hostKey }).toEqual(was);
    expect(connectionOf(cloud, "prod-m1-bootstrap")).toEqual(connectionOf(without, "prod-m1-bootstrap"));
  });

  it("is in the SSH configuration", async () => {
    const { cluster } = await up({ hostKey: accepted });
    const [m1, w1] = (await known(cluster.sshConfig)).split("\n\n");
    expect(m1).toContain(accepted);
    expect(w1).toContain(hostKey);
  });

  it("is previewed when nothing is known yet", async () => {
    const { cloud } = await up({ hostKey: accepted }, {}, { preview: true });
    expect(cloud.asked.map(({ name }) => name)).toContain("prod-m1-membership");
  });

  it("is that of a server alone, too", async () => {
    const cloud = await fakeCloud();
    const server = new HardenedServer("web", { ssh, hostKey: accepted });
    await cloud.settled();
    for (const step of ["agent", "policy", "verification"])
      expect(connectionOf(cloud, `web-server-${step}`).hostKey, step).toBe(accepted);
    expect(await known(server.sshConfig)).toContain(accepted);
    expect(cloud.inputsOf("web").server.hostKey).toBe(accepted);
  });

  it.each<[string, NodeArgs, string]>([
    ["of a kind that nodes do not serve", { hostKey: `ecdsa-sha2-nistp256 ${"A".repeat(140)}` }, "ssh-ed25519 AAAA"],
    ["that is a private one", { hostKey: privateKey }, "ssh-ed25519 AAAA"],
    ["beside adopt", { hostKey: accepted, adopt: { id: "5", hostKey } }, "nothing beside adopt"],
  ])("%s is refused before anything is made", async (_, node, message) => {
    const cloud = await fakeCloud();
    const make = () => new SwarmCluster("prod", { ssh, pools: pools(node), network: { egress: { node: "m1" } } });
    expect(make).toThrow(message);
    expect(make).toThrow("pools.m.nodes.m1.hostKey: given ");
    expect(make).not.toThrow(/PRIVATE KEY/);
    await cloud.settled();
    expect(cloud.asked).toEqual([]);
  });
});

describe("the host key in force", () => {
  const pinned = { name: "prod-m1", argument: "pools.m.nodes.m1.hostKey", inDoubt: "raise the node's 'replacement'" };
  const inForce = (known: Partial<KnownKeys>) =>
    keyInForce({ component: 'SwarmCluster "prod"', pinned }, accepted, {
      ...{ serverId: "7", givenFor: "7", own: hostKey, oneUse: "ssh-ed25519 AAAA" },
      ...known,
    });

  it("is the accepted one of the server that it was given for", () => {
    expect(inForce({})).toBe(accepted);
  });

  it("is a server's own where the accepted one was given for a server before it", async () => {
    expect(inForce({ givenFor: "6" })).toBe(hostKey);
    // The mocks' memory of a first value.
    const cloud = await fakeCloud({ founder: "6" });
    new HardenedServer("web", { ssh, hostKey: accepted });
    await cloud.settled();
    expect(connectionOf(cloud, "web-server-policy").hostKey).toBe(hostKey);
  });

  it("is never the one-use key of the first boot", () => {
    expect(() => inForce({ oneUse: accepted })).toThrow(RefusedChangeError);
    expect(() => inForce({ oneUse: accepted })).toThrow(
      /^SwarmCluster "prod": pools\.m\.nodes\.m1\.hostKey: given the one-use key .*: raise the node's 'replacement'$/,
    );
    expect(inForce({ oneUse: accepted, givenFor: "6" })).toBe(hostKey);
  });
});
