/**
 * What is done on a node that is maintained, as programs for `sh -s`: `prepare` while it still works, `work` when it is drained,
 * `verify` over a new connection afterwards. Each may be run again: what is done is on record on the node. None holds a secret
 * but `verify`, which may hold the swarm's unlock key.
 *
 * The record is one line: the highest number that the node has had, which maintenance was the last, the boot that it is to leave
 * (`-` where it is not to be restarted), and `ok` or what failed.
 */
import { agentPath } from "../host";
import { assignments, boundedDocker, quote, untilTrue } from "../shell";
import { type MaintenanceSettings, tokenOf } from "./plan";

const recordPath = "/var/lib/hcloud-swarm/maintenance";
export function recordOfNewServer(number: number): string {
  return `${number} new - ok\n`;
}

/** What a server that is made with a number in the program is born with: it has nothing to catch up on. */
export function bornWith(number = 0) {
  return number === 0 ? {} : { record: { path: recordPath, text: recordOfNewServer(number) } };
}

export interface NodeProgramPlan extends MaintenanceSettings {
  /** Its server's name, for messages. */
  readonly name: string;
}

function variables(plan: NodeProgramPlan): string {
  return assignments({
    name: plan.name,
    number: String(plan.number),
    token: tokenOf(plan),
    upgrade: plan.upgrade,
    docker_version: plan.dockerVersion ?? "",
    reboot: plan.reboot ? "yes" : "no",
    seconds: String(plan.timeout),
  });
}

const common = `set -eu
record=${recordPath}
log=/var/log/hcloud-swarm-maintenance.log
fail() { printf 'maintenance of %s: %s\\n' "$name" "$*" >&2; exit 1; }
boot_id() { cat /proc/sys/kernel/random/boot_id; }
read_record() {
  done_number=0 done_token='' done_boot='' done_outcome=''
  if [ -r "$record" ]; then read -r done_number done_token done_boot done_outcome <"$record" || :; fi
}
`;

const packages = `
is_raised() { [ "$number" -gt "$done_number" ]; }
apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 \\
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}
# sparing_apt ONLY WORD...: apt, with the option ONLY if there is one, where nothing goes that somebody installed by name. What came
# along may: Debian's Docker 28.5 needs tini-static in the place of 26.1's tini.
sparing_apt() {
  only=$1
  shift
  simulation=$(apt --simulate "$@") || {
    printf '%s\\n' "$simulation"
    return 1
  }
  removed=$(printf '%s\\n' "$simulation" | awk '$1 == "Remv" || $1 == "Purg" { print $2 }')
  if [ -z "$removed" ]; then
    set -- --no-remove "$@"
  else
    # shellcheck disable=SC2086 # a word each
    own=$(apt-mark showmanual $removed) || return 1
    if [ -n "$own" ]; then
      # shellcheck disable=SC2086
      echo "The upgrade would remove these packages, which were installed by name:" $own
      return 1
    fi
  fi
  apt \${only:+"$only"} "$@"
}
# Those of Docker's packages that are installed, whoever made them.
docker_packages() {
  dpkg-query -W -f '\${db:Status-Abbrev} \${Package}\\n' docker.io docker-cli docker-ce docker-ce-cli docker-ce-rootless-extras \\
    docker-buildx-plugin docker-compose-plugin containerd containerd.io runc 2>/dev/null | awk '$1 == "ii" { print $2 }'
}
engine() { docker_packages | grep -Fx -e docker.io -e docker-ce; }
installed() { dpkg-query -W -f '\${Version}' "$1"; }
# is_version VERSION: whether a package of this version is of the Docker that is wanted.
is_version() { case \${1#*:} in "$docker_version" | "$docker_version"[-.+~]*) ;; *) return 1 ;; esac; }
# Debian's packages leave the old programs running, as do others where a policy says so.
is_replaced() {
  case $(readlink "/proc/$(systemctl show --property=MainPID --value "$1" 2>/dev/null)/exe" 2>/dev/null) in
  *' (deleted)') ;;
  *) return 1 ;;
  esac
}
is_stale() { [ -n "$docker_version" ] && [ "$done_token" != "$token" ] && is_replaced docker.service; }
has_version() { [ -z "$docker_version" ] || is_version "$(installed "$(engine)")"; }
# The newest such version that can be had; nothing when there is none.
newest_version() {
  apt-cache madison "$(engine)" | awk -F '|' '{ gsub(/ /, "", $2); print $2 }' | while read -r found; do
    if is_version "$found"; then
      printf '%s\\n' "$found"
      break
    fi
  done
}
wants_docker() { ! has_version || { is_raised && [ "$upgrade" = docker ]; }; }
wants_all() { is_raised && [ "$upgrade" = all ]; }
# bring [--download-only]: the packages to where they are to be; or only fetched.
bring() {
  version=
  if [ -n "$docker_version" ]; then
    version=$(newest_version)
    if [ -z "$version" ]; then
      echo "Docker $docker_version cannot be had: $(engine) $(installed "$(engine)") is installed, and its sources offer no such version"
      return 1
    fi
    if dpkg --compare-versions "$(installed "$(engine)")" gt "$version"; then
      echo "Docker $docker_version is older than what is installed, $(installed "$(engine)"), and is not gone back to"
      return 1
    fi
  fi
  if wants_docker; then
    only=\${1-}
    set -- --only-upgrade install
    for package in $(docker_packages); do
      case $package:$version in
      *:) set -- "$@" "$package" ;;
      docker.io:* | docker-cli:* | docker-ce:* | docker-ce-cli:* | docker-ce-rootless-extras:*) set -- "$@" "$package=$version" ;;
      *) set -- "$@" "$package" ;;
      esac
    done
    sparing_apt "$only" "$@" || return 1
  fi
}
# pin_docker: upgrades of everything else leave Docker at the version that the program names.
pin_docker() {
  file=/etc/apt/preferences.d/hcloud-swarm-docker
  if [ -z "$version" ]; then
    rm -f "$file"
  else
    printf 'Package: docker.io docker-cli docker-ce docker-ce-cli docker-ce-rootless-extras\\nPin: version %s\\nPin-Priority: 990\\n' \\
      "$version" >"$file"
  fi
}
`;

