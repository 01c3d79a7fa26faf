/** Volumes of pools, as the program asks Hetzner Cloud and the hosts for them. */
import { describe, expect, it } from "vitest";
import type { SwarmClusterArgs } from "../args/components";
import { refuseElsewhere } from "../cloud/disks";
import { bootstrapHostKey } from "../remote/sshKey";
import { SwarmCluster } from "../swarmCluster";
import { type FakeOptions, fakeCloud } from "../testing/fakeCloud";
import { madeCluster } from "../testing/madeCluster";

const { privateKey } = bootstrapHostKey("a test", "key", "pair");
const manager = { role: "manager", count: 1 } as const;
const data = { volumes: { data: { size: 10 }, logs: { size: 20, format: "xfs", mountPath: "/srv/logs" } } } as const;

async function up(worker: object, options: FakeOptions = {}, more: Partial<SwarmClusterArgs> = {}) {
  const pools = { manager, worker: { role: "worker", ...worker } } as SwarmClusterArgs["pools"];
  return (await madeCluster({ ssh: { privateKey }, ...more, pools }, options)).cloud;
}

describe("volumes of a pool", () => {
  it("are made for each node, attached to its server, and mounted when nodes that leave have left", async () => {
    const cloud = await up({ nodes: { w1: {}, w2: { replacement: 2 } }, ...data }, { slow: true });
    expect(cloud.inputsOf("prod-w2-volume-data")).toMatchObject({
      ...{ name: "prod-w2-data", size: 10, format: "ext4", location: "fsn1", deleteProtection: false },
      labels: { "hcloud-swarm-cluster": "prod" },
    });
    expect(cloud.inputsOf("prod-w1-volume-logs")).toMatchObject({ name: "prod-w1-logs", size: 20, format: "xfs" });
    expect(cloud.ofType("hcloud:index/volume:Volume")).toHaveLength(4);
    const { create, delete: undo, stdin, triggers } = cloud.inputsOf("prod-w2-r2-volumes");
    const timed = "timeout --verbose 2100";
    expect([create, undo, triggers]).toEqual([`${timed} sh -s`, `${timed} sh -s unmount`, undefined]);
    const { volumeId: first } = cloud.inputsOf("prod-w2-volume-data-attachment");
    const { volumeId: second } = cloud.inputsOf("prod-w2-volume-logs-attachment");
    expect(stdin).toContain(`volumes='${first} /mnt/data 10\n${second} /srv/logs 20\n'`);
    for (const [earlier, later] of [
      ["prod-roster", "prod-w2-volume-data-attachment"],
      ["prod-volumes-written", "prod-w2-volume-data-attachment"],
      ["prod-w2-volume-data-attachment", "prod-w2-volume-logs-attachment"],
      ["prod-w2-volume-logs-attachment", "prod-w2-r2-volumes"],
    ] as const)
      expect(cloud.isDoneBefore(earlier, later), `${earlier} before ${later}`).toBe(true);
  });

  it("are nowhere in user-data, and nothing where there are none", async () => {
    const [without, having] = [await up({ count: 1 }), await up({ count: 1, ...data })];
    expect(having.inputsOf("prod-worker-1").userData).toEqual(without.inputsOf("prod-worker-1").userData);
    const names = (cloud: typeof without) => cloud.asked.map(({ name }) => name);
    expect(names(without).filter((name) => name.includes("volume"))).toEqual([]);
    expect(
      names(having)
        .filter((name) => !name.includes("volume"))
        .sort(),
    ).toEqual(names(without).sort());
  });

  it("wait for what hosts still write when a node has left, and for nothing otherwise", async () => {
    const nodes = { w1: { replacement: 1 } };
    const swarm = [
      { name: "manager-1", role: "manager" },
      { name: "w1", role: "worker" },
    ] as const;
    const replaced = await up({ nodes, ...data }, { swarm, printed: { "prod-roster": "idw1\n" } });
    expect(replaced.inputsOf("prod-volumes-written")).toMatchObject({
      create: "timeout --verbose 945 sh -s",
      stdin: "sleep 45 # idw1\n",
    });
    const fresh = await up({ nodes, ...data });
    expect(fresh.inputsOf("prod-volumes-written")).not.toHaveProperty("create");
  });

  it("can be previewed", async () => {
    const cloud = await up({ count: 1, ...data }, { preview: true });
    expect(cloud.inputsOf("prod-worker-1-volume-data")).toMatchObject({ size: 10 });
  });

  it("are protected as the cluster is, or as they are themselves", async () => {
    const volumes = { a: { size: 10 }, b: { size: 10, deleteProtection: false } };
    const cloud = await up({ count: 1, volumes }, {}, { deleteProtection: true });
    const isProtected = (name: string) => cloud.inputsOf(`prod-worker-1-volume-${name}`).deleteProtection;
    expect([isProtected("a"), isProtected("b")]).toEqual([true, false]);
  });

  it("are for servers that the component makes", async () => {
    const adopt = { id: "9", hostKey: `ssh-ed25519 ${"A".repeat(68)}`, hostName: "there", address: "10.0.0.9" };
    const servers = { "9": { name: "there", location: "fsn1", ipv4Address: "203.0.113.9", networks: [] } };
    const cloud = await up({ nodes: { w1: { adopt }, w2: {} }, ...data }, { servers });
    const names = cloud.ofType("hcloud:index/volume:Volume").map(({ name }) => name);
    expect(names).toEqual(["prod-w2-volume-data", "prod-w2-volume-logs"]);
  });

  it.each([
    [{ a: { size: 9 } }, /volumes\.a\.size: given 9; allowed: .*10 to 10240/],
    [{ a: { size: 10_241 } }, /volumes\.a\.size/],
    [{ a: { size: 10, format: "btrfs" } }, /volumes\.a\.format: .*ext4.*xfs/],
    [{ a: { size: 10, mountPath: "data" } }, /volumes\.a\.mountPath: .*an absolute path/],
    [{ a: { size: 10, mountPath: "/mnt/../etc" } }, /mountPath: .*an absolute path/],
    [{ a: { size: 10, mountPath: "/var/lib/docker/volumes" } }, /mountPath: .*no directory of the system/],
    [{ a: { size: 10, mountPath: "/etc" } }, /mountPath: .*no directory of the system/],
    [
      { a: { size: 10 }, b: { size: 10, mountPath: "/mnt/a/b" } },
      /b\.mountPath: .*not another volume's, nor in one \(a has/,
    ],
    [{ "A B": { size: 10 } }, /volumes/],
    [Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`v${i}`, { size: 10 }])), /16 volumes of a node at most/],
  ])("are refused: %j", async (volumes, message) => {
    await expect(up({ count: 1, volumes })).rejects.toThrow(message);
  });

  it("are refused with names that Hetzner Cloud does not take", async () => {
    await fakeCloud();
    const [clusterName, pool, name] = ["c", "p", "v"].map((letter) => letter.repeat(20)) as [string, string, string];
    const pools = { manager, [pool]: { role: "worker", count: 10, volumes: { [name]: { size: 10 } } } } as const;
    expect(() => new SwarmCluster("prod", { ssh: { privateKey }, clusterName, pools })).toThrow(
      `pools.${pool}.volumes.${name}: given ${clusterName}-${pool}-10-${name}; allowed: a name with which volumes have at most 64 characters: shorten it by 1`,
    );
  });

  it.each([
    ["fsn1", undefined],
    [
      "nbg1",
      /^SwarmCluster "prod": pools\.worker\.volumes\.data: that of w1 is in fsn1, and a server in nbg1 cannot have it/,
    ],
  ])("stay in fsn1 when the node is to be in %s", (location, message) => {
    const judge = () =>
      refuseElsewhere('SwarmCluster "prod"', { pool: "worker", name: "w1", location }, "data", "fsn1");
    if (message === undefined) expect(judge).not.toThrow();
    else expect(judge).toThrow(message);
  });
});
