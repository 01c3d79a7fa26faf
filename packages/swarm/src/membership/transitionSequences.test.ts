/** What deployments make of a swarm, one after the other, whatever is wished and whoever dies. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asServer, cluster, member } from "../testing/swarmMembers";
import type { Member } from "./survey";
import { answers, planHandover, planTransition, QuorumError, type Step } from "./transition";

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
  play({ action, id, name }: Step): void {
    expect(this.hasQuorum(), `quorum before ${action} ${id}`).toBe(true);
    const before = this.managers().length;
    const one = this.members.find((other) => other.id === id);
    if (one === undefined) throw new Error(`${action} of ${id}, which is not there`);
    if (action === "mark") this.change(id, { founder: cluster.founder, server: name });
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
  /** Which node is which server: what nobody but the program knows. */
  servers = new Map<string, string>();
  add(name: string, role: Member["role"], serial: number): Member {
    const fresh = { ...member("", role), id: `id-${serial}`, name: hostOf(name) };
    this.servers.set(fresh.id, name);
    this.members.push(fresh);
    return fresh;
  }
  join(name: string, role: Member["role"], serial: number): Member {
    expect(this.hasQuorum(), `quorum when ${name} joins`).toBe(true);
    const leading = this.members.find((one) => one.leader);
    const fresh = this.add(name, role, serial);
    if (role === "manager") {
      // A leader that the program no longer has does not hear of the new node's address.
      expect(leading?.id, "the leader stays when managers join").toSatisfy((id: string) => this.keeps.has(id));
      expect(this.hasQuorum()).toBe(true);
    }
    return fresh;
  }
  keeps = new Set<string>();
}

/** An adopted server's host may be called otherwise than the program says. */
const hostOf = (name: string) => name.replace(/^box-(?=9)/, "the-real-");

/** Nodes of nobody, and of another program. */
const strangers: readonly Member[] = [
  member("", "worker", { id: "stranger", name: "laptop" }),
  member("x", "worker", { founder: "2", server: "prod-x" }),
  member("", "worker", { id: "box", name: "box-77", founder: "2", server: "box-77" }),
];

interface Desired {
  readonly managers: readonly string[];
  readonly workers: readonly string[];
}

/** One deployment: what `swarm/members.ts` does with the two plans. Gives why it was refused, if it was. */
function deploy(world: World, wish: Desired, serial: () => number): string | undefined {
  const own = (name: string) =>
    world.members.find((one) => world.servers.get(one.id) === name && one.state === "ready");
  const survey = [...world.members];
  const managers = wish.managers.map((name) => ({ ...asServer({ name }), id: own(name)?.id }));
  world.keeps = new Set(managers.flatMap(({ id }) => id ?? []));
  // The survey comes from a manager that stays; without one, or with one that is silent, the deployment ends before it plans.
  if (!managers.some(({ id }) => survey.some((one) => one.id === id && one.role === "manager" && answers(one))))
    return "nobody stays";
  let steps: readonly Step[];
  try {
    steps = planHandover(survey, { managers, workers: wish.workers.map((name) => asServer({ name })), cluster });
  } catch (error) {
    if (error instanceof QuorumError) return error.message;
    throw error;
  }
  for (const one of steps) world.play(one);
  const joined = [
    ...wish.managers.map((name) => ({ name, role: "manager" as const })),
    ...wish.workers.map((name) => ({ name, role: "worker" as const })),
  ].map(({ name, role }) => ({ ...asServer({ name }), id: (own(name) ?? world.join(name, role, serial())).id, role }));
  for (const one of planTransition(survey, joined, cluster).steps) {
    // Steps that the handover took already are passed over, as the shell does.
    if (one.action === "demote" && world.members.find((other) => other.id === one.id)?.role === "worker") continue;
    world.play(one);
  }
  const ours = world.members.filter((one) => !strangers.some(({ id }) => id === one.id));
  expect(ours.map(({ id, role }) => `${id} ${role}`).sort()).toEqual(
    joined.map(({ id, role }) => `${id} ${role}`).sort(),
  );
  expect(
    world.members.filter((one) => strangers.some(({ id }) => id === one.id)),
    "what is not the program's",
  ).toEqual(strangers);
  return undefined;
}

/** Every third server was adopted, and its host has a name of its own. */
const names = Array.from({ length: 10 }, (_, index) => (index % 3 === 0 ? `box-${index}` : `prod-n${index}`));
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
        world.members = [...strangers];
        for (const name of start.managers) world.add(name, "manager", ++serial);
        for (const name of start.workers) world.add(name, "worker", ++serial);
        // The deployment that made them has marked those that need it.
        const marks = planTransition(
          [],
          [...world.servers].map(([id, name]) => ({ ...asServer({ name }), id, role: "worker" })),
          cluster,
        );
        for (const one of marks.steps) world.change(one.id, { founder: cluster.founder, server: one.name });
        world.elect();
        for (const { desired: wish, deaths } of rounds) {
          for (const death of deaths) {
            const victim = world.members.slice(strangers.length)[death];
            if (victim)
              world.change(victim.id, {
                state: "down",
                ...(victim.role === "manager" ? { reachability: "unreachable" } : {}),
              });
          }
          // A dead node that is still wanted is replaced by the user, with a server of another name.
          const isNow = (one: Member, name: string) => world.servers.get(one.id) === name;
          const alive = (name: string) => !world.members.some((one) => isNow(one, name) && one.state !== "ready");
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
            const stays = asked.managers.filter((name) => world.managers().some((one) => isNow(one, name)));
            // Never refused without need: there is a quorum, one of its managers stays, and nothing changes roles.
            const noSwaps = asked.workers.every((name) => !world.managers().some((one) => isNow(one, name)));
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