const prepare = `
${boundedDocker}last=$(cat "$record.back" 2>/dev/null || :)
read_record
unfinished=no
if [ -n "$done_token" ] && [ "$done_token" != new ] && [ "$done_token" != "$last" ]; then unfinished=yes; fi
if ! is_raised && has_version && ! is_stale && [ "$unfinished" = no ]; then
  echo nothing
  exit 0
fi
if [ "$unfinished" = no ]; then
  docker info >/dev/null 2>&1 || fail 'Docker does not answer; nothing has been begun on any node'
  ${agentPath} verify --json >/dev/null || fail 'the node is not as its policy says (see above); nothing has been begun on any node'
fi
fetch() {
  apt update && bring --download-only || return 1
  if wants_all; then
    pin_docker
    sparing_apt --download-only dist-upgrade
  fi
}
if wants_docker || wants_all; then
  # In the background, so that it has an end.
  (fetch) >>"$log" 2>&1 &
  fetching=$! end=$(($(date +%s) + seconds))
  while kill -0 "$fetching" 2>/dev/null; do
    if [ "$(date +%s)" -ge "$end" ]; then
      kill "$fetching" 2>/dev/null || :
      fail "its packages could not be fetched within $seconds s; nothing has been begun on any node"
    fi
    sleep 1
  done
  wait "$fetching" || {
    tail -n 15 "$log" >&2
    fail "its packages could not be fetched (see above); nothing has been begun on any node"
  }
fi
echo todo
`;

/** Says `todo`, or `nothing`. It fails before any node was touched, where something is not as it has to be. */
export function prepareProgram(plan: NodeProgramPlan): string {
  return `${variables(plan)}${common}${packages}${prepare}`;
}

const job = `
read_record
upgrade_packages() {
  bring || return 1
  pin_docker
  if wants_all; then sparing_apt '' dist-upgrade; fi
}
outcome=ok
if wants_docker || wants_all; then
  echo "--- maintenance $token, $(date -u)" >>"$log"
  # Once more after a repair, for what was only interrupted.
  upgrade_packages >>"$log" 2>&1 || {
    dpkg --configure -a >>"$log" 2>&1 || :
    upgrade_packages >>"$log" 2>&1 || outcome="the upgrade failed: $(grep -v '^ *$' "$log" | tail -n 1)"
  }
fi
boot=-
if [ "$outcome" = ok ] && is_raised && [ "$reboot" = yes ]; then boot=$(boot_id); fi
if [ "$boot" = - ]; then
  # What does not come up again is told by the verification.
  for unit in containerd.service docker.service; do
    if is_replaced "$unit"; then systemctl restart "$unit" >>"$log" 2>&1 || :; fi
  done
fi
if ! is_raised; then number=$done_number; fi
mkdir -p "$(dirname "$record")"
printf '%s %s %s %s\\n' "$number" "$token" "$boot" "$outcome" >"$record.next"
mv "$record.next" "$record"
`;

