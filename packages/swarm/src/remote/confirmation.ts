/** The end of a host's last step, for `sh -s DIGEST`: confirm the payload over this, a new, connection, and verify. */

/** The host agent on a host. */
export const agentPath = "/opt/hcloud-iptables.sh";

/**
 * Leaves the report in `report`, one line of JSON. When a check fails, the agent's account of it (names, what was
 * expected, what was found) is what the deployment's error shows.
 */
export const confirmationProgram = `
fail_policy() { printf 'policy: %s\\n' "$*" >&2; exit 1; }
[ -x ${agentPath} ] || fail_policy 'the host agent ${agentPath} is not on this host'
${agentPath} confirm "$1" >&2 || fail_policy "the policy $1 could not be confirmed"
report=$(${agentPath} verify --json) || {
  ${agentPath} verify >&2 || :
  fail_policy 'the host is not as its policy says; the failed checks are above'
}
`;

/** Prints the result of a host that is in no swarm. */
export const printReport = `printf '{"report":%s}\\n' "$report"\n`;

/** Prints the result of a node; on the one that runs \`init\` with the join tokens, so its output is a secret. */
export const printMembership = `
if [ -n "\${members_worker_token-}" ]; then
  printf '{"swarmId":"%s","workerToken":"%s","managerToken":"%s","report":%s}\\n' \\
    "$members_swarm_id" "$members_worker_token" "$members_manager_token" "$report"
else
  printf '{"report":%s}\\n' "$report"
fi
`;
