import { describe, expect, it } from "vitest";
import { asServer, cluster, member } from "../testing/swarmMembers";
import type { Cluster, Server } from "./ownership";
import type { Member } from "./survey";
import { planHandover, planTransition, type Step, TransitionError, type Wish } from "./transition";

/** What an adopted server bears in the swarm, whose host has a name of its own. */
const marked = (name: string) => ({ id: `id-${name}`, name, server: name, founder: cluster.founder });
const leader = { leader: true };
const dead = { state: "down", reachability: "unreachable" };
const three = [member("m1", "manager", leader), member("m2", "manager"), member("m3", "manager")];
const asManager = (one: Member) => ({ ...asServer(one), id: one.id });
const said = (steps: readonly Step[]) => steps.map(({ action, name }) => `${action} ${name}`);
const wished = (...members: readonly Pick<Member, "id" | "name" | "role">[]) =>
  members.map(({ id, name, role }) => ({ ...asServer({ name }), id, role }));

describe("planHandover", () => {
  it("has nothing to do where managers only join", () => {
    const wish = {
      managers: [...three.map(asManager), { name: "prod-m4" }, { name: "prod-m5" }],
      workers: [],
      cluster,
    };
    expect(planHandover(three, wish)).toEqual([]);
  });

  it("lets a manager that goes be one until the new one has joined", () => {
    const [m1, m2] = three.map(asManager);
    const wish = { managers: [...(m1 && m2 ? [m1, m2] : []), { name: "prod-m3-r1" }], workers: [], cluster };
    expect(planHandover(three, wish)).toEqual([]);
  });

  it("demotes dead managers that go first, then those that stay as workers, then a leader that goes and whoever is elected in its place", () => {
    const five = [...three, member("m4", "manager", dead), member("m5", "manager")];
    const wish = {
      managers: five.filter((m) => /m[35]/.test(m.name)).map(asManager),
      workers: [{ name: "prod-m2" }],
      cluster,
    };
    const more = { ...wish, managers: [...wish.managers, { name: "prod-m6" }] };
    expect(said(planHandover(five, more))).toEqual(["demote prod-m4", "demote prod-m2", "yield prod-m1"]);
    expect(said(planHandover(five, wish)), "nobody joins").toEqual(["demote prod-m4", "demote prod-m2"]);
  });

  it("counts no vote of what was to be a manager and never came", () => {
    const strays = ["s1", "s2", "s3"].map((id) =>
      member("", "manager", { id, name: "", state: "unknown", reachability: undefined }),
    );
    const wish = { managers: three.map(asManager), workers: [], cluster };
    expect(planHandover([...three, ...strays], wish)).toEqual([]);
    expect(() => planHandover([...three.map((one) => ({ ...one, ...dead })), ...strays], wish)).toThrow(/0 of 3/);
  });

  it("refuses what would lose the quorum, and says the way", () => {
    const [m1, m2, m3] = [member("m1", "manager", leader), member("m2", "manager"), member("m3", "manager", dead)];
    expect(() => planHandover([m1, m2, m3], { managers: [asManager(m3)], workers: [], cluster })).toThrow(
      /demoting prod-m1 would lose the swarm's quorum: 1 of 2 managers answer then \(silent: prod-m3\).*Repair or replace/s,
    );
    const lost = [m1, member("m2", "manager", dead), m3];
    expect(() => planHandover(lost, { managers: [asManager(m1)], workers: [], cluster })).toThrow(
      /has lost its quorum: 1 of 3/,
    );
    expect(() =>
      planHandover([m1], { managers: [{ name: "prod-w1", id: "id-w1" }], workers: [{ name: "prod-m1" }], cluster }),
    ).toThrow(/demoting prod-m1 would lose.*with a second deployment/s);
  });
});

