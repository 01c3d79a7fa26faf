/**
 * The nodes' labels in the swarm, as a program for a manager. Which of them are the program's is remembered at the node itself, in
 * a label of its own: what the program no longer says is taken away, and what somebody else has set is let be.
 */
import { quote } from "../shell";
import { swarmShell, updateSeconds } from "./managerShell";
import { founderLabel, serverLabel } from "./survey";

export interface LabelledNode {
  /** Its server's, which is that of its host, or its mark says it. */
  readonly name: string;
  /** Keys and values without white space, quotes and `=`, keys without commas too. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Label of a node that names those of its labels which the program has set, with commas between them. */
const ownLabelsLabel = "hcloud-swarm.labels";

/** The argument with which the program takes away all of its labels; a node that is not there does not matter then. */
export const forgetLabels = "forget";

/** The program for `sh -s`, without any secret: a line a node, in the order of their names. `founder` is what nodes are marked with. */
export function nodeLabelsProgram(nodes: readonly LabelledNode[], waitSeconds: number, founder: string): string {
  const lines = [...nodes].sort((a, b) => (a.name < b.name ? -1 : 1)).map(lineOf);
  return `seconds=${waitSeconds}\nfounder=${quote(founder)}\nwish=${quote(lines.join(""))}\n${script}`;
}

/** At most how long the program waits for so many nodes, in seconds. */
export function nodeLabelsWaitSeconds(waitSeconds: number, nodes: number): number {
  return waitSeconds + nodes * updateSeconds;
}

function lineOf({ name, labels }: LabelledNode): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return `${[name, ...pairs.sort()].join(" ")}\n`;
}

const script = `${swarmShell}
forgets=
if [ "\${1-}" = ${forgetLabels} ]; then forgets=yes; fi
# label_of ID KEY: nothing where there is no such label, else an equals sign and its value.
label_of() { of_node "$1" "{{range \\$key, \\$value := .Spec.Labels}}{{if eq \\$key \\"$2\\"}}={{\\$value}}{{end}}{{end}}"; }
# settle ID NAME PAIRS: one update, or none.
settle() {
  ours=$(label_of "$1" ${ownLabelsLabel})
  ours=\${ours#=}
  keys='' changes='' said=''
  for pair in $3; do
    keys="$keys,\${pair%%=*}"
    value=$(label_of "$1" "\${pair%%=*}")
    if [ "$value" != "=\${pair#*=}" ]; then changes="$changes --label-add $pair" said="$said $pair"; fi
  done
  for key in $(printf '%s' "$ours" | tr ',' ' '); do
    case $keys, in *",$key,"*) continue ;; esac
    value=$(label_of "$1" "$key")
    if [ -n "$value" ]; then changes="$changes --label-rm $key" said="$said no-$key"; fi
  done
  if [ "\${keys#,}" != "$ours" ]; then
    if [ -n "$keys" ]; then changes="$changes --label-add ${ownLabelsLabel}=\${keys#,}"; else changes="$changes --label-rm ${ownLabelsLabel}"; fi
  fi
  [ -n "$changes" ] || return 0
  # Words, of which none is special to the shell.
  # shellcheck disable=SC2086
  update $changes "$1"
  say "labels of $2:$said"
}
until_true "$seconds" has_leader || {
  [ -z "$forgets" ] || { say 'this is no manager of a swarm any more: the labels of the nodes stay'; exit 0; }
  fail 'the swarm has no leader: its quorum is lost'
}
# names_of ID: its host's, and what it is marked with.
names_of() { of_node "$1" '{{.Description.Hostname}} {{with .Spec.Labels}}{{index . "${founderLabel}"}}:{{index . "${serverLabel}"}}{{end}}'; }
# Asked again where Docker does not answer, or a node would count as none of this swarm.
list_members() {
  ids=$(docker node ls --quiet) &&
    members=$(for id in $ids; do names=$(names_of "$id") || exit 1; printf '%s %s\\n' "$id" "$names"; done)
}
until_true "$seconds" list_members || fail 'the swarm does not list its nodes'
# Not in a pipe, whose loop would be a process of its own.
while read -r name pairs; do
  [ -n "$name" ] || continue
  ids=$(printf '%s\\n' "$members" | while read -r id hostname mark; do
    if [ "$hostname" = "$name" ] || [ "$mark" = "$founder:$name" ]; then echo "$id"; fi
  done)
  if [ -n "$forgets" ]; then pairs=; else [ -n "$ids" ] || fail "$name is no node of this swarm, so it gets no labels"; fi
  for id in $ids; do settle "$id" "$name" "$pairs" </dev/null; done
done <<WISH
$wish
WISH
`;
