/** Nodes whose host names do not say whose they are: adopted servers, and those that came before the cluster got its name. */
import { describe, expect, it } from "vitest";
import type { SwarmClusterArgs } from "../args/components";
import type { PoolArgs } from "../args/pools";
import { bootstrapHostKey } from "../remote/sshKey";
import { type FakeCloud, type FakeMember, type FakeOptions, hostKey, plain } from "../testing/fakeCloud";
import { madeCluster, refusedCluster } from "../testing/madeCluster";

const { privateKey } = bootstrapHostKey("a test", "key", "pair");
const ssh = { privateKey };
const founder = "51";
const there = (id: number) => ({
  ...{ name: `box-${id}`, serverType: "cx32", location: "nbg1", image: "debian-13" },
  ...{ ipv4Address: `198.51.100.${id}`, ipv6Address: `2001:db8:9:${id}::1` },
  networks: [{ networkId: 4711, ip: `10.9.0.${id}` }],
});
const ids: Readonly<Record<string, number>> = { a: 51, b: 52, c: 53 };
const servers = Object.fromEntries(Object.values(ids).map((id) => [String(id), there(id)]));

const adopting = (role: "manager" | "worker", ...names: string[]): PoolArgs => ({
  role,
  nodes: Object.fromEntries(
    names.map((name) => [name, { adopt: { importId: String(ids[name]), hostKey, hostName: `swarm-${name}` } }]),
  ),
});
const member = (name: string, role: FakeMember["role"], more: Partial<FakeMember> = {}): FakeMember => ({
  ...{ name, role, host: `swarm-${name}`, mark: { founder, server: `swarm-${name}` } },
  ...more,
});
const three = ["a", "b", "c"].map((name) => member(name, "manager"));
const up = async (pools: SwarmClusterArgs["pools"], options: FakeOptions, more: Partial<SwarmClusterArgs> = {}) => {
  const args = { ssh, network: { existing: { id: "4711" } }, pools, ...more };
  return (await madeCluster(args, { servers, founder, ...options })).cloud;
};
const stepsOf = (cloud: FakeCloud, name: string): string[] =>
  (/steps='([^']*)'/.exec(cloud.inputsOf(`prod-${name}`).stdin ?? "")?.[1] ?? "")
    .split("\n")
    .filter(Boolean)
    .map((line) => line.replace(/ id-\S+/, ""));
const unmarked = (one: FakeMember): FakeMember => ({ name: one.name, role: one.role, host: one.host ?? "" });

