/** What a manager knows of its swarm: the shell that asks, and the reading of the answer. */
import * as z from "zod";
import { boundedDocker, untilTrue } from "../shell";

/** Swarm label of a node that is on its way out; one that is wanted after all is put back to work by it. */
export const leavingLabel = "hcloud-swarm.leaving";
/** Swarm label of a node that a deployment demoted. */
export const demotedLabel = "hcloud-swarm.demoted";
/** Swarm label of a node that names the cluster whose it is, where its host name does not tell (`ownership.ts`). */
export const founderLabel = "hcloud-swarm.founder";
/** Swarm label that stands beside it: the name of the node's server in the program. */
export const serverLabel = "hcloud-swarm.server";

const memberSchema = z.object({
  id: z.string().min(1),
  /** Host name. It is the server's name in Hetzner Cloud where the program made it, and the cluster had its name of today. */
  name: z.string(),
  role: z.enum(["manager", "worker"]),
  availability: z.enum(["active", "pause", "drain"]),
  /** `ready`, or why not: `down`, `disconnected`, `unknown`. */
  state: z.string(),
  leaving: z.boolean(),
  /** What it is marked with, where it is: a cluster, and its name in that one's program. */
  founder: z.string().min(1).optional(),
  server: z.string().min(1).optional(),
  leader: z.boolean().default(false),
  /** Of managers: `reachable`, or why not. */
  reachability: z.string().optional(),
});

/** A node as its swarm sees it. */
export type Member = z.output<typeof memberSchema>;

const surveySchema = z.object({
  /** Of this node's Docker in its swarm: `inactive`, `active`, `pending`, `locked`, `error`; `unknown` when Docker is silent. */
  state: z.string(),
  nodeId: z.string(),
  /** Why the state is what it is, where Docker says so. */
  error: z.string(),
});

const accessSchema = z.object({
  swarmId: z.string().min(1),
  workerToken: z.string().startsWith("SWMTKN-"),
  managerToken: z.string().startsWith("SWMTKN-"),
  /** Unlocks a manager of a swarm that locks itself; empty for another one. */
  unlockKey: z.string().default(""),
});

/** What a node needs to become a member, and to be one again. The tokens and the key are secrets. */
export type SwarmAccess = z.output<typeof accessSchema>;

export interface Survey extends z.output<typeof surveySchema> {
  /** On a manager of a swarm that has a leader. */
  readonly swarm?: { readonly access: SwarmAccess; readonly members: readonly Member[] };
}

/** Bounds the wait for Docker to answer, in seconds. */
const answerSeconds = 30;
/** Bounds the wait for an election and for what follows it, in seconds: some fifteen, by swarm's own defaults. */
const electionSeconds = 30;

/**
 * A function `survey` for a manager, that prints one line of JSON on how it stands with its swarm and, where it manages one that
 * has a leader, one with the join tokens and the unlock key and one for every member. Before it tells the tokens it settles the
 * swarm's own settings, for new nodes join with what it tells: `swarmSettings.ts` stands in front of it. It never fails: a node
 * in no swarm has an answer, too, and settings that cannot be changed fail the first manager's last step, which tries again.
 * The output holds the join tokens, so it is a secret; they are in no process's arguments.
 */
export const surveyProgram = `${untilTrue}${boundedDocker}# A swarm that is electing its leader lists nothing, and one that has just elected it knows nobody's state.
are_known() {
  members=$(docker node ls --format '{{.ID}} {{.Status}}') && ! printf '%s\\n' "$members" | grep -q ' Unknown$'
}
docker_answers() { docker info >/dev/null 2>&1; }
say_unknown() { echo '{"state":"unknown","nodeId":"","error":"Docker does not answer"}'; }
survey() {
  until_true ${answerSeconds} docker_answers || { say_unknown; return 0; }
  control=$(docker info --format '{{.Swarm.ControlAvailable}}') || { say_unknown; return 0; }
  docker info --format '{"state":{{json .Swarm.LocalNodeState}},"nodeId":{{json .Swarm.NodeID}},"error":{{json .Swarm.Error}}}' || { say_unknown; return 0; }
  [ "$control" = true ] || return 0
  until_true ${electionSeconds} are_known || :
  members=$(printf '%s\\n' "$members" | cut -d ' ' -f 1)
  [ -n "$members" ] || return 0
  settle_swarm || :
  swarm=$(docker info --format '{{.Swarm.Cluster.ID}}') && unlock=$(unlock_key) &&
    worker=$(docker swarm join-token --quiet worker) && manager=$(docker swarm join-token --quiet manager) || return 0
  # A node that is gone is left out; one of which Docker does not say anything is not, or it would count in no quorum.
  nodes=$(for member in $members; do
    docker node inspect "$member" --format '{"id":{{json .ID}},"name":{{json .Description.Hostname}},"role":{{json .Spec.Role}},"availability":{{json .Spec.Availability}},"state":{{json .Status.State}},"leaving":{{if index .Spec.Labels "${leavingLabel}"}}true{{else}}false{{end}}{{with index .Spec.Labels "${founderLabel}"}},"founder":{{json .}}{{end}}{{with index .Spec.Labels "${serverLabel}"}},"server":{{json .}}{{end}}{{with .ManagerStatus}},"leader":{{.Leader}},"reachability":{{json .Reachability}}{{end}}}' || [ $? -ne 124 ] || exit 1
  done) || return 0
  printf '{"swarmId":"%s","workerToken":"%s","managerToken":"%s","unlockKey":"%s"}\\n%s\\n' "$swarm" "$worker" "$manager" "$unlock" "$nodes"
}
`;

/** Reads what `survey` printed. Errors quote nothing of it. */
export function parseSurvey(stdout: string): Survey {
  const lines = stdout.trim().split("\n").map(jsonOf);
  const [own, access, ...members] = lines;
  const self = surveySchema.safeParse(own);
  if (!self.success) throw new Error("a manager's account of its swarm cannot be read");
  if (lines.length === 1) return self.data;
  const swarm = z
    .object({ access: accessSchema, members: z.array(memberSchema).min(1) })
    .safeParse({ access, members });
  if (!swarm.success) throw new Error("a manager's list of its swarm's nodes cannot be read");
  return { ...self.data, swarm: swarm.data };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