const work = `
unit=hcloud-swarm-maintenance
is_running() { case $(systemctl is-active "$unit.service" 2>/dev/null) in active | activating | deactivating) ;; *) return 1 ;; esac; }
read_record
if [ "$done_token" != "$token" ]; then
  # A unit of its own: a connection that is cut, as by an upgrade of sshd, does not leave packages half installed.
  if ! is_running; then
    printf '%s' "$job" >"/run/$unit.sh"
    systemd-run --quiet --collect --unit="$unit" sh "/run/$unit.sh"
  fi
  end=$(($(date +%s) + seconds))
  while is_running; do
    [ "$(date +%s)" -lt "$end" ] || fail "its packages are still being installed after $seconds s, see $log there; deploy again to wait on"
    sleep 1
  done
  read_record
  if [ "$done_token" != "$token" ]; then
    journalctl -q -n 15 --no-pager -u "$unit.service" >&2 || :
    fail 'its maintenance ended without a result, as when the node was powered off meanwhile; deploy again'
  fi
fi
if [ "$done_boot" = "$(boot_id)" ]; then
  # sshd takes no more connections before the restart, or the next step would come too early and be cut off.
  systemd-run --quiet --collect --unit=hcloud-swarm-restart sh -c 'sleep 3; systemctl reboot; sleep 300; systemctl start ssh.service'
  systemctl stop ssh.socket >/dev/null 2>&1 || :
  systemctl stop ssh.service >/dev/null 2>&1 || :
fi
printf '%s\\n' "$done_outcome"
`;

/** Upgrades and restarts; prints `ok`, or what failed. When it ends, a restart that is due has begun. */
export function workProgram(plan: NodeProgramPlan): string {
  const head = variables(plan);
  return `${head}job=${quote(`${head}${common}${packages}${job}`)}\n${common}${work}`;
}

export interface ReturnPlan {
  readonly name: string;
  readonly token: string;
  /** Bound of every single wait, in seconds. */
  readonly waitSeconds: number;
  /** For a manager that locks itself. A secret. */
  readonly unlockKey?: string;
}

const verify = `
${untilTrue}${boundedDocker}read_record
[ "$done_token" = "$token" ] || fail 'it has no record of this maintenance; raise maintenance.number'
has_restarted() { [ "$(boot_id)" != "$done_boot" ]; }
until_true "$seconds" has_restarted || fail "it has not restarted within $seconds s. It stays drained; deploy again when it has"
answers() { docker info >/dev/null 2>&1; }
# Its unit may take for ever to start.
if ! answers; then systemctl start --no-block docker.service >/dev/null 2>&1 || :; fi
until_true "$seconds" answers || {
  journalctl -q -n 15 --no-pager -u docker.service >&2 || :
  fail "Docker does not answer within $seconds s after the restart (see above). The node stays drained; deploy again when it does"
}
state() { docker info --format '{{.Swarm.LocalNodeState}}'; }
if [ "$(state)" = locked ]; then
  [ -n "$unlock_key" ] || fail "it is locked: run 'docker swarm unlock' on it, with the output unlockKey, and deploy again"
  printf '%s\\n' "$unlock_key" | docker swarm unlock >&2 || fail 'it is locked, and could not be unlocked with the output unlockKey'
fi
# A manager must hear of a leader again.
takes_part() {
  [ "$(state)" = active ] || return 1
  manages=$(docker info --format '{{.Swarm.ControlAvailable}}') || return 1
  [ "$manages" != true ] || docker node ls --quiet >/dev/null 2>&1
}
until_true "$seconds" takes_part || fail "its swarm state is '$(state)' after $seconds s. It stays drained; deploy again when it is active"
is_verified() { ${agentPath} verify --json >/dev/null 2>&1; }
until_true "$seconds" is_verified || {
  ${agentPath} verify --json >/dev/null || :
  fail 'after its maintenance it is not as its policy says; the failed checks are above. It stays drained; deploy again when it is'
}
printf '%s\\n' "$token" >"$record.back"
printf '%s\\n' "$done_outcome"
`;

/** Waits for the node and verifies it; prints what `work` printed. A node that fails here must not get tasks. */
export function verifyProgram({ name, token, waitSeconds, unlockKey = "" }: ReturnPlan): string {
  const head = assignments({ name, token, seconds: String(waitSeconds), unlock_key: unlockKey });
  return `${head}${common}${verify}`;
}
