/** What a node says of itself once others have come, gone or changed their role. */
import { boundedDocker, untilTrue } from "../shell";
import type { SwarmNode } from "./plan";

/**
 * The program for `sh -s`: it waits until the node says itself that it is in its swarm, in its role. What managers say of it is older:
 * they know a node as reachable for some seconds after it has lost the swarm, as one does that begins or ceases to be a manager and
 * cannot reach the others at once (`nodeState` in moby's daemon/cluster).
 */
export function settledProgram(role: SwarmNode["role"], waitSeconds: number): string {
  const wanted = `active ${String(role === "manager")}`;
  return `set -eu
fail() { printf 'swarm: %s\\n' "$*" >&2; exit 1; }
${untilTrue}${boundedDocker}is_settled() {
  # State, whether it is a manager, and what is wrong.
  said=$(docker info --format '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}} {{.Swarm.Error}}' 2>&1) || :
  case $said in
  '${wanted}' | '${wanted} '*) ;;
  locked*) fail "the swarm is locked here: run 'docker swarm unlock', with the output unlockKey, then deploy again" ;;
  *) return 1 ;;
  esac
}
until_true ${waitSeconds} is_settled || fail "this node is no ${role} of its swarm after ${waitSeconds} s. It says: $said"
`;
}
