/** The swarm's life, as the program asks for it: which steps there are, in what order, and which of them have nothing to do. */
import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import type { SwarmClusterArgs } from "../args/components";
import type { PoolArgs } from "../args/pools";
import { bootstrapHostKey } from "../remote/sshKey";
import {
  type FakeCloud,
  type FakeMember,
  type FakeOptions,
  isSecret,
  known,
  plain,
  tokens,
} from "../testing/fakeCloud";
import { madeCluster, refusedCluster } from "../testing/madeCluster";
import { filesOf } from "../testing/userDataFiles";

const { privateKey } = bootstrapHostKey("a test", "key", "pair");
const named = (role: "manager" | "worker", ...names: string[]): PoolArgs => ({
  role,
  nodes: Object.fromEntries(names.map((name) => [name, {}])),
});
const pools = (managers: string[], workers: string[]): SwarmClusterArgs["pools"] => ({
  m: named("manager", ...managers),
  ...(workers.length === 0 ? {} : { w: named("worker", ...workers) }),
});
const members = (managers: string[], workers: string[], dead: string[] = []): FakeMember[] => [
  ...managers.map((name) => ({ name, role: "manager" as const, dead: dead.includes(name) })),
  ...workers.map((name) => ({ name, role: "worker" as const, dead: dead.includes(name) })),
];
const silent = (manager: string, swarm: FakeMember[]): FakeMember[] =>
  swarm.map((one) => (one.name === manager ? { ...one, unheard: true } : one));

const up = (args: Partial<SwarmClusterArgs> & Pick<SwarmClusterArgs, "pools">, options: FakeOptions = {}) =>
  madeCluster({ ssh: { privateKey }, ...args }, { slow: true, ...options });
/** The steps that a cluster's step carries out, or nothing. */
const stepsOf = (cloud: FakeCloud, name: string): string[] | undefined => {
  const { create, stdin } = cloud.inputsOf(`prod-${name}`);
  expect(create === undefined).toBe(stdin === undefined);
  return /steps='([^']*)'/
    .exec(stdin ?? "")?.[1]
    ?.trim()
    .split("\n")
    .map((line) => line.replace(/ id-\S+/, ""));
};
const membership = (cloud: FakeCloud, node: string): string => plain(cloud.inputsOf(`prod-${node}-membership`).stdin);

describe("a first up", () => {
  it("starts one swarm, on the first manager; the other managers join one after another, workers beside them", async () => {
    const { cloud } = await up({ pools: pools(["m1", "m2", "m3"], ["w1", "w2"]) });
    expect(membership(cloud, "m1")).toContain("action='init'");
    for (const node of ["m2", "m3", "w1", "w2"]) expect(membership(cloud, node)).toContain("action='join'");
    for (const node of ["m2", "m3"]) expect(membership(cloud, node)).toContain(tokens.manager);
    for (const node of ["w1", "w2"]) expect(membership(cloud, node)).toContain(tokens.worker);
    expect(cloud.isDoneBefore("prod-m1-membership", "prod-m2-membership")).toBe(true);
    expect(cloud.isDoneBefore("prod-m2-membership", "prod-m3-membership")).toBe(true);
    expect(cloud.isDoneBefore("prod-m1-membership", "prod-w1-membership")).toBe(true);
  });

  it("opens no more than three connections a node: what is for the whole cluster has nothing to do", async () => {
    const { cloud } = await up({ pools: pools(["m1", "m2", "m3"], ["w1"]) });
    const commands = cloud.ofType("command:remote:Command").filter((one) => one.inputs.create !== undefined);
    expect(commands.map((one) => one.name.replace(/-[a-z]+$/, "")).sort()).toEqual(
      ["m1", "m2", "m3", "w1"].flatMap((node) => [1, 2, 3].map(() => `prod-${node}`)),
    );
    expect(cloud.inputsOf("prod-founder").create).toBeUndefined();
  });
});

