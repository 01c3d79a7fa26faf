/**
 * The shell that makes a node a member of the swarm. It reads what to do from the variables that stand in front of it
 * on the same standard input (`action`, `role`, `private_ip`, `swarm_id`, `body`, `ingress`, `mtu`, `seconds`), so that
 * neither a process list nor an error message of the Command provider ever shows a token.
 *
 * It is idempotent: a node that is in the right swarm stays as it is; one that is in another swarm is an error.
 * When it is done, `members_swarm_id`, and on the node that ran `init` both join tokens, are in variables.
 */
import { quote } from "../shell";
import { ingressRequest, initRequest, joinRequest, type OverlaySettings } from "./engineApi";

export interface InitStep {
  readonly action: "init";
  readonly privateIp: string;
  readonly overlay: OverlaySettings;
  /** Bound of every single wait, in seconds. */
  readonly waitSeconds: number;
}

export interface JoinStep {
  readonly action: "join";
  readonly role: "manager" | "worker";
  readonly privateIp: string;
  /** Private address of a manager of the swarm to join. */
  readonly managerIp: string;
  readonly swarmId: string;
  readonly joinToken: string;
  readonly waitSeconds: number;
}

/** The program for `sh -s`. For a join it contains the token: treat it as a secret. */
export function membershipProgram(step: InitStep | JoinStep): string {
  const join = step.action === "join";
  const variables = {
    action: step.action,
    role: join ? step.role : "manager",
    private_ip: step.privateIp,
    swarm_id: join ? step.swarmId : "",
    body: join
      ? joinRequest(step.privateIp, step.managerIp, step.joinToken)
      : initRequest(step.privateIp, step.overlay),
    ingress: join ? "" : ingressRequest(step.overlay),
    mtu: join ? "" : String(step.overlay.underlayMtu),
    seconds: String(step.waitSeconds),
  };
  const assignments = Object.entries(variables).map(([name, value]) => `${name}=${quote(value)}\n`);
  return `${assignments.join("")}${script}`;
}

const script = `set -eu
fail() { printf 'swarm: %s\\n' "$*" >&2; exit 1; }
for tool in docker curl openssl; do
  command -v "$tool" >/dev/null || fail "$tool is not installed on this node"
done
answer=$(mktemp /run/hcloud-swarm.XXXXXX)
trap 'rm -f "$answer"' EXIT

# engine METHOD PATH BODY: one request to the Engine API; prints the HTTP status, the answer is in the file.
engine() {
  printf '%s' "$3" | curl -sS --max-time 120 --unix-socket /var/run/docker.sock -X "$1" \\
    -H 'Content-Type: application/json' --data-binary @- -o "$answer" -w '%{http_code}' "http://localhost$2"
}
info() { docker info --format "{{.Swarm.$1}}"; }

# until_true WHAT COMMAND...: waits, bounded, for the command to succeed.
until_true() {
  waited_for=$1
  shift
  left=$seconds
  until "$@"; do
    [ "$left" -gt 0 ] || fail "$waited_for: not within $seconds s; local state: $(info LocalNodeState) $(info Error)"
    left=$((left - 1))
    sleep 1
  done
}
engine_answers() { docker info >/dev/null 2>&1; }
is_active() { [ "$(info LocalNodeState)" = active ]; }

# The swarm that this node belongs to, from its certificate: workers have no other way to tell.
own_swarm_id() {
  openssl x509 -noout -subject -nameopt multiline \\
    -in "$(docker info --format '{{.DockerRootDir}}')/swarm/certificates/swarm-node.crt" |
    sed -n 's/^ *organizationName *= *//p'
}

until_true 'waiting for Docker to answer' engine_answers
case $(info LocalNodeState) in
inactive)
  status=$(engine POST "/swarm/$action" "$body")
  # The engine gives up waiting for a join after 20 s and goes on by itself; the wait below is the one that counts.
  case $status in 200 | 503) ;; *) fail "$action was refused ($status): $(cat "$answer")" ;; esac
  ;;
active | pending) ;;
*) fail "the node's swarm state is '$(info LocalNodeState)' ($(info Error)); 'docker swarm leave' on it and deploy again" ;;
esac
until_true 'waiting to become a member of the swarm' is_active

members_swarm_id=$(own_swarm_id)
[ -n "$members_swarm_id" ] || fail 'the certificate of this node names no swarm'
if [ -n "$swarm_id" ] && [ "$members_swarm_id" != "$swarm_id" ]; then
  fail "this node is in swarm $members_swarm_id, not in $swarm_id; 'docker swarm leave' on it and deploy again"
fi
is_role=worker
[ "$(info ControlAvailable)" = false ] || is_role=manager
[ "$is_role" = "$role" ] || fail "this node is a $is_role and the program wants a $role: changing a role in place is not supported"
[ "$(info NodeAddr)" = "$private_ip" ] || fail "this node advertises $(info NodeAddr), not its private address $private_ip"

ingress_mtu() { docker network inspect ingress --format '{{index .Options "com.docker.network.driver.mtu"}}' 2>/dev/null; }
remove_ingress() { case $(engine DELETE /networks/ingress '') in 204 | 404) ;; *) return 1 ;; esac; }
create_ingress() { case $(engine POST /networks/create "$ingress") in 201) ;; *) return 1 ;; esac; }
if [ "$action" = init ]; then
  # The ingress network that swarm makes by itself is for a 1500-byte network. It can only be replaced while no
  # service uses it, so a swarm that has services keeps what it has.
  services=$(docker service ls --quiet)
  if [ "$(ingress_mtu)" != "$mtu" ] && [ -z "$services" ]; then
    until_true 'waiting for the default ingress network to go' remove_ingress
    until_true 'waiting for an ingress network with the right MTU' create_ingress
  fi
  members_worker_token=$(docker swarm join-token --quiet worker)
  members_manager_token=$(docker swarm join-token --quiet manager)
fi
`;
