/**
 * The shell that makes a node a member of the swarm. It reads what to do from the variables that stand in front of it
 * on the same standard input (`action`, `role`, `private_ip`, `swarm_id`, `body`, `ingress`, `mtu`, `seconds`), so that
 * neither a process list nor an error message of the Command provider ever shows a token.
 *
 * It is idempotent: a node that is in the right swarm stays as it is, whatever its role (managers change roles, see
 * `transition.ts`); one that is in another swarm is an error. A node that joins finds a manager among its peers by itself, so
 * that none of them is special, and first waits until the peers let it in.
 * When it is done, `members_swarm_id` and `members_node_id`, and with `tells` on a manager both join tokens and the unlock key,
 * are in variables.
 */
import { boundedDocker, quote, untilTrue } from "../shell";
import { anyManager, ingressRequest, initRequest, joinRequest, type OverlaySettings, swarmPort } from "./engineApi";
import { type SwarmWideSettings, swarmSettingsProgram } from "./swarmSettings";

interface EveryStep {
  readonly privateIp: string;
  /** Whether it is to bring about what holds for the whole swarm and to tell the join tokens, where it is a manager. */
  readonly tells?: SwarmWideSettings;
  /** Bound of every single wait, in seconds. */
  readonly waitSeconds: number;
}

export interface InitStep extends EveryStep {
  readonly action: "init";
  readonly overlay: OverlaySettings;
}

export interface JoinStep extends EveryStep {
  readonly action: "join";
  readonly swarmId: string;
  /** Of the role that the node is to have. */
  readonly joinToken: string;
}

/** Bounds one request to the Engine API, in seconds. */
const requestSeconds = 120;
/** Times that a node tries to get in. */
const joins = 2;
/** Managers that a node which joins may ask in vain, each with a request to join and one to take that back. */
const managersInVain = 7;

/**
 * At most how long the program waits, in seconds: seven times for itself, and each time that it joins a quarter longer for the
 * peers and once for a manager; and for answers.
 */
export function membershipWaitSeconds(waitSeconds: number): number {
  return 7 * waitSeconds + joins * (3 * waitSeconds + 2 * managersInVain * requestSeconds);
}

/** Addresses of the other nodes, one a line, as the host agent keeps them. */
const peersFile = "/etc/hcloud-iptables/peers";
const gossipPort = 7946;

/** The program for `sh -s`. For a join it contains the token: treat it as a secret. */
export function membershipProgram(step: InitStep | JoinStep): string {
  const join = step.action === "join";
  const variables = {
    action: step.action,
    private_ip: step.privateIp,
    swarm_id: join ? step.swarmId : "",
    body: join ? joinRequest(step.privateIp, step.joinToken) : initRequest(step.privateIp, step.overlay),
    ingress: join ? "" : ingressRequest(step.overlay),
    mtu: join ? "" : String(step.overlay.underlayMtu),
    seconds: String(step.waitSeconds),
  };
  const assignments = Object.entries(variables).map(([name, value]) => `${name}=${quote(value)}\n`);
  return `${assignments.join("")}${script}${step.tells === undefined ? "" : tell(step.tells)}`;
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
  printf '%s' "$3" | curl -sS --max-time ${requestSeconds} --unix-socket /var/run/docker.sock -X "$1" \\
    -H 'Content-Type: application/json' --data-binary @- -o "$answer" -w '%{http_code}' "http://localhost$2"
}
${boundedDocker}info() { docker info --format "{{.Swarm.$1}}"; }

${untilTrue}# wait_for WHAT COMMAND...
wait_for() {
  waited_for=$1
  shift
  until_true "$seconds" "$@" || fail "$waited_for: not within $seconds s; local state: $(info LocalNodeState) $(info Error)"
}
find_root() { root=$(docker info --format '{{.DockerRootDir}}' 2>/dev/null); }
# learn FIELD: what Docker says of it, in $learnt. No answer is no value: a slow Docker is asked again.
learn() { wait_for "waiting for Docker to tell the $1 of its swarm" ask "$1"; }
ask() { learnt=$(info "$1"); }
is_active() { [ "$(info LocalNodeState)" = active ]; }
# Docker gives up a join for which the managers were too slow, and does not try again. Who has no certificate was never a member.
in_vain() { [ "$(info LocalNodeState)" = error ] && [ ! -s "$root/swarm/certificates/swarm-node.crt" ]; }
is_decided() { is_active || in_vain; }
begin() {
  "\${action}_swarm"
  members_new=yes
}
begin_again() {
  printf 'swarm: this node did not get in (%s): it begins again\\n' "$(info Error)" >&2
  engine POST '/swarm/leave?force=1' '' >/dev/null
  begin
}

# The swarm that this node belongs to, from its certificate: workers have no other way to tell.
own_swarm_id() {
  openssl x509 -noout -subject -nameopt multiline \\
    -in "$root/swarm/certificates/swarm-node.crt" |
    sed -n 's/^ *organizationName *= *//p'
}

