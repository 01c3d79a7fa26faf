/**
 * What a manager does for a node that is maintained, as programs for `sh -s`, without any secret: it drains the node and puts it
 * back to work. Two labels of the node in its swarm say how it stands: `hcloud-swarm.away` what it was before it was drained,
 * `hcloud-swarm.maintained` which maintenance was the last. A node that somebody else has drained stays so.
 */
import { swarmShell, taskShell } from "../membership/managerShell";
import { assignments } from "../shell";

export const awayLabel = "hcloud-swarm.away";
export const maintainedLabel = "hcloud-swarm.maintained";

interface AnyPlan {
  /** Of the node in its swarm. */
  readonly id: string;
  /** Its server's name, for messages. */
  readonly name: string;
  readonly token: string;
  /** For a swarm's own answer, in seconds. */
  readonly waitSeconds: number;
}
export interface DrainPlan extends AnyPlan {
  /** For the tasks to run elsewhere, in seconds; after it the maintenance goes on all the same. */
  readonly drainSeconds: number;
}
export interface ActivatePlan extends AnyPlan {
  /** `ok`, or what failed on the node. */
  readonly outcome: string;
}

function program(values: Record<string, string>, script: string): string {
  return `${assignments(values)}${swarmShell}${script}`;
}

const shared = `
state_of() { of_node "$1" '{{.Status.State}}'; }
availability_of() { of_node "$1" '{{.Spec.Availability}}'; }
until_true "$seconds" has_leader || fail 'the swarm has no leader: its quorum is lost'
found=$(listed "$id")
[ -n "$found" ] || fail "$node is no node of this swarm"
`;

const drain = `${taskShell}${shared}
maintained=$(label "$id" ${maintainedLabel})
if [ "$maintained" = "$token" ]; then
  say "$node has had maintenance $token"
  exit 0
fi
members=$(docker node ls --quiet)
for other in $members; do
  [ "$other" != "$id" ] || continue
  away=$(label "$other" ${awayLabel})
  if [ -n "$away" ]; then
    fail "$(of_node "$other" '{{.Description.Hostname}}') is away for maintenance, and one node goes at a time. When it is as it has to be:" \\
      "docker node update --availability active --label-rm ${awayLabel} $other"
  fi
done
# A leader that was elected just now has not heard of everybody yet.
is_ready() { [ "$(state_of "$id")" = ready ]; }
until_true "$seconds" is_ready || fail "$node is $(state_of "$id"), so it cannot be maintained: repair it, or raise its 'replacement'"
bears_absence() {
  yes=0 all=0
  managers=$(docker node ls --quiet --filter role=manager) || return 1
  for manager in $managers; do
    all=$((all + 1))
    if answers "$manager"; then yes=$((yes + 1)); fi
  done
  [ "$all" -le 1 ] || [ $((2 * (yes - 1))) -gt "$all" ]
}
role=$(role_of "$id")
if [ "$role" = manager ]; then
  until_true "$seconds" bears_absence ||
    fail "without $node only $((yes - 1)) of $all managers would answer, and the swarm would lose its quorum. Nothing has been done to it;" \\
      'repair or replace the silent managers first'
fi
availability=$(availability_of "$id")
away=$(label "$id" ${awayLabel})
if [ "$availability" = drain ] && [ -z "$away" ]; then
  say "$node is drained already, and stays so"
  exit 0
fi
others=0
for other in $members; do
  [ "$other" != "$id" ] || continue
  condition=$(of_node "$other" '{{.Status.State}} {{.Spec.Availability}}')
  if [ "$condition" = 'ready active' ]; then others=$((others + 1)); fi
done
if [ "$others" -eq 0 ]; then
  say "$node is not drained: there is no other node for its tasks, they are away meanwhile"
  exit 0
fi
lacking=$(wanting) || :
[ -n "$lacking" ] || lacking='-'
update --availability drain --label-add "${awayLabel}=\${away:-$availability}" "$id"
until_true "$drain_seconds" have_moved "$id" || {
  say "$node: its tasks have not all come up elsewhere within $drain_seconds s; it is maintained all the same. Services that lack tasks:" $(wanting)
}
`;

/** Nothing of the node is changed where the swarm would not bear its absence. */
export function drainProgram({ id, name, token, waitSeconds, drainSeconds }: DrainPlan): string {
  const values = { id, node: name, token, seconds: String(waitSeconds), drain_seconds: String(drainSeconds) };
  return program(values, drain);
}

const activate = `${shared}
is_back() {
  role=$(role_of "$id") || return 1
  if [ "$role" = manager ]; then answers "$id"; else [ "$(state_of "$id")" = ready ]; fi
}
until_true "$seconds" is_back || fail "$node is up, and the swarm does not see it after $seconds s. It stays drained; deploy again when it does"
away=$(label "$id" ${awayLabel})
if [ -n "$away" ]; then
  update --availability "$away" --label-rm ${awayLabel} --label-add "${maintainedLabel}=$token" "$id"
else
  update --label-add "${maintainedLabel}=$token" "$id"
fi
say "$node is back, $(availability_of "$id")"
[ "$outcome" = ok ] ||
  fail "$node is back as it was, and verified, but $outcome (/var/log/hcloud-swarm-maintenance.log there). The nodes after it were not" \\
    'touched. Put it right and raise maintenance.number'
`;

/** Also after work that failed: the node is verified by then. It fails afterwards, so that the next node is not begun. */
export function activateProgram({ id, name, token, waitSeconds, outcome }: ActivatePlan): string {
  return program({ id, node: name, token, outcome, seconds: String(waitSeconds) }, activate);
}
