/**
 * The shell that carries a transition out, on a manager that stays. It looks at the swarm again before every step: a node that
 * is as it must be already is passed over, and a step that would lose the quorum is refused. What it does goes to standard
 * error, one line a step; at the end it prints the ids of the nodes that left.
 */
import { quote } from "../shell";
import { swarmShell, taskShell, updateSeconds } from "./managerShell";
import { demotedLabel, founderLabel, leavingLabel, serverLabel } from "./survey";
import type { Step } from "./transition";

export interface TransitionBounds {
  /** For a swarm's own answer (a role that changes, a node that goes), in seconds. */
  readonly waitSeconds: number;
  /** For the tasks of one node to run elsewhere, in seconds; after it the node leaves all the same. */
  readonly drainSeconds: number;
  /** How long a manager that is to be removed must have been none, in seconds. Default: 45. */
  readonly demotedSeconds?: number;
}

/**
 * A manager that was demoted asks for a worker's certificate. One that is removed before it has it cannot get it any more, starts its
 * manager again after twice 16 s (`roleChangeTimeout` in swarmkit's node/node.go), and joins the managers with its old certificate:
 * a member that nobody lists and nobody answers, whose vote counts.
 */
const demotedSeconds = 45;

/** At most how long the program waits for so many nodes, in seconds: each is quiesced, drained, demoted and removed, at most. */
export function transitionWaitSeconds({ waitSeconds, drainSeconds }: TransitionBounds, nodes: number): number {
  return waitSeconds + nodes * (drainSeconds + demotedSeconds + 4 * waitSeconds + 3 * updateSeconds);
}

/** The argument with which the program takes the cluster's marks away, and does nothing else. */
export const forgetMarks = "forget";

/** The program for `sh -s`, without any secret; nothing where there is nothing to do. `founder` is what nodes are marked with. */
export function transitionProgram(
  steps: readonly Step[],
  bounds: TransitionBounds,
  founder: string,
): string | undefined {
  if (steps.length === 0) return undefined;
  const lines = steps.map(({ action, id, name }) => `${action} ${id} ${name}\n`).join("");
  const values = {
    seconds: bounds.waitSeconds,
    drain_seconds: bounds.drainSeconds,
    demoted_seconds: bounds.demotedSeconds ?? demotedSeconds,
  };
  const given = Object.entries(values).map(([name, value]) => `${name}=${String(value)}\n`);
  return `${given.join("")}founder=${quote(founder)}\nsteps=${quote(lines)}\n${script}`;
}

