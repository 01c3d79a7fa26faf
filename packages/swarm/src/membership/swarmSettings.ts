/** What holds for a whole swarm: how often its join tokens were rotated, and whether its managers lock themselves. */
import { quote } from "../shell";

export interface SwarmWideSettings {
  /** How often both join tokens have been rotated. */
  readonly joinTokenRotation: number;
  /** Managers keep their keys encrypted and need the unlock key after each start of Docker. Absent: as the swarm has it. */
  readonly autolock?: boolean | undefined;
}

/** Swarm label that says which rotation of the join tokens was the last. */
export const rotationLabel = "hcloud-swarm.join-token-rotation";

/**
 * A function `settle_swarm` for a manager of a swarm that has a leader; several managers may run it at a time. One request of
 * the Engine API rotates both tokens, sets the lock and remembers the rotation in the swarm's labels; it names the version of
 * the swarm's settings that it was made from, so of several managers one gets through, and the others find it done. Function
 * `unlock_key` prints the key that a locked manager needs, nothing where managers do not lock themselves.
 */
export function swarmSettingsProgram({ joinTokenRotation, autolock }: SwarmWideSettings): string {
  return `token_rotation=${quote(String(joinTokenRotation))}
autolock=${quote(autolock === undefined ? "" : String(autolock))}
${settleSwarm}`;
}

/** What the request takes over as it is: the Engine takes the whole of it, and sets to its default what is left out. */
const keptParts = ["Orchestration", "Raft", "Dispatcher", "CAConfig", "TaskDefaults"];
/** A template of Docker's, with the shell's `$number` and `$lock` in it. */
const specTemplate = [
  `'{"Name":{{json .Name}},"Labels":{{"{"}}{{range $name, $value := .Labels}}{{if ne $name "${rotationLabel}"}}`,
  `{{json $name}}:{{json $value}},{{end}}{{end}}"${rotationLabel}":"'"$number"'"},`,
  ...keptParts.map((part) => `"${part}":{{json .${part}}},`),
  `"EncryptionConfig":{"AutoLockManagers":'"$lock"'}}'`,
].join("");

const settleSwarm = `swarm_spec() { docker info --format "{{with .Swarm.Cluster.Spec}}$1{{end}}"; }
locks_itself() { swarm_spec '{{.EncryptionConfig.AutoLockManagers}}'; }
# A smaller number than before is no reason to rotate, and is not remembered.
is_rotated() {
  last=$(swarm_spec '{{with .Labels}}{{with index . "${rotationLabel}"}}{{.}}{{end}}{{end}}') || return 1
  [ "\${last:-0}" -ge "$token_rotation" ]
}
is_settled() {
  is_rotated || return 1
  [ -z "$autolock" ] || [ "$(locks_itself)" = "$autolock" ]
}
update_swarm() {
  # The version first: what changes after it makes the request fail.
  version=$(docker info --format '{{.Swarm.Cluster.Version.Index}}') && lock=$(locks_itself) || return 1
  lock=\${autolock:-$lock}
  rotate='' number=\${last:-0}
  if ! is_rotated; then rotate='&rotateWorkerToken=true&rotateManagerToken=true' number=$token_rotation; fi
  # It holds no secret. The names with a dollar are the template's.
  # shellcheck disable=SC2016
  swarm_spec ${specTemplate} |
    curl -sS --max-time 60 --unix-socket /var/run/docker.sock -X POST -H 'Content-Type: application/json' \\
      --data-binary @- "http://localhost/swarm/update?version=$version$rotate" 2>&1
}
settle_swarm() {
  tries=10 refusal='' settle_end=$(($(date +%s) + 60))
  until is_settled; do
    { [ "$tries" -gt 0 ] && [ "$(date +%s)" -lt "$settle_end" ]; } || { printf 'swarm: its settings could not be changed: %s\\n' "$refusal" >&2; return 1; }
    [ "$tries" -eq 10 ] || sleep 1
    tries=$((tries - 1))
    refusal=$(update_swarm) || :
  done
}
unlock_key() {
  locks=$(locks_itself) || return 1
  [ "$locks" != true ] || docker swarm unlock-key --quiet
}
`;
