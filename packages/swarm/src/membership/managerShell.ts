/** Shell that programs on a manager share, whether nodes come and go or are maintained. */
import { untilTrue } from "../shell";

/** What programs on a manager have in common: it says what it does on standard error, and every wait has an end. */
export const swarmShell = `set -eu
fail() { printf 'swarm: %s\\n' "$*" >&2; exit 1; }
say() { printf 'swarm: %s\\n' "$*" >&2; }
of_node() { docker node inspect "$1" --format "$2"; }
is_there() { docker node ls --quiet --filter "id=$1" | grep -q .; }
# label ID KEY
label() { of_node "$1" "{{with .Spec.Labels}}{{with index . \\"$2\\"}}{{.}}{{end}}{{end}}"; }
role_of() { of_node "$1" '{{.Spec.Role}}'; }
# A manager is one until the others have let it go, whatever its role is to be.
is_manager() { [ "$(of_node "$1" '{{if .ManagerStatus}}yes{{end}}')" = yes ]; }
answers() { [ "$(of_node "$1" '{{.Status.State}} {{with .ManagerStatus}}{{.Reachability}}{{else}}worker{{end}}')" = 'ready reachable' ]; }

${untilTrue}has_leader() { docker node ls --quiet >/dev/null 2>&1; }
# Somebody else may have changed the node since it was read: the manager says so, and it is asked again.
update() { until_true 10 docker node update "$@" >/dev/null || fail "docker node update $* was refused"; }
`;

/** Whether a node's tasks have moved: `have_moved ID`, with what `wanting` said before in `lacking`. */
export const taskShell = `# Tasks that still run there, dead nodes' apart: theirs run nowhere.
is_empty() {
  [ "$(of_node "$1" '{{.Status.State}}')" = ready ] || return 0
  [ -z "$(docker node ps "$1" --filter desired-state=running --format '{{.ID}}')" ] || return 1
  ! docker node ps "$1" --format '{{.CurrentState}}' | grep -Eq '^(Running|Starting|Preparing|Ready) '
}
# Services with fewer running tasks than they want.
wanting() { docker service ls --format '{{.Replicas}} {{.Name}}' | awk '{ split($1, n, "/"); if (n[1] + 0 < n[2] + 0) print $NF }'; }
# What wants tasks now and did not before.
have_moved() { is_empty "$1" && ! wanting | grep -Fxv "$lacking" | grep -q .; }
`;
