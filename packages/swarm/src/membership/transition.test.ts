import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Member } from "./survey";
import { answers, planHandover, planTransition, QuorumError, type Step } from "./transition";

const member = (name: string, role: Member["role"], more: Partial<Member> = {}): Member => ({
  id: `id-${name}`,
  name: `prod-${name}`,
  role,
  availability: "active",
  state: "ready",
  leaving: false,
  leader: false,
  ...(role === "manager" ? { reachability: "reachable" } : {}),
  ...more,
});
const prefix = "prod-";
const leader = { leader: true };
const dead = { state: "down", reachability: "unreachable" };
const three = [member("m1", "manager", leader), member("m2", "manager"), member("m3", "manager")];
const asManager = (one: Member) => ({ name: one.name, id: one.id });
const said = (steps: readonly Step[]) => steps.map(({ action, name }) => `${action} ${name}`);
const wished = (...members: readonly Member[]) => members.map(({ id, name, role }) => ({ id, name, role }));

describe("planHandover", () => {
  it("has nothing to do where managers only join", () => {
    const wish = { managers: [...three.map(asManager), { name: "prod-m4" }, { name: "prod-m5" }], workers: [], prefix };
    expect(planHandover(three, wish)).toEqual([]);
  });

  it("lets a manager that goes be one until the new one has joined", () => {
    const [m1, m2] = three.map(asManager);
    const wish = { managers: [...(m1 && m2 ? [m1, m2] : []), { name: "prod-m3-r1" }], workers: [], prefix };
    expect(planHandover(three, wish)).toEqual([]);
  });

  it("demotes dead managers that go first, then those that stay as workers, then a leader that goes and whoever is elected in its place", () => {
    const five = [...three, member("m4", "manager", dead), member("m5", "manager")];
    const wish = { managers: five.filter((m) => /m[35]/.test(m.name)).map(asManager), workers: ["prod-m2"], prefix };
    const more = { ...wish, managers: [...wish.managers, { name: "prod-m6" }] };
    expect(said(planHandover(five, more))).toEqual(["demote prod-m4", "demote prod-m2", "yield prod-m1"]);
    expect(said(planHandover(five, wish)), "nobody joins").toEqual(["demote prod-m4", "demote prod-m2"]);
  });

  it("counts no vote of what was to be a manager and never came", () => {
    const strays = ["s1", "s2", "s3"].map((id) =>
      member("", "manager", { id, name: "", state: "unknown", reachability: undefined }),
    );
    const wish = { managers: three.map(asManager), workers: [], prefix };
    expect(planHandover([...three, ...strays], wish)).toEqual([]);
    expect(() => planHandover([...three.map((one) => ({ ...one, ...dead })), ...strays], wish)).toThrow(/0 of 3/);
  });

  it("refuses what would lose the quorum, and says the way", () => {
    const [m1, m2, m3] = [member("m1", "manager", leader), member("m2", "manager"), member("m3", "manager", dead)];
    expect(() => planHandover([m1, m2, m3], { managers: [asManager(m3)], workers: [], prefix })).toThrow(
      /demoting prod-m1 would lose the swarm's quorum: 1 of 2 managers answer then \(silent: prod-m3\).*Repair or replace/s,
    );
    const lost = [m1, member("m2", "manager", dead), m3];
    expect(() => planHandover(lost, { managers: [asManager(m1)], workers: [], prefix })).toThrow(
      /has lost its quorum: 1 of 3/,
    );
    expect(() =>
      planHandover([m1], { managers: [{ name: "prod-w1", id: "id-w1" }], workers: ["prod-m1"], prefix }),
    ).toThrow(/demoting prod-m1 would lose.*with a second deployment/s);
  });
});

