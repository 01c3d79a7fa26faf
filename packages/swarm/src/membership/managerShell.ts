/** Shell that programs on a manager share, whether nodes come and go or are maintained. */
import { boundedDocker, untilTrue } from "../shell";

/** Bounds one change of a node, in seconds. */
export const updateSeconds = 30;

/** What programs on a manager have in common: it says what it does on standard error, and every wait has an end. */
export const swarmShell = `set -eu
fail() { printf 'swarm: %s\\n' "$*" >&2; exit 1; }
say() { printf 'swarm: %s\\n' "$*" >&2; }
${boundedDocker}of_node() { docker node inspect "$1" --format "$2"; }
listed() { docker node ls --quiet --filter "id=$1"; }
# label ID KEY
label() { of_node "$1" "{{with .Spec.Labels}}{{with index . \\"$2\\"}}{{.}}{{end}}{{end}}"; }
role_of() { of_node "$1" '{{.Spec.Role}}'; }
# A manager is one until the others have let it go, whatever its role is to be.
is_manager() { [ "$(of_node "$1" '{{if .ManagerStatus}}yes{{end}}')" = yes ]; }
is_no_manager() { status=$(of_node "$1" '{{if .ManagerStatus}}yes{{end}}') && [ -z "$status" ]; }
answers() { [ "$(of_node "$1" '{{.Status.State}} {{with .ManagerStatus}}{{.Reachability}}{{else}}worker{{end}}')" = 'ready reachable' ]; }

${untilTrue}has_leader() { docker node ls --quiet >/dev/null 2>&1; }
# Somebody else may have changed the node since it was read: the manager says so, and it is asked again.
update() { until_true ${updateSeconds} docker node update "$@" >/dev/null || fail "docker node update $* was refused, or not answered"; }
`;

/** Whether a node's tasks have moved: `have_moved ID`, with what `wanting` said before in `lacking`. */
export const taskShell = `# Tasks that still run there, dead nodes' apart: theirs run nowhere.
is_empty() {
  state=$(of_node "$1" '{{.Status.State}}') || return 1
  [ "$state" = ready ] || return 0
  tasks=$(docker node ps "$1" --filter desired-state=running --format '{{.ID}}') && [ -z "$tasks" ] || return 1
  tasks=$(docker node ps "$1" --format '{{.CurrentState}}') || return 1
  ! printf '%s\\n' "$tasks" | grep -Eq '^(Running|Starting|Preparing|Ready) '
}
# Services with fewer running tasks than they want.
wanting() {
  services=$(docker service ls --format '{{.Replicas}} {{.Name}}') || return 1
  printf '%s\\n' "$services" | awk '{ split($1, n, "/"); if (n[1] + 0 < n[2] + 0) print $NF }'
}
# What wants tasks now and did not before.
have_moved() { is_empty "$1" && now_lacking=$(wanting) && ! printf '%s\\n' "$now_lacking" | grep -Fxv "$lacking" | grep -q .; }
`;