describe("managers come and go", () => {
  it("asks any manager that stays, the first or not, and starts no second swarm", async () => {
    const { cloud, cluster } = await up(
      { pools: pools(["m2", "m3", "m4"], ["w1"]) },
      { swarm: members(["m1", "m2", "m3"], ["w1"]), founder: "1" },
    );
    for (const node of ["m2", "m3", "m4"]) expect(membership(cloud, node)).toContain("action='join'");
    expect(membership(cloud, "m4")).toContain(tokens.manager);
    expect(await known(cluster.swarmId)).toBe("swarm1");
    expect(await known(cluster.workerJoinToken)).toBe(tokens.worker);
    // m1 leads and goes, so it is the first to let go: a new manager could not reach it.
    expect(stepsOf(cloud, "handover")).toEqual(["yield prod-m1"]);
    expect(stepsOf(cloud, "roster")).toEqual(["quiesce prod-m1", "drain prod-m1", "demote prod-m1", "remove prod-m1"]);
  });

  it("does it in order: peers, handover, joins, leave, peers once more", async () => {
    for (let round = 0; round < 4; round += 1) {
      const { cloud } = await up(
        { pools: pools(["m2", "m3", "m4"], ["w2"]) },
        { swarm: members(["m1", "m2", "m3"], ["w1"]), founder: "1" },
      );
      const before = (earlier: string, later: string) =>
        expect(cloud.isDoneBefore(`prod-${earlier}`, `prod-${later}`), `${earlier} before ${later}`).toBe(true);
      for (const manager of ["m2", "m3", "m4"]) {
        before(`${manager}-policy`, "handover");
        // On probation only when every manager, and so the handover, can be waited for.
        before("m4-bootstrap", `${manager}-policy`);
        before("handover", `${manager}-membership`);
      }
      before("handover", "w2-policy");
      for (const node of ["m2", "m3", "m4", "w2"]) {
        before(`${node}-membership`, "roster");
        before("roster", `${node}-peers`);
      }
    }
  });

  it("promotes and demotes in place", async () => {
    const { cloud, cluster } = await up(
      { pools: pools(["m1", "m2", "w1"], ["m3"]) },
      { swarm: members(["m1", "m2", "m3"], ["w1"]), founder: "1" },
    );
    // Before m3's policy, which closes the managers' port.
    expect(stepsOf(cloud, "handover")).toEqual(["demote prod-m3"]);
    expect(stepsOf(cloud, "roster")).toEqual(["promote prod-w1"]);
    expect(cloud.isDoneBefore("prod-handover", "prod-m3-policy")).toBe(true);
    // Else the managers' account would be the one of their last change, and there would be nothing to do.
    const { m1, m2, w1 } = await known(cluster.nodes);
    const ids = [m1, m2, w1].map((node) => node?.serverId).sort();
    expect(plain(cloud.inputsOf("prod-m1-policy").create)).toContain(`, managers ${ids.join(" ")}`);
  });

  it("replaces a dead one", async () => {
    const dead = members(["m1", "m2", "m3"], [], ["m3"]);
    const nodes = { m1: {}, m2: {}, m3: { replacement: 1 } };
    const { cloud, cluster } = await up({ pools: { m: { role: "manager", nodes } } }, { swarm: dead, founder: "1" });
    expect(stepsOf(cloud, "handover")).toEqual(["demote prod-m3"]);
    expect(stepsOf(cloud, "roster")).toEqual(["quiesce prod-m3", "drain prod-m3", "demote prod-m3", "remove prod-m3"]);
    expect((await known(cluster.nodes)).m3?.name).toBe("prod-m3-r1");
  });

  it("lets one go that does not lead while another is silent, once the new one is in", async () => {
    const { cloud } = await up(
      { pools: pools(["m1", "m3", "m4"], []) },
      { swarm: silent("m3", members(["m1", "m2", "m3"], [])), founder: "1" },
    );
    expect(stepsOf(cloud, "handover")).toBeUndefined();
    expect(stepsOf(cloud, "roster")).toEqual(["quiesce prod-m2", "drain prod-m2", "demote prod-m2", "remove prod-m2"]);
    expect(cloud.isDoneBefore("prod-m4-membership", "prod-roster")).toBe(true);
  });

  it.each<[string, string[], FakeMember[], RegExp]>([
    [
      "none of today's managers stays",
      ["m4"],
      members(["m1"], []),
      /none of the program's managers.*go to three first/s,
    ],
    [
      "the leader goes while one that stays is silent",
      ["m1", "m3", "m4"],
      silent("m3", members(["m2", "m1", "m3"], [])),
      /demoting prod-m2 would lose the swarm's quorum: 1 of 2 managers answer then \(silent: prod-m3\).*Nothing has been changed/s,
    ],
    ["a quorum is lost", ["m1"], members(["m1", "m2", "m3"], [], ["m2", "m3"]), /lost its quorum: 1 of 3 managers/],
  ])("is refused, before anything is demoted or deleted, when %s", async (_, managers, swarm, message) => {
    const args = { ssh: { privateKey }, pools: pools(managers, []) };
    const { cloud, errors } = await refusedCluster(args, { swarm, founder: "1" });
    expect(errors).toMatch(message);
    expect(errors).toMatch(/SwarmCluster "prod": /);
    const names = cloud.asked.map((one) => one.name);
    for (const name of ["prod-handover", "prod-roster", "prod-m1-membership"]) expect(names).not.toContain(name);
  });
});

