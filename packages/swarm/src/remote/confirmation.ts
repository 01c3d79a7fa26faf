/** The end of a host's last step, for `sh -s DIGEST PROBATION`: confirm the payload and verify. */
import { bounded } from "./bounds";

/** The host agent on a host. */
export const agentPath = "/opt/hcloud-iptables.sh";
/** The bundle that the policy step sent last, whatever became of it. */
const sentPath = "/var/lib/hcloud-iptables/sent";

export interface ApplyOptions {
  /** The host refuses what would cut off a node of the swarm that it is in already. Default: false. */
  readonly keepSwarm?: boolean;
  /** Addresses of live nodes of its swarm stay in force until `settleCommand`, also those that the bundle no longer names. */
  readonly keepLivePeers?: boolean;
}

/** Applies the bundle on standard input, on probation, and keeps it for a last step that comes too late. */
export function applyCommand(probationSeconds: number, { keepSwarm, keepLivePeers }: ApplyOptions = {}): string {
  const keep = keepSwarm ? " --keep-swarm" : "";
  const apply = bounded(`${agentPath} apply --probation ${probationSeconds}${keep}`);
  if (!keepLivePeers) return `cat >${sentPath} && ${apply} <${sentPath}`;
  // An agent that came with an older version of this package does not know it: there the peers change at once.
  const live = `$(${agentPath} help | grep -o -e --keep-live-peers | head -n 1 || :)`;
  return `cat >${sentPath} && live=${live} && ${apply} $live <${sentPath}`;
}

/** The peers are those that the last bundle named, and no others. */
export const settleCommand = `if ${agentPath} help | grep -q '^ *settle '; then ${bounded(`${agentPath} settle`)}; fi`;

/** What a failed last step says when trying again is all that is needed. */
export const tryAgainMessage = "it is applied once more, on probation";

/**
 * This connection is newer than the payload, so that it got through is the confirmation. Leaves the report in `report`, one
 * line of JSON. When a check fails, the agent's account of it (names, what was expected, what was found) is what the
 * deployment's error shows.
 *
 * A payload that the node took back shut this connection out until then, or nobody came to confirm it: a deployment that
 * was interrupted after the policy step never runs that step again by itself, so its payload is applied from here.
 */
const confirmPolicy = `
fail_policy() { printf 'policy: %s\\n' "$*" >&2; exit 1; }
[ -x ${agentPath} ] || fail_policy 'the host agent ${agentPath} is not on this host'
confirmed=0
${agentPath} confirm "$1" >&2 || confirmed=$?
if [ "$confirmed" -ne 0 ]; then
  [ "$confirmed" -eq 4 ] || fail_policy "the policy could not be confirmed (exit status $confirmed)"
  sent=$(stat -c %Y ${sentPath} 2>/dev/null || echo 0)
  if [ $(($(date +%s) - sent)) -le $((2 * $2 + 300)) ]; then
    fail_policy "the node took the policy back, for no new SSH connection came within $2 s to confirm it:" \\
      'it would have shut this machine out. Correct policy.ssh and deploy again; the node has its old rules'
  fi
  touch ${sentPath}
  ${agentPath} apply --probation "$2" <${sentPath} >&2 || fail_policy 'the policy could not be applied'
  fail_policy "an earlier deployment ended before it confirmed the policy, so the node took it back; ${tryAgainMessage}:" \\
    "deploy again within $2 s"
fi
`;

/**
 * On a node that has just entered its swarm (`members_new`) Docker has made networks, and takes its jump to DOCKER-USER out for a moment
 * for each. A check of the node's own that comes upon it puts it back, so that it is there twice. What that check would put right
 * minutes later is put right at once there, and said; on any other node drift fails the deployment.
 */
const verifyNow = `
verified() { report=$(${agentPath} verify --json); }
mended() { [ -n "\${members_new-}" ] && ${agentPath} check >&2 && verified; }
verified || mended || fail_policy 'the host is not as its policy says; the failed checks are above'
`;

/** Confirms and verifies, with `between` in the middle: more of a program, that needs the confirmation. */
export function confirmationAround(between: string): string {
  return `${confirmPolicy}${between}${verifyNow}`;
}

/** Confirms and verifies. */
export const confirmationProgram = confirmationAround("");

/** Prints the report, and before it, on a node of a swarm, its membership; with the join tokens where it knows them. */
export const printResult = `
if [ -n "\${members_swarm_id-}" ]; then
  printf '{"swarmId":"%s","nodeId":"%s"' "$members_swarm_id" "$members_node_id"
  if [ -n "\${members_worker_token-}" ]; then
    printf ',"workerToken":"%s","managerToken":"%s","unlockKey":"%s"' \\
      "$members_worker_token" "$members_manager_token" "\${members_unlock_key-}"
  fi
  printf '}\\n'
fi
printf '%s\\n' "$report"
`;