describe("planTransition", () => {
  it("has nothing to do where nodes only joined", () => {
    const joined = member("w9", "worker");
    expect(planTransition(three, wished(...three, joined), cluster).steps).toEqual([]);
    expect(planTransition([], wished(...three), cluster).steps).toEqual([]);
  });

  it("keeps tasks off all nodes that leave before the first one is drained, and ends with managers", () => {
    const members = [
      ...three,
      member("w1", "worker"),
      member("w2", "worker"),
      member("w3", "worker", { state: "down" }),
    ];
    const { steps } = planTransition(members, wished(...three.slice(1), member("w1", "worker")), cluster);
    expect(said(steps)).toEqual([
      "quiesce prod-w3",
      "quiesce prod-w2",
      "quiesce prod-m1",
      "drain prod-w3",
      "remove prod-w3",
      "drain prod-w2",
      "remove prod-w2",
      "drain prod-m1",
      "demote prod-m1",
      "remove prod-m1",
    ]);
  });

  it("tells a server that came in the place of one of its name from that one", () => {
    const old = member("m2", "manager", { ...dead, id: "id-old" });
    const fresh = member("m2", "manager");
    expect(
      said(planTransition([...three.slice(0, 1), old], wished(...three.slice(0, 1), fresh), cluster).steps),
    ).toEqual(["quiesce prod-m2", "drain prod-m2", "demote prod-m2", "remove prod-m2"]);
  });

  it("promotes in place, and puts back to work what was about to leave and is wanted after all", () => {
    const worker = member("w1", "worker", { availability: "drain", leaving: true });
    const byHand = member("w2", "worker", { availability: "drain" });
    const wish = wished(...three, { ...worker, role: "manager" }, byHand);
    expect(said(planTransition([...three, worker, byHand], wish, cluster).steps)).toEqual([
      "activate prod-w1",
      "promote prod-w1",
    ]);
  });

  it("discards what never came, unless it is a wished node that has joined meanwhile", () => {
    const stray = member("", "worker", { id: "s1", name: "", state: "unknown" });
    const late = { ...stray, id: "s2" };
    const asked = wished(...three, { ...late, name: "prod-w1" });
    expect(planTransition([...three, stray, late], asked, cluster)).toEqual({
      steps: [{ action: "discard", id: "s1", name: "a node that never came" }],
      foreign: [],
    });
  });

  it("lets be what the program did not make", () => {
    const foreign = member("x", "worker", { name: "laptop" });
    const { steps, foreign: named } = planTransition([...three, foreign], wished(...three), cluster);
    expect([steps, named]).toEqual([[], ["laptop"]]);
  });
});