describe("planTransition", () => {
  it("has nothing to do where nodes only joined", () => {
    const joined = member("w9", "worker");
    expect(planTransition(three, wished(...three, joined), prefix).steps).toEqual([]);
    expect(planTransition([], wished(...three), prefix).steps).toEqual([]);
  });

  it("keeps tasks off all nodes that leave before the first one is drained, and ends with managers", () => {
    const members = [
      ...three,
      member("w1", "worker"),
      member("w2", "worker"),
      member("w3", "worker", { state: "down" }),
    ];
    const { steps } = planTransition(members, wished(...three.slice(1), member("w1", "worker")), prefix);
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
      said(planTransition([...three.slice(0, 1), old], wished(...three.slice(0, 1), fresh), prefix).steps),
    ).toEqual(["quiesce prod-m2", "drain prod-m2", "demote prod-m2", "remove prod-m2"]);
  });

  it("promotes in place, and puts back to work what was about to leave and is wanted after all", () => {
    const worker = member("w1", "worker", { availability: "drain", leaving: true });
    const byHand = member("w2", "worker", { availability: "drain" });
    const wish = wished(...three, { ...worker, role: "manager" }, byHand);
    expect(said(planTransition([...three, worker, byHand], wish, prefix).steps)).toEqual([
      "activate prod-w1",
      "promote prod-w1",
    ]);
  });

  it("discards what never came, unless it is a wished node that has joined meanwhile", () => {
    const stray = member("", "worker", { id: "s1", name: "", state: "unknown" });
    const late = { ...stray, id: "s2" };
    const asked = wished(...three, { ...late, name: "prod-w1" });
    expect(planTransition([...three, stray, late], asked, prefix)).toEqual({
      steps: [{ action: "discard", id: "s1", name: "a node that never came" }],
      foreign: [],
    });
  });

  it("lets be what the program did not make", () => {
    const foreign = member("x", "worker", { name: "laptop" });
    const { steps, foreign: named } = planTransition([...three, foreign], wished(...three), prefix);
    expect([steps, named]).toEqual([[], ["laptop"]]);
  });
});

/** A swarm that plays the steps, as Docker would, and complains of what must never happen. */
class World {
  members: Member[];
  constructor(members: readonly Member[]) {
    this.members = [...members];
  }
  managers = () => this.members.filter((one) => one.role === "manager");
  hasQuorum = () => this.managers().filter(answers).length * 2 > this.managers().length;
  /** The worst that can be elected: one that goes. */
  elect(): void {
    const managers = this.managers().filter(answers);
    const chosen = managers.find((one) => one.leader) ?? managers.find((one) => !this.keeps.has(one.id)) ?? managers[0];
    this.members = this.members.map((one) => ({ ...one, leader: one === chosen }));
  }
  change(id: string, more: Partial<Member>): void {
    this.members = this.members.map((one) => (one.id === id ? { ...one, ...more } : one));
  }
  play({ action, id }: Step): void {
    expect(this.hasQuorum(), `quorum before ${action} ${id}`).toBe(true);
    const before = this.managers().length;
    const one = this.members.find((other) => other.id === id);
    if (one === undefined) throw new Error(`${action} of ${id}, which is not there`);
    if (action === "activate") this.change(id, { availability: "active", leaving: false });
    if (action === "quiesce") this.change(id, { availability: "pause", leaving: true });
    if (action === "drain") this.change(id, { availability: "drain" });
    if (action === "promote") this.change(id, { role: "manager", reachability: "reachable" });
    if (action === "yield" && !one.leader) return;
    if (action === "demote" || action === "yield") {
      const { reachability: _, ...rest } = one;
      this.members = this.members.map((other) => (other === one ? { ...rest, role: "worker", leader: false } : other));
    }
    if (action === "remove") {
      expect(one.role, "a manager is demoted before it is removed").toBe("worker");
      if (one.state === "ready") expect(one.availability, "a live node is drained before it is removed").toBe("drain");
      this.members = this.members.filter((other) => other !== one);
    }
    expect(Math.abs(this.managers().length - before)).toBeLessThanOrEqual(1);
    expect(this.hasQuorum(), `quorum after ${action} ${id}`).toBe(true);
    this.elect();
  }
  join(name: string, role: Member["role"], serial: number): Member {
    expect(this.hasQuorum(), `quorum when ${name} joins`).toBe(true);
    const leading = this.members.find((one) => one.leader);
    const fresh = { ...member("", role), id: `id-${serial}`, name };
    this.members.push(fresh);
    if (role === "manager") {
      // A leader that the program no longer has does not hear of the new node's address.
      expect(leading?.id, "the leader stays when managers join").toSatisfy((id: string) => this.keeps.has(id));
      expect(this.hasQuorum()).toBe(true);
    }
    return fresh;
  }
  keeps = new Set<string>();
}

interface Desired {
  readonly managers: readonly string[];
  readonly workers: readonly string[];
}