# dial ADDRESS PORT: says whether something listened (open), the host refused (closed), or nobody answered (silent).
dial() {
  connected=$(curl -s -o /dev/null --connect-timeout 3 --max-time 4 -w '%{time_connect}' "http://$1:$2/") && code=0 || code=$?
  case $connected:$code in
  0:7 | 0.000000:7) echo "closed $1" ;;
  0:* | 0.000000:*) echo "silent $1" ;;
  *) echo "open $1" ;;
  esac
}
# dial_peers PORT: all at once; one line each.
dial_peers() {
  if [ -r ${peersFile} ]; then
    while read -r peer; do dial "$peer" "$1" & done <${peersFile}
    wait
  fi
}
# Before a firewall has this node among its peers, it lets no answer out, not even a refusal.
peers_let_in() {
  silent=$(dial_peers ${gossipPort} | sed -n 's/^silent //p' | tr '\\n' ' ')
  [ -z "$silent" ]
}
find_managers() {
  managers=$(dial_peers ${swarmPort} | sed -n 's/^open //p' | sort)
  [ -n "$managers" ]
}
join_swarm() {
  waited=0
  until peers_let_in; do
    if [ "$waited" -ge "$seconds" ]; then
      printf 'swarm: nodes that do not let this one in after %s s, or are not there: %s\\n' "$seconds" "$silent" >&2
      break
    fi
    waited=$((waited + 4))
    sleep 1
  done
  wait_for 'waiting for a manager of the swarm among the peers' find_managers
  for manager in $managers; do
    status=$(engine POST /swarm/join "$(printf '%s' "$body" | sed "s/${anyManager}/$manager/")")
    # The engine gives up waiting after 20 s and goes on by itself; the wait for the membership is the one that counts.
    case $status in 200 | 503) return 0 ;; esac
    printf 'swarm: %s did not take this node in (%s): %s\\n' "$manager" "$status" "$(cat "$answer")" >&2
    [ "$(info LocalNodeState)" = inactive ] || engine POST '/swarm/leave?force=1' '' >/dev/null
  done
  fail 'no manager took this node in; when the join token was rotated by other means, raise swarm.joinTokenRotation and deploy again'
}
init_swarm() {
  # This is the one node that may start the swarm; where its peers are in one, they are, and it has been taken out.
  if find_managers; then
    fail "this node is in no swarm and $managers manages one: it was taken out of it. Raise the node's 'replacement' and deploy again"
  fi
  status=$(engine POST /swarm/init "$body")
  [ "$status" = 200 ] || fail "init was refused ($status): $(cat "$answer")"
}

wait_for 'waiting for Docker to answer' find_root
learn LocalNodeState
case $learnt in
inactive) begin ;;
active | pending) ;;
error)
  in_vain || fail "the node's swarm state is 'error' ($(info Error))"
  begin_again
  ;;
locked)
  fail "this manager is locked since its Docker was started again: run 'docker swarm unlock' on it, with the output unlockKey, and" \\
    'deploy again'
  ;;
*) fail "the node's swarm state is '$learnt' ($(info Error))" ;;
esac
wait_for 'waiting to become a member of the swarm' is_decided
if in_vain; then
  begin_again
  wait_for 'waiting to become a member of the swarm, once more' is_active
fi

members_swarm_id=$(own_swarm_id)
[ -n "$members_swarm_id" ] || fail 'the certificate of this node names no swarm'
if [ -n "$swarm_id" ] && [ "$members_swarm_id" != "$swarm_id" ]; then
  fail "this node is in swarm $members_swarm_id, not in $swarm_id; 'docker swarm leave' on it and deploy again"
fi
learn NodeID
members_node_id=$learnt
learn NodeAddr
[ "$learnt" = "$private_ip" ] || fail "this node advertises $learnt, not its private address $private_ip"

ingress_mtu() { docker network inspect ingress --format '{{index .Options "com.docker.network.driver.mtu"}}' 2>/dev/null; }
list_services() { services=$(docker service ls --quiet); }
remove_ingress() { case $(engine DELETE /networks/ingress '') in 204 | 404) ;; *) return 1 ;; esac; }
create_ingress() { case $(engine POST /networks/create "$ingress") in 201) ;; *) return 1 ;; esac; }
if [ "$action" = init ]; then
  # The ingress network that swarm makes by itself is for a 1500-byte network. It can only be replaced while no
  # service uses it, so a swarm that has services keeps what it has.
  wait_for 'waiting for the list of services' list_services
  if [ "$(ingress_mtu)" != "$mtu" ] && [ -z "$services" ]; then
    wait_for 'waiting for the default ingress network to go' remove_ingress
    wait_for 'waiting for an ingress network with the right MTU' create_ingress
  fi
fi
`;

function tell(settings: SwarmWideSettings): string {
  return `${swarmSettingsProgram(settings)}
join_tokens() {
  members_worker_token=$(docker swarm join-token --quiet worker) &&
    members_manager_token=$(docker swarm join-token --quiet manager)
}
learn ControlAvailable
if [ "$learnt" = true ]; then
  settle_swarm
  members_unlock_key=$(unlock_key)
  wait_for 'waiting for the join tokens' join_tokens
fi
`;
}