describe("servers that were adopted", () => {
  it("are marked when the cluster begins, also those that join the swarm then; made ones need no mark", async () => {
    const pools = { m: adopting("manager", "a"), w: adopting("worker", "b"), x: { role: "worker", count: 1 } } as const;
    const cloud = await up(pools, { swarm: [unmarked(member("a", "manager"))] });
    expect(stepsOf(cloud, "handover")).toEqual([]);
    expect(stepsOf(cloud, "roster")).toEqual(["mark swarm-a", "mark swarm-b"]);
    expect(cloud.inputsOf("prod-roster").stdin).toContain(`founder='${founder}'\n`);
    for (const node of ["a", "b", "x-1"])
      expect(cloud.isDoneBefore(`prod-${node}-membership`, "prod-roster")).toBe(true);
  });

  it("lose their marks when the cluster goes and the swarm stays; a cluster that made them all opens no connection then", async () => {
    const kept = await up({ m: adopting("manager", "a") }, { swarm: three });
    expect(kept.inputsOf("prod-roster").delete).toMatch(/sh -s forget/);
    const made = await up({ m: { role: "manager", nodes: { m1: {} } } }, { swarm: [{ name: "m1", role: "manager" }] });
    expect(made.inputsOf("prod-roster").delete).toBeUndefined();
  });

  it("are marked, too, where a server was made in the place of one and has its name", async () => {
    const nodes = { a: { adopt: { alias: "old", mayReplace: true, hostKey, hostName: "swarm-a" } } };
    const cloud = await up({ m: { role: "manager", nodes } }, { swarm: [unmarked(member("a", "manager"))] });
    expect(stepsOf(cloud, "roster")).toEqual(["mark swarm-a"]);
  });

  it("leave the swarm when they are taken out, managers too", async () => {
    const cloud = await up({ m: adopting("manager", "a") }, { swarm: three });
    expect(stepsOf(cloud, "roster")).toEqual([
      "mark swarm-a",
      ...["quiesce swarm-b", "quiesce swarm-c", "drain swarm-b", "demote swarm-b", "remove swarm-b"],
      ...["drain swarm-c", "demote swarm-c", "remove swarm-c"],
    ]);
  });

  it("are demoted in place, before their policy closes the managers' port", async () => {
    const cloud = await up({ m: adopting("manager", "a"), w: adopting("worker", "b", "c") }, { swarm: three });
    expect(stepsOf(cloud, "handover")).toEqual(["demote swarm-b", "demote swarm-c"]);
    expect(cloud.isDoneBefore("prod-handover", "prod-b-policy")).toBe(true);
  });

  it("are refused where their going would lose the quorum, before anything is demoted", async () => {
    const swarm = [three[0], three[1], member("c", "manager", { unheard: true })] as FakeMember[];
    const args = { ssh, network: { existing: { id: "4711" } }, pools: { m: adopting("manager", "c") } };
    const { cloud, errors } = await refusedCluster(args, { servers, founder, swarm });
    expect(errors).toMatch(/SwarmCluster "prod": .*(lose the swarm's quorum|has no leader)/s);
    const names = cloud.asked.map((one) => one.name);
    for (const name of ["prod-handover", "prod-roster", "prod-c-membership"]) expect(names).not.toContain(name);
  });

  it("stay where another program has marked them, and where nobody has", async () => {
    const [a, b, c] = three as [FakeMember, FakeMember, FakeMember];
    const others = { ...b, mark: { founder: "99", server: "swarm-b" } };
    const cloud = await up({ m: adopting("manager", "a") }, { swarm: [a, others, unmarked(c)] });
    expect(stepsOf(cloud, "handover")).toEqual([]);
    expect(stepsOf(cloud, "roster")).toEqual(["mark swarm-a"]);
  });
});

describe("a cluster that gets another name", () => {
  const pools = (...workers: string[]): SwarmClusterArgs["pools"] => ({
    m: { role: "manager", nodes: { m1: {} } },
    w: { role: "worker", nodes: Object.fromEntries(workers.map((name) => [name, { nodeLabels: { disk: "ssd" } }])) },
  });
  const swarm: FakeMember[] = ["m1", "w1", "w2"].map((name) => ({ name, role: name === "m1" ? "manager" : "worker" }));
  const args = (...workers: string[]): SwarmClusterArgs => ({ ssh, clusterName: "live", pools: pools(...workers) });

  it("marks its nodes by their new names before anything looks for them by those", async () => {
    const cloud = await up(pools("w1", "w2"), { swarm, founder: "1" }, { clusterName: "live", network: {} });
    expect(stepsOf(cloud, "handover")).toEqual(["mark live-w1", "mark live-w2", "mark live-m1"]);
    expect(cloud.isDoneBefore("prod-handover", "prod-labels")).toBe(true);
    expect(plain(cloud.inputsOf("prod-labels").stdin)).toContain("founder='1'\nwish='live-m1\nlive-w1 disk=ssd\n");
    expect(cloud.inputsOf("prod-m1-policy").create).toMatch(/survey # live, servers /);
  });

  it("lets nodes go later, by their marks", async () => {
    const marked = swarm.map((one) => ({ ...one, mark: { founder: "1", server: `live-${one.name}` } }));
    const cloud = await up(pools("w1"), { swarm: marked, founder: "1" }, { clusterName: "live", network: {} });
    expect(stepsOf(cloud, "handover")).toEqual([]);
    expect(stepsOf(cloud, "roster").slice(-3)).toEqual(["quiesce prod-w2", "drain prod-w2", "remove prod-w2"]);
  });

  it("is refused where nodes go at the same time, before anything is drained", async () => {
    const { cloud, errors } = await refusedCluster(args("w1"), { swarm, founder: "1" });
    expect(errors).toMatch(
      /SwarmCluster "prod": the cluster was called prod and is to be called live, and prod-w2 would go/,
    );
    const names = cloud.asked.map((one) => one.name);
    for (const name of ["prod-handover", "prod-roster", "prod-m1-membership"]) expect(names).not.toContain(name);
  });

  it("previews when nothing is known yet", async () => {
    const { cloud } = await madeCluster(args("w1"), { preview: true });
    expect(cloud.asked.map((one) => one.name)).toContain("prod-roster");
  });
});