const script = `${swarmShell}
# Written down when it began to join, and given up since: it has no name, and no vote. No answer is none of that.
never_came() {
  who=$(of_node "$1" '{{.Status.State}} {{.Description.Hostname}}{{with .ManagerStatus}}manager{{end}}') || return 1
  [ "$who" != 'ready ' ] && [ "$who" != "\${who% }" ]
}
# quorum_without ID: fails unless more managers answer than do not, now and when that one is none any more.
quorum_without() {
  docker node ls --quiet >/dev/null || fail 'the swarm has lost its quorum: bring its managers back before anything else'
  yes=0 no=0 silent=
  for manager in $(docker node ls --quiet --filter role=manager); do
    if never_came "$manager"; then continue; fi
    if answers "$manager"; then yes=$((yes + 1)); else no=$((no + 1)) silent="$silent $(of_node "$manager" '{{.Description.Hostname}}')"; fi
  done
  [ "$yes" -gt "$no" ] || fail "only $yes of $((yes + no)) managers answer (silent:$silent): repair those first"
  if answers "$1"; then yes=$((yes - 1)); else no=$((no - 1)); fi
  [ "$yes" -gt "$no" ] ||
    fail "demoting $2 would lose the quorum: $yes of $((yes + no)) managers would answer (silent:$silent). It was not demoted;" \\
      'repair or replace the silent managers with a deployment of its own first'
}

mark() {
  if [ "$(label "$1" '${founderLabel}')" != "$founder" ] || [ "$(label "$1" '${serverLabel}')" != "$2" ]; then
    update --label-add "${founderLabel}=$founder" --label-add "${serverLabel}=$2" "$1"
  fi
}
forget() {
  until_true "$seconds" has_leader || { say 'this is no manager of a swarm any more: the nodes keep their marks'; return 0; }
  for id in $(docker node ls --quiet); do
    if [ "$(label "$id" '${founderLabel}')" = "$founder" ]; then
      # To take a label from a node that has none is an error.
      if [ -n "$(label "$id" '${serverLabel}')" ]; then update --label-rm '${serverLabel}' "$id"; fi
      update --label-rm '${founderLabel}' "$id"
    fi
  done
}

activate() { update --availability active --label-rm '${leavingLabel}' "$1"; }
quiesce() {
  if [ "$(of_node "$1" '{{.Spec.Availability}}')" = active ]; then
    update --availability pause --label-add '${leavingLabel}=1' "$1"
  fi
}

is_reachable() { [ "$(of_node "$1" '{{with .ManagerStatus}}{{.Reachability}}{{end}}')" = reachable ]; }
promote() {
  if [ "$(role_of "$1")" != manager ]; then update --role manager "$1"; fi
  # To take a label from a node that has none is an error.
  if [ -n "$(label "$1" '${demotedLabel}')" ]; then update --label-rm '${demotedLabel}' "$1"; fi
  until_true "$seconds" is_reachable "$1" || fail "$2 was promoted, and is no reachable manager after $seconds s"
}

demote() {
  if is_manager "$1"; then
    quorum_without "$1" "$2"
    update --role worker --label-add '${demotedLabel}=1' "$1"
  fi
  # A leader that goes takes the answer with it: another one is elected first.
  until_true "$seconds" has_leader || fail "$2 was demoted, and the swarm has no leader after $seconds s"
  until_true "$seconds" is_no_manager "$1" || fail "$2 was demoted, and still is a manager after $seconds s"
}

yield() {
  leads=$(of_node "$1" '{{with .ManagerStatus}}{{.Leader}}{{end}}')
  if [ "$leads" = true ]; then demote "$1" "$2"; fi
}

${taskShell}drain() {
  lacking=$(wanting) || :
  [ -n "$lacking" ] || lacking='-'
  update --availability drain "$1"
  until_true "$drain_seconds" have_moved "$1" || {
    say "$2: its tasks have not all come up elsewhere within $drain_seconds s; it leaves all the same. Services that lack tasks:" $(wanting)
  }
}

# None for so long in a row, or dead: what is dead asks for nothing.
is_worker_for_good() {
  now=$(date +%s)
  if ! is_no_manager "$1" || ! has_leader; then
    demoted_at=$now
    return 1
  fi
  [ $((now - demoted_at)) -ge "$demoted_seconds" ] || [ "$(of_node "$1" '{{.Status.State}}')" = down ]
}
is_gone() { found=$(listed "$1") && [ -z "$found" ]; }
# Its answer is lost where the leader changes meanwhile.
is_removed() { is_gone "$1" || { docker node rm --force "$1" >/dev/null && is_gone "$1"; }; }
remove() {
  demotion=$(label "$1" '${demotedLabel}')
  if [ -n "$demotion" ]; then
    demoted_at=$(date +%s)
    until_true "$((demoted_seconds + seconds))" is_worker_for_good "$1" ||
      fail "$2 was demoted, and becomes a manager again by itself: look at its Docker, or raise timeouts.swarm"
  fi
  until_true "$seconds" is_removed "$1" || fail "$2 was not removed within $seconds s, or is still listed"
}
discard() {
  if never_came "$1"; then until_true "$seconds" is_removed "$1" || fail "$2 ($1) was not removed within $seconds s, or is still listed"; fi
}

if [ "\${1-}" = ${forgetMarks} ]; then
  forget
  exit 0
fi
until_true "$seconds" has_leader || fail 'the swarm has no leader: its quorum is lost'
left=
# Not in a pipe, whose loop would be a process of its own.
while read -r action id name; do
  [ -n "$action" ] || continue
  found=$(listed "$id") || fail "the swarm does not say whether it has $name, so nothing more is done"
  if [ -n "$found" ]; then
    say "$action $name"
    "$action" "$id" "$name" </dev/null
  fi
  [ "$action" != remove ] || left="$left $id"
done <<STEPS
$steps
STEPS
printf '%s\\n' "\${left# }"
`;