describe("servers that were adopted, whose hosts have names of their own", () => {
  const [a, b, c] = [
    member("", "manager", { ...marked("swarm-a"), ...leader }),
    member("", "manager", marked("swarm-b")),
    member("", "manager", marked("swarm-c")),
  ];
  const wish = (managers: readonly Member[], ...workers: Member[]): Wish => ({
    managers: managers.map(asManager),
    workers: workers.map(asServer),
    cluster,
  });
  const unmarked = ({ founder: _, server: __, ...rest }: Member): Member => rest;

  it("leave as others do, and a leader among them yields to managers that join", () => {
    expect(planHandover([a, b, c], wish([a]))).toEqual([]);
    const { steps, foreign } = planTransition([a, b, c], wished(a), cluster);
    expect(said(steps.filter(({ action }) => action !== "mark"))).toEqual([
      ...["quiesce swarm-b", "quiesce swarm-c", "drain swarm-b", "demote swarm-b", "remove swarm-b"],
      ...["drain swarm-c", "demote swarm-c", "remove swarm-c"],
    ]);
    expect(foreign).toEqual([]);
    const joins = { ...wish([b]), managers: [asManager(b), asServer({ name: "prod-m4" })] };
    expect(said(planHandover([a, b, c], joins))).toEqual(["yield swarm-a", "yield swarm-c"]);
  });

  it("count in a quorum that a change would lose", () => {
    const silent = { ...c, ...dead };
    expect(() => planHandover([a, b, silent], wish([silent]))).toThrow(
      /demoting swarm-a would lose the swarm's quorum/,
    );
    expect(said(planHandover([a, b, silent], wish([a])))).toEqual(["demote swarm-c"]);
  });

  it("are demoted in place, also before they were ever marked, and where another program has marked them", () => {
    for (const one of [b, unmarked(b), { ...b, founder: "2" }])
      expect(said(planHandover([a, one, c], wish([a, c], one)))).toEqual(["demote swarm-b"]);
    const renamed = { ...b, name: "other-host" };
    expect(said(planHandover([a, renamed, c], wish([a, c], b))), "by what it is marked with").toEqual([
      "demote other-host",
    ]);
  });

  it("are marked by what they are called in the program, whatever the swarm was before", () => {
    const marks = (members: readonly Member[], ...asked: Member[]) =>
      said(planTransition(members, wished(...asked), cluster).steps);
    expect(marks([a, ...three], a, ...three)).toEqual(["mark swarm-a"]);
    expect(marks([unmarked(a), ...three], a, ...three)).toEqual(["mark swarm-a"]);
    expect(marks([], a, ...three), "one that joins").toEqual(["mark swarm-a"]);
    const byHand = three.map((one) => ({ ...one, name: one.name.replace("prod", "box") }));
    expect(marks(byHand, ...three)).toEqual(["mark prod-m1", "mark prod-m2", "mark prod-m3"]);
  });

  it("are let be where they bear no mark, or another cluster's, whatever they are called", () => {
    const others = [unmarked(b), { ...c, founder: "2" }, member("x", "manager", { founder: "2", server: "prod-x" })];
    expect(planHandover([...three, ...others], wish(three))).toEqual([]);
    expect(planTransition([...three, ...others], wished(...three), cluster)).toEqual({
      steps: [],
      foreign: ["swarm-b", "swarm-c", "prod-x"],
    });
  });
});

describe("a cluster that gets another name", () => {
  const live: Cluster = { ...cluster, prefix: "live-" };
  const now = ({ name }: Member): Server => ({ name: name.replace("prod", "live"), part: asServer({ name }).part });
  const [w1, w2] = [member("w1", "worker"), member("w2", "worker")];
  const wish = (managers: readonly Member[], ...workers: Member[]): Wish => ({
    managers: managers.map((one) => ({ ...now(one), id: one.id })),
    workers: workers.map(now),
    cluster: live,
  });
  const mark = (one: Member): Member => ({ ...one, founder: live.founder, server: now(one).name });

  it("marks the nodes that came before with their new names, managers last, once", () => {
    expect(said(planHandover([...three, w1], wish(three, w1)))).toEqual([
      ...["mark live-w1", "mark live-m1", "mark live-m2", "mark live-m3"],
    ]);
    expect(planHandover([...three, w1].map(mark), wish(three, w1))).toEqual([]);
  });

  it("lets them go later by their marks, and demotes in place at once", () => {
    const gone = planTransition([...three, w1, w2].map(mark), wished(...three, w1), live);
    expect(said(gone.steps.filter(({ name }) => name === "prod-w2"))).toHaveLength(3);
    const [m1, m2, m3] = three as [Member, Member, Member];
    expect(said(planHandover(three, wish([m1, m2], m3))).at(-1)).toBe("demote prod-m3");
  });

  it("is refused where nodes go at the same time that nothing would tell from others", () => {
    for (const going of [
      [...three, w1, w2],
      [...three, member("m4", "manager"), w1],
    ])
      expect(() => planHandover(going, wish(three, w1))).toThrow(
        /was called prod and is to be called live, and prod-(w2|m4) would go at the same time.*Let clusterName be prod/s,
      );
    expect(() => planHandover([...three.map(mark), mark(w1), mark(w2)], wish(three, w1))).not.toThrow();
    expect(() => planHandover([...three, w1, w2], wish(three, w1))).toThrow(TransitionError);
  });

  it("gets its first name back without a trace", () => {
    const back: Wish = { managers: three.map(asManager), workers: [asServer(w1)], cluster };
    expect(planHandover([...three, w1], back)).toEqual([]);
    expect(said(planHandover([...three, w1].map(mark), back))).toHaveLength(4);
  });
});
