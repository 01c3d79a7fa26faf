/**
 * From the swarm that is there to the swarm that the program wants: which node is promoted, demoted, drained and removed, and in
 * which order. Plain data in, plain data out; `transitionScript.ts` carries it out and looks again before every step.
 *
 * Swarm works as long as more managers answer than do not: that holds before and after each step, or nothing is begun. Managers
 * change one at a time. New managers join before those that go are demoted, with three exceptions that are demoted first
 * (*handover*): dead ones, those that stay as workers (their new policy closes the managers' port), and, when new managers are to
 * join, whoever leads and goes. The last is because a node that leaves the program no longer hears of new peers: as a leader it
 * could not be reached by new managers. Who is elected then is for the swarm to say, so each of those that go may have to yield.
 */
import { type Cluster, formerPrefixes, isKnownAs, isOwn, isServer, needsMark, type Server } from "./ownership";
import type { Member } from "./survey";

export interface Step {
  /**
   * `mark` says whose the node is, and its name; `yield` demotes a manager if it leads at that moment; `activate` undoes an
   * unfinished leave; `quiesce` keeps new tasks away; `drain` waits until its tasks run elsewhere; `discard` removes what never came,
   * unless it has come by then.
   */
  readonly action: "mark" | "activate" | "promote" | "yield" | "demote" | "quiesce" | "drain" | "remove" | "discard";
  readonly id: string;
  readonly name: string;
}

/** The swarm as the program wants it, before new nodes have joined. */
export interface Wish {
  /** The servers that are to be managers, and the ids of those that are members already. */
  readonly managers: readonly (Server & { readonly id?: string | undefined })[];
  /** The servers that are to be workers. */
  readonly workers: readonly Server[];
  /** Whose nodes they are: others are let be. */
  readonly cluster: Cluster;
}

/** The swarm as the program wants it, after all nodes have joined. */
export interface WishedMember extends Server {
  readonly id: string;
  readonly role: "manager" | "worker";
}

/** What was asked for would do the swarm harm. Nothing has been changed. */
export class TransitionError extends Error {
  override readonly name: string = "TransitionError";
}

/** What was asked for would lose the swarm. Nothing has been changed. */
export class QuorumError extends TransitionError {
  override readonly name = "QuorumError";
}

/**
 * The steps before new nodes join.
 * @throws QuorumError when there is no safe way from here to the wish, with the way to do it.
 * @throws TransitionError when the cluster has another name and it could not be told any more which nodes are its own.
 */
export function planHandover(members: readonly Member[], wish: Wish): readonly Step[] {
  const quorum = quorumOf(members);
  const isManager = (member: Member) => member.role === "manager";
  const prefixes = formerPrefixes(members, wish.managers, wish.cluster);
  const workerOf = (member: Member) => wish.workers.find((one) => isServer(member, one, wish.cluster, prefixes));
  const staying = new Map(wish.managers.map((manager) => [manager.id, manager]));
  refuseOrphans(
    members.filter((member) => !staying.has(member.id) && workerOf(member) === undefined),
    prefixes,
    wish.cluster,
  );
  const isOurs = (member: Member) => isOwn(member, wish.cluster) || workerOf(member) !== undefined;
  const going = members.filter((member) => isManager(member) && !staying.has(member.id) && isOurs(member));
  const dead = going.filter((manager) => !answers(manager));
  const alive = going.filter(answers);
  const inPlace = alive.filter((manager) => workerOf(manager) !== undefined);
  const others = alive.filter((manager) => !inPlace.includes(manager));
  const leaderStays = members.some((member) => member.leader && staying.has(member.id));
  const mustYield = !leaderStays && wish.managers.some(({ id }) => id === undefined);
  // The leader last of those that stay as workers: fewer elections.
  const demoted = [...dead, ...inPlace.sort((a, b) => Number(a.leader) - Number(b.leader))];
  const yielding = mustYield ? others.sort((a, b) => Number(b.leader) - Number(a.leader)) : [];
  for (const manager of [...demoted, ...yielding]) quorum.demote(manager);
  for (const { id } of wish.managers)
    if (!members.some((member) => member.id === id && isManager(member))) quorum.add();
  for (const manager of others) if (!yielding.includes(manager)) quorum.demote(manager);
  return [
    ...renamed(members, (member) => staying.get(member.id) ?? workerOf(member), wish.cluster),
    ...demoted.map((manager) => step("demote", manager)),
    ...yielding.map((manager) => step("yield", manager)),
  ];
}

/**
 * Marks for the members whose servers have got another name: what goes by names from here on finds them by that one. Managers last: by
 * them, a deployment that is cut off knows that there is more to mark.
 */
function renamed(
  members: readonly Member[],
  serverOf: (member: Member) => Server | undefined,
  cluster: Cluster,
): readonly Step[] {
  return [...members]
    .sort((a, b) => Number(a.role === "manager") - Number(b.role === "manager"))
    .flatMap((member) => {
      const server = serverOf(member);
      if (server?.part === undefined || isKnownAs(member, server.name, cluster)) return [];
      return step("mark", { id: member.id, name: server.name });
    });
}

/**
 * Hosts keep their names when the cluster gets another one, and nodes are marked by those that stay. One that goes in the same
 * deployment bears neither a mark nor the new name: its server would be deleted, and it would stay in the swarm.
 */
