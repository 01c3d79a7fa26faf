/** What pools and nodes are told beside their shape, as the program asks for it. */
import { describe, expect, it } from "vitest";
import type { SwarmClusterArgs } from "./args";
import { bootstrapHostKey } from "./remote/sshKey";
import { SwarmCluster } from "./swarmCluster";
import { type FakeOptions, fakeCloud } from "./testing/fakeCloud";

const { privateKey } = bootstrapHostKey("a test", "key", "pair");

async function up(args: Partial<SwarmClusterArgs> & Pick<SwarmClusterArgs, "pools">, options: FakeOptions = {}) {
  const cloud = await fakeCloud(options);
  new SwarmCluster("prod", { ssh: { privateKey }, ...args });
  await cloud.settled();
  return cloud;
}

describe("labels in the swarm", () => {
  const pools = {
    manager: { role: "manager", nodes: { m1: {} } },
    worker: {
      role: "worker",
      nodeLabels: { disk: "hdd", zone: "a" },
      nodes: { w1: { nodeLabels: { disk: "ssd" } }, w2: {} },
    },
  } as const;

  it("are a step on a manager, after the joins and before anything leaves", async () => {
    for (let round = 0; round < 3; round += 1) {
      const cloud = await up({ pools }, { slow: true });
      const { create, stdin, delete: undo, connection } = cloud.inputsOf("prod-labels");
      expect([create, undo]).toEqual(["sh -s", "sh -s forget"]);
      expect(stdin).toContain("wish='prod-m1\nprod-w1 disk=ssd zone=a\nprod-w2 disk=hdd zone=a\n'\n");
      expect(stdin).toMatch(/\n# servers \d+ \d+ \d+\n$/);
      expect(connection.host).toBe(cloud.inputsOf("prod-m1-policy").connection.host);
      for (const node of ["m1", "w1", "w2"])
        expect(cloud.isDoneBefore(`prod-${node}-membership`, "prod-labels"), node).toBe(true);
      expect(cloud.isDoneBefore("prod-labels", "prod-roster")).toBe(true);
    }
  });

  it("cost no session on the nodes that have them", async () => {
    const [plain, labelled] = [
      await up({ pools: { ...pools, worker: { role: "worker", nodes: { w1: {}, w2: {} } } } }),
      await up({ pools }),
    ].map((cloud) =>
      cloud
        .ofType("command:remote:Command")
        .map((one) => one.name)
        .sort(),
    );
    expect(labelled?.filter((name) => !plain?.includes(name))).toEqual(["prod-labels"]);
  });

  it("show in a preview, node by node, and only where there are some", async () => {
    const cloud = await up({ pools }, { preview: true });
    expect(cloud.inputsOf("prod").nodes).toMatchObject({
      w1: { nodeLabels: { disk: "ssd", zone: "a" } },
      w2: { nodeLabels: { disk: "hdd", zone: "a" } },
    });
    expect(cloud.inputsOf("prod").nodes.m1).not.toHaveProperty("nodeLabels");
  });

  it("are no step where nobody has any", async () => {
    const cloud = await up({ pools: { manager: { role: "manager", count: 1, nodeLabels: {} } } });
    expect(cloud.asked.map((one) => one.name)).not.toContain("prod-labels");
  });

  it.each([
    [
      { "hcloud-swarm.leaving": "1" },
      /pools\.worker\.nodes\.w1\.nodeLabels\.hcloud-swarm\.leaving: .*not beginning with/,
    ],
    [{ "two words": "1" }, /pools\.worker\.nodes\.w1\.nodeLabels\.two words: .*a key of up to 128/],
    [{ disk: "a b" }, /pools\.worker\.nodes\.w1\.nodeLabels\.disk: given "a b"; allowed: up to 255/],
    [{ disk: "$(reboot)" }, /nodeLabels\.disk/],
    [{ disk: true }, /nodeLabels\.disk: given true/],
  ])("are words: %j", async (nodeLabels, message) => {
    await fakeCloud();
    const worker = { role: "worker", nodes: { w1: { nodeLabels } } };
    expect(
      () => new SwarmCluster("prod", { ssh: { privateKey }, pools: { ...pools, worker } as SwarmClusterArgs["pools"] }),
    ).toThrow(message);
  });
});
