/** What a mutation came to, and how many of them the verifier caught. Pure. */
import type { Report } from "../../../packages/swarm/src/verification/index.js";
import type { Mutation } from "../../../packages/swarm/src/verification/testing/ruleMutations.js";

/** How many distinct mutations there must be at least. */
export const leastMutations = 60;

/**
 * Some `count` of them, spread evenly, for neighbours are the same edit of another rule or another edit of the same; and the first
 * of each kind of edit to each kind of thing, whose checks begin with its name: chains, jumps, sets, peers.
 */
export function sampled(mutations: readonly Mutation[], count: number): readonly Mutation[] {
  const every = Math.max(1, Math.ceil(mutations.length / count));
  const seen = new Set<string>();
  return mutations.filter(({ kind, caughtBy }, index) => {
    const group = `${kind} ${caughtBy[0]?.split("-")[0]}`;
    const first = !seen.has(group);
    seen.add(group);
    return first || index % every === 0;
  });
}

export interface Outcome {
  readonly mutation: Mutation;
  /** Names of the checks that failed while the mutation was in force. */
  readonly failed: readonly string[];
  /** Those that had to fail and did not. */
  readonly missed: readonly string[];
  readonly exitStatus: number;
  /** What went wrong with the mutation itself, or with its undo. */
  readonly trouble?: string;
}

/** What the agent's `verify` ends with, as its usage says. */
export function statusOf({ passed }: Pick<Report, "passed">): number {
  return passed ? 0 : 1;
}

/** Why the mutation does not count as caught; none where every check that is there for it failed, and `verify` with them. */
export function whyMissed({ failed, missed, exitStatus, trouble }: Outcome): string | undefined {
  if (trouble !== undefined) return trouble;
  if (missed.length > 0) return `not by ${missed.join(", ")}; failed: ${failed.join(", ") || "nothing"}`;
  const expected = statusOf({ passed: false });
  return exitStatus === expected ? undefined : `verify ended with ${exitStatus} instead of ${expected}`;
}

export interface Tally {
  /** Mutations that break the host in different ways, whatever they are called. */
  readonly distinct: number;
  /** `NAME: why`, of those that were not caught. */
  readonly missed: readonly string[];
  /** Kind, how many were made, how many were caught; all of them last. */
  readonly rows: readonly (readonly [kind: string, made: string, caught: string])[];
}

export function tally(outcomes: readonly Outcome[]): Tally {
  const missed = outcomes.flatMap((outcome) => {
    const why = whyMissed(outcome);
    return why === undefined ? [] : [`${outcome.mutation.name}: ${why}`];
  });
  const row = (name: string, of: readonly Outcome[]) =>
    [name, String(of.length), String(of.filter((outcome) => whyMissed(outcome) === undefined).length)] as const;
  const kinds = [...new Set(outcomes.map(({ mutation }) => mutation.kind))];
  const ofKind = (kind: string) => outcomes.filter(({ mutation }) => mutation.kind === kind);
  return {
    distinct: new Set(outcomes.map(({ mutation }) => mutation.apply)).size,
    missed,
    rows: [...kinds.map((kind) => row(kind, ofKind(kind))), row("all", outcomes)],
  };
}