function refuseOrphans(going: readonly Member[], prefixes: readonly string[], { prefix }: Cluster): void {
  const orphans = going.filter(
    ({ founder, name }) => founder === undefined && prefixes.some((former) => name.startsWith(former)),
  );
  if (orphans.length === 0) return;
  const [was, is] = [list(prefixes.map(withoutDash)), withoutDash(prefix)];
  throw new TransitionError(
    `the cluster was called ${was} and is to be called ${is}, and ${list(orphans.map(({ name }) => name))} would go at the same time, ` +
      `of which it could not be told any more whose they are. No node has been changed. Let clusterName be ${was} for this change, ` +
      "or bring the nodes back, and change it with a deployment of its own",
  );
}

function withoutDash(prefix: string): string {
  return prefix.replace(/-$/, "");
}

/** What is left to do after the wished nodes have joined, and what stands in the swarm that is none of the program's. */
export interface Transition {
  readonly steps: readonly Step[];
  /** Names of nodes that the program did not make: they are let be. */
  readonly foreign: readonly string[];
}

/**
 * The steps after all wished nodes have joined. `members` is the swarm before they did. Only the cluster's own nodes are removed, and
 * those that never came and have no name.
 */
export function planTransition(
  members: readonly Member[],
  wished: readonly WishedMember[],
  cluster: Cluster,
): Transition {
  const wishedById = new Map(wished.map((node) => [node.id, node]));
  const memberById = new Map(members.map((member) => [member.id, member]));
  const stays = (member: Member) => wishedById.has(member.id);
  const strays = members.filter((member) => !stays(member) && neverCame(member));
  const gone = members.filter((member) => !stays(member) && !neverCame(member));
  const leaving = inOrderOfLeaving(gone.filter((member) => isOwn(member, cluster)));
  const steps = [
    // Also those that bear one already: as long as the nodes are the same, so is the text, and it is not run again.
    ...wished.filter((node) => needsMark(node, memberById.get(node.id))).map((node) => step("mark", node)),
    ...strays.map((member) => step("discard", { ...member, name: "a node that never came" })),
    ...members
      .filter((member) => stays(member) && member.leaving && member.availability !== "active")
      .map((member) => step("activate", member)),
    ...members
      .filter((member) => member.role === "worker" && wishedById.get(member.id)?.role === "manager")
      .map((member) => step("promote", member)),
    ...leaving.map((member) => step("quiesce", member)),
    ...leaving.flatMap((member) => [
      step("drain", member),
      ...(member.role === "manager" ? [step("demote", member)] : []),
      step("remove", member),
    ]),
  ];
  return { steps, foreign: gone.filter((member) => !leaving.includes(member)).map((member) => member.name) };
}

/** Dead ones first, for they stand in the way of a quorum; then workers; managers last, the leader at the end. */
function inOrderOfLeaving(members: readonly Member[]): readonly Member[] {
  const rank = (member: Member) =>
    (answers(member) ? 4 : 0) + (member.role === "manager" ? 2 : 0) + (member.leader ? 1 : 0);
  return [...members].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name, "en", { numeric: true }));
}

function step(action: Step["action"], { id, name }: Pick<Step, "id" | "name">): Step {
  return { action, id, name };
}

/** Whether a node does its part: a manager in the quorum, a worker with its tasks. */
export function answers({ state, reachability }: Member): boolean {
  return state === "ready" && (reachability === undefined || reachability === "reachable");
}

/**
 * Whether a join that Docker gave up left this node: the swarm wrote it down before it came, under no name. Where it was to be a
 * manager its role says so, and yet no manager waits for its vote.
 */
function neverCame({ name, state, reachability }: Member): boolean {
  return name === "" && state !== "ready" && reachability === undefined;
}

/** Plays the steps in advance. Quorum means that more managers answer than do not. */
function quorumOf(members: readonly Member[]) {
  const managers = members.filter((member) => member.role === "manager" && !neverCame(member));
  const silent = new Map(managers.filter((manager) => !answers(manager)).map(({ id, name }) => [id, name]));
  let answering = managers.length - silent.size;
  const holds = () => answering > silent.size;
  const count = () => `${answering} of ${answering + silent.size} managers answer`;
  if (!holds())
    throw new QuorumError(
      `the swarm has lost its quorum: ${count()} (silent: ${list(silent.values())}), so it can change nothing. Bring managers back; ` +
        "if they are gone for good, run 'docker swarm init --force-new-cluster' on one that answers, then deploy again",
    );
  return {
    add() {
      answering += 1;
    },
    demote(manager: Member) {
      if (silent.delete(manager.id)) return;
      answering -= 1;
      if (holds()) return;
      throw new QuorumError(
        `demoting ${manager.name} would lose the swarm's quorum: ${count()} then` +
          `${silent.size === 0 ? "" : ` (silent: ${list(silent.values())})`}. Nothing has been changed. ` +
          (silent.size === 0
            ? "Let at least one of today's managers stay a manager, add the new ones, and take it away with a second deployment"
            : "Repair or replace the silent managers first (raise their `replacement`), with a deployment of its own"),
      );
    },
  };
}

function list(names: Iterable<string>): string {
  return [...names].join(", ") || "none";
}