describe("workers come and go", () => {
  it("any of them, by name", async () => {
    const { cloud } = await up({ pools: pools(["m1"], ["w2"]) }, { swarm: members(["m1"], ["w1", "w2"]) });
    expect(stepsOf(cloud, "handover")).toBeUndefined();
    expect(stepsOf(cloud, "roster")).toEqual(["quiesce prod-w1", "drain prod-w1", "remove prod-w1"]);
  });

  it("a new one asks nothing of the others but the peers' list", async () => {
    const swarm = members(["m1"], ["w1"]);
    // In a fixed order, so that a node has the same address both times.
    const before = (await up({ pools: pools(["m1"], ["w1"]) }, { swarm, slow: false })).cloud;
    const { cloud } = await up({ pools: pools(["m1"], ["w1", "w2"]) }, { swarm, slow: false });
    for (const name of ["handover", "roster"]) expect(stepsOf(cloud, name)).toBeUndefined();
    for (const node of ["m1", "w1"]) {
      expect(membership(cloud, node)).toBe(membership(before, node));
      expect(cloud.inputsOf(`prod-${node}-peers`).update).toBe(before.inputsOf(`prod-${node}-peers`).update);
      expect(cloud.inputsOf(`prod-${node}-policy`).stdin).not.toBe(before.inputsOf(`prod-${node}-policy`).stdin);
    }
  });

  it("no user-data names another node: it would be another text whenever one comes", async () => {
    const swarm = members(["m1"], ["w1"]);
    const before = (await up({ pools: pools(["m1"], ["w1"]) }, { swarm, slow: false })).cloud;
    const { cloud } = await up({ pools: pools(["m1"], ["w1", "w2"]) }, { swarm, slow: false });
    const addresses = ["m1", "w1", "w2"].map((node) => {
      const [, address] = /private_ip='([0-9.]+)'/.exec(membership(cloud, node)) ?? [];
      return address ?? "none";
    });
    for (const [index, node] of ["m1", "w1", "w2"].entries()) {
      const { userData } = cloud.inputsOf(`prod-${node}`);
      if (node !== "w2") expect(userData, node).toEqual(before.inputsOf(`prod-${node}`).userData);
      const text = [plain(userData), ...filesOf(plain(userData)).values()].join("\n");
      const others = addresses.filter((_, other) => other !== index);
      // The addresses are those that the others are told of, but not there.
      for (const other of others) {
        expect(plain(cloud.inputsOf(`prod-${node}-policy`).stdin)).toContain(other);
        expect(text.split(/[^0-9.]+/), `${node}: ${other}`).not.toContain(other);
      }
    }
  });

  it("a replacement is another server with another first host key, and boots with today's policy", async () => {
    const asked = (replacement: number) => ({
      pools: { ...pools(["m1"], []), w: { role: "worker", nodes: { w1: { replacement } } } as const },
      policy: { publishedPorts: [{ port: 8443 + replacement }] },
    });
    const swarm = members(["m1"], ["w1"]);
    const [old, fresh] = [(await up(asked(0), { swarm })).cloud, (await up(asked(2), { swarm })).cloud];
    expect(fresh.inputsOf("prod-w1-r2")).toMatchObject({ name: "prod-w1-r2" });
    expect(plain(fresh.inputsOf("prod-w1-r2").userData)).not.toBe(plain(old.inputsOf("prod-w1").userData));
    expect(plain(fresh.inputsOf("prod-w1-r2-bootstrap").connection).hostKey).not.toBe(
      plain(old.inputsOf("prod-w1-bootstrap").connection).hostKey,
    );
    expect(fresh.asked.map((one) => one.name)).not.toContain("prod-w1");
    expect(stepsOf(fresh, "roster")).toEqual(["quiesce prod-w1", "drain prod-w1", "remove prod-w1"]);
  });
});

describe("what holds for the whole swarm", () => {
  const swarm = members(["m1", "m2"], ["w1"]);
  const nodes = { pools: pools(["m1"], ["w1"]) };
  const told = { joinTokenRotation: 2, autolock: true };

  it("is brought about before new nodes are told what to join with, and once more where the swarm begins", async () => {
    const { cloud } = await up({ ...nodes, swarm: told }, { swarm });
    for (const text of [cloud.inputsOf("prod-m1-policy").create, membership(cloud, "m1")]) {
      expect(text).toContain("token_rotation='2'\nautolock='true'\n");
      expect(text).toMatch(/^\s*settle_swarm/m);
    }
    expect(cloud.isDoneBefore("prod-m1-policy", "prod-w1-membership")).toBe(true);
    expect(membership(cloud, "w1")).not.toContain("settle_swarm");
    expect(cloud.inputsOf("prod-w1-policy").create).not.toContain("settle_swarm");
  });

  it("is left as it is where nothing is said", async () => {
    const { cloud } = await up(nodes, { swarm });
    expect(membership(cloud, "m1")).toContain("token_rotation='0'\nautolock=''\n");
  });

  it("has tokens and a key that are secrets, in no command's text and no plain input", async () => {
    const { cloud, cluster } = await up({ ...nodes, swarm: told }, { swarm });
    expect(await known(cluster.unlockKey)).toBe(tokens.unlock);
    for (const output of [cluster.unlockKey, cluster.workerJoinToken, cluster.managerJoinToken])
      expect(await pulumi.isSecret(output)).toBe(true);
    for (const { name, inputs } of cloud.asked) {
      const open = JSON.stringify(inputs, (_, value) => (isSecret(value) ? "secret" : value));
      for (const secret of Object.values(tokens)) expect(open.includes(secret), name).toBe(false);
    }
  });
});

it("previews a first up, of which nothing is known yet", async () => {
  const { cloud } = await up({ pools: pools(["m1", "m2", "m3"], ["w1"]) }, { preview: true });
  expect(cloud.ofType("command:remote:Command").map((one) => one.name)).toContain("prod-roster");
});