/** One deployment: what `swarm/members.ts` does with the two plans. Gives why it was refused, if it was. */
function deploy(world: World, wish: Desired, serial: () => number): string | undefined {
  const own = (name: string) => world.members.find((one) => one.name === name && one.state === "ready");
  const survey = [...world.members];
  const managers = wish.managers.map((name) => ({ name, id: own(name)?.id }));
  world.keeps = new Set(managers.flatMap(({ id }) => id ?? []));
  // The survey comes from a manager that stays; without one, or with one that is silent, the deployment ends before it plans.
  if (!managers.some(({ id }) => survey.some((one) => one.id === id && one.role === "manager" && answers(one))))
    return "nobody stays";
  let steps: readonly Step[];
  try {
    steps = planHandover(survey, { managers, workers: wish.workers, prefix });
  } catch (error) {
    if (error instanceof QuorumError) return error.message;
    throw error;
  }
  for (const one of steps) world.play(one);
  const joined = [
    ...wish.managers.map((name) => ({ name, role: "manager" as const })),
    ...wish.workers.map((name) => ({ name, role: "worker" as const })),
  ].map(({ name, role }) => ({ id: (own(name) ?? world.join(name, role, serial())).id, name, role }));
  for (const one of planTransition(survey, joined, prefix).steps) {
    // Steps that the handover took already are passed over, as the shell does.
    if (one.action === "demote" && world.members.find((other) => other.id === one.id)?.role === "worker") continue;
    world.play(one);
  }
  expect(world.members.map(({ name, role }) => `${name} ${role}`).sort()).toEqual(
    joined.map(({ name, role }) => `${name} ${role}`).sort(),
  );
  expect(world.members.filter((one) => joined.every(({ id }) => id !== one.id))).toEqual([]);
  return undefined;
}

const names = Array.from({ length: 10 }, (_, index) => `prod-n${index}`);
const desired = fc
  .record({ order: fc.shuffledSubarray(names, { minLength: 1 }), count: fc.constantFrom(1, 3, 5, 7) })
  .map(({ order, count }): Desired => {
    const odd = Math.min(count, order.length - ((order.length + 1) % 2));
    return { managers: order.slice(0, odd), workers: order.slice(odd) };
  });
const round = fc.record({ desired, deaths: fc.array(fc.nat(9), { maxLength: 2 }) });

describe("any sequence of wishes", () => {
  it("never loses the quorum, changes one manager at a time, and ends where the program wants, or is refused untouched", () => {
    let refused = 0;
    let done = 0;
    fc.assert(
      fc.property(desired, fc.array(round, { maxLength: 8 }), (start, rounds) => {
        let serial = 0;
        const world = new World([]);
        world.members = [
          ...start.managers.map((name) => ({ ...member("", "manager"), id: `id-${++serial}`, name })),
          ...start.workers.map((name) => ({ ...member("", "worker"), id: `id-${++serial}`, name })),
        ];
        world.elect();
        for (const { desired: wish, deaths } of rounds) {
          for (const death of deaths) {
            const victim = world.members[death];
            if (victim)
              world.change(victim.id, {
                state: "down",
                ...(victim.role === "manager" ? { reachability: "unreachable" } : {}),
              });
          }
          // A dead node that is still wanted is replaced by the user, with a server of another name.
          const alive = (name: string) => !world.members.some((one) => one.name === name && one.state !== "ready");
          const fresh = (name: string) => (alive(name) ? name : `${name}-r${++serial}`);
          const asked = { managers: wish.managers.map(fresh), workers: wish.workers.map(fresh) };
          world.elect();
          const before = JSON.stringify(world.members);
          const hadQuorum = world.hasQuorum();
          const why = deploy(world, asked, () => ++serial);
          if (why === undefined) done += 1;
          else {
            refused += 1;
            expect(JSON.stringify(world.members)).toBe(before);
            const stays = asked.managers.filter((name) => world.managers().some((one) => one.name === name));
            // Never refused without need: there is a quorum, one of its managers stays, and nothing changes roles.
            const noSwaps = asked.workers.every((name) => !world.managers().some((one) => one.name === name));
            expect(hadQuorum && stays.length > 0 && noSwaps, why).toBe(false);
          }
          if (!hadQuorum) return;
        }
      }),
      { numRuns: 600 },
    );
    expect(done).toBeGreaterThan(300);
    expect(refused).toBeGreaterThan(20);
  });
});
