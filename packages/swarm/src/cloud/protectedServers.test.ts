import { describe, expect, it } from "vitest";
import type { SwarmClusterArgs } from "../args/components";
import { HardenedServer } from "../hardenedServer";
import { planCluster } from "../plan/cluster";
import { bootstrapHostKey } from "../remote/sshKey";
import { type FakeMember, type FakeOptions, fakeCloud } from "../testing/fakeCloud";
import { madeCluster, refusedCluster } from "../testing/madeCluster";

const { privateKey, publicKey: hostKey } = bootstrapHostKey("a test", "key", "pair");
const ssh = { privateKey };

describe("protection from deletion and rebuild", () => {
  it("is the node's, else its pool's, else the cluster's; Hetzner Cloud wants both or neither", async () => {
    const protectionOf = async (args: Omit<SwarmClusterArgs, "ssh">) => {
      const { cloud } = await madeCluster({ ssh, ...args });
      return Object.fromEntries(
        cloud
          .ofType("hcloud:index/server:Server")
          .map(({ name, inputs }) => [name, [inputs.deleteProtection, inputs.rebuildProtection]]),
      );
    };
    const [on, off] = [
      [true, true],
      [false, false],
    ];
    const m = { role: "manager", nodes: { m1: {} } } as const;
    const nodes = { w1: {}, w2: { deleteProtection: false }, w3: { deleteProtection: true } };
    expect(await protectionOf({ pools: { m } })).toEqual({ "prod-m1": off });
    expect(await protectionOf({ deleteProtection: true, pools: { m, w: { role: "worker", nodes } } })).toEqual({
      ...{ "prod-m1": on, "prod-w1": on, "prod-w2": off, "prod-w3": on },
    });
    const spared = { role: "worker", nodes, deleteProtection: false } as const;
    expect(await protectionOf({ deleteProtection: true, pools: { m, w: spared } })).toEqual({
      ...{ "prod-m1": on, "prod-w1": off, "prod-w2": off, "prod-w3": on },
    });
  });

  it("is a HardenedServer's too", async () => {
    const cloud = await fakeCloud();
    new HardenedServer("web", { ssh, deleteProtection: true });
    await cloud.settled();
    expect(cloud.inputsOf("web-server")).toMatchObject({ deleteProtection: true, rebuildProtection: true });
  });

  it("is refused beside adopt: such a server stays as it is", () => {
    const nodes = { m1: { deleteProtection: false, adopt: { id: "1", hostKey, address: "10.0.0.1" } } };
    expect(() => planCluster("prod", { ssh, pools: { m: { role: "manager", nodes } } })).toThrow(
      /pools\.m\.nodes\.m1\.deleteProtection: given false; allowed: nothing beside adopt/,
    );
  });
});

describe("a node that leaves", () => {
  const swarm: FakeMember[] = ["m1", "w1", "w2"].map((name) => ({ name, role: name === "m1" ? "manager" : "worker" }));
  const args = (nodes: Readonly<Record<string, object>>): SwarmClusterArgs => ({
    ssh,
    pools: { m: { role: "manager", nodes: { m1: {} } }, w: { role: "worker", nodes } },
  });
  const options = (guarded: readonly string[]): FakeOptions => ({ swarm, guarded, founder: "1" });

  it.each<[string, object, object]>([
    ["taken out", { w1: {} }, {}],
    ["replaced", { w1: {}, w2: { replacement: 1 } }, {}],
    ["taken out with a protection that is no longer in the program", { w1: {} }, { deleteProtection: false }],
  ])("is refused before anything is drained where its server is protected: %s", async (_, nodes, more) => {
    const { cloud, errors } = await refusedCluster(
      { ...args(nodes as Readonly<Record<string, object>>), ...more },
      options(["prod-w1", "prod-w2"]),
    );
    expect(errors).toMatch(
      /SwarmCluster "prod": protected from deletion.*: prod-w2\. Nothing has been drained.*'hcloud server disable-protection prod-w2 delete rebuild'/,
    );
    const names = cloud.asked.map((one) => one.name);
    expect(names).toContain("prod-m1-policy");
    for (const name of ["prod-handover", "prod-roster", "prod-w1-policy"]) expect(names).not.toContain(name);
  });

  it("is known by its mark where its host has the name that the cluster had before", async () => {
    const renamed = swarm.map((one) => ({
      ...{ ...one, host: `old-${one.name}` },
      mark: { founder: "1", server: `prod-${one.name}` },
    }));
    const { errors } = await refusedCluster(args({ w1: {} }), { ...options(["prod-w1", "prod-w2"]), swarm: renamed });
    expect(errors).toMatch(/protected from deletion.*: prod-w2\. Nothing has been drained/);
  });

  it("leaves where it is not, whatever is protected beside it", async () => {
    const { cloud } = await madeCluster(args({ w1: {} }), options(["prod-w1", "prod-m1", "prod-gone"]));
    expect(cloud.inputsOf("prod-roster").stdin).toContain("drain id-w2 prod-w2");
  });
});
