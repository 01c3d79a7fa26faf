/**
 * What a preview can tell of a swarm's quorum, without asking anybody: which servers were its managers, which are going to be, and
 * which are gone. What the managers themselves say comes with the deployment. Plain data in, plain data out.
 */
import { wayToStay } from "./locate";
import { planHandover, QuorumError } from "./transition";

export interface Prospect {
  /** Names of the servers that were the managers when the cluster was deployed last. */
  readonly before: readonly string[];
  /** Those of them that are there no more. */
  readonly gone: ReadonlySet<string>;
  readonly managers: readonly string[];
  readonly workers: readonly string[];
}

/** All of them are the program's, whatever they are called: it has made or adopted them. */
const cluster = { founder: "this", prefix: "" };

/** Why the deployment is going to be refused; none where nothing speaks for it. */
export function foreseen({ before, gone, managers, workers }: Prospect): string | undefined {
  const stays = (name: string) => managers.includes(name) && !gone.has(name);
  if (before.length === 0) return undefined;
  // Who leads is not known: in the best case one that stays.
  const leader = before.find(stays);
  const members = before.map((name) => ({
    id: name,
    name,
    role: "manager" as const,
    availability: "active" as const,
    leaving: false,
    leader: name === leader,
    founder: cluster.founder,
    ...(gone.has(name)
      ? { state: "down", reachability: "unreachable" }
      : { state: "ready", reachability: "reachable" }),
  }));
  const wish = {
    managers: managers.map((name) => ({ name, id: stays(name) ? name : undefined })),
    workers: workers.map((name) => ({ name })),
    cluster,
  };
  try {
    if (leader === undefined && gone.size === 0) throw new QuorumError(`no manager of today's stays one. ${wayToStay}`);
    planHandover(members, wish);
  } catch (error) {
    if (error instanceof QuorumError) return error.message;
    throw error;
  }
  return undefined;
}
