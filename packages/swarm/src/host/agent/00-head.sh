#!/bin/sh
# hcloud-swarm host agent: the packet filter of this host, and the proof that it is in force.
# One file, put together from parts, so that a boot never meets half of it.
# The parts share their variables.
# shellcheck disable=SC2034
set -eu
LC_ALL=C
# Or glibc looks at resolv.conf for each address that ipset reads, which is a fifth of what ten thousand of them cost.
RES_OPTIONS=no-reload
export LC_ALL RES_OPTIONS
# The same order in which dockerd looks for iptables. HC_PATH puts stand-ins in front, in tests.
PATH=${HC_PATH:+$HC_PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

# Every path hangs below HC_ROOT, which is empty but in tests.
ROOT=${HC_ROOT-}
# What is in force: `payload` (the bundle without peers) and `peers`.
ETC=$ROOT/etc/hcloud-iptables
# `previous` payload and the `probation` marker.
VAR=$ROOT/var/lib/hcloud-iptables
RUN=$ROOT/run/hcloud-iptables
SELF=/opt/hcloud-iptables.sh
UNIT=hcloud-iptables.service
ROLLBACK_UNIT=hcloud-iptables-rollback
TABLES='nat raw mangle filter'
BUNDLE_HEAD='### hcloud-swarm payload 1'

# Nobody may be listening any more; that is no reason to stop half-way.
say() { printf 'hcloud-iptables: %s\n' "$*" >&2 2>/dev/null || :; }
# die STATUS TEXT
die() {
  status=$1
  shift
  say "$*"
  exit "$status"
}

make_workspace() {
  if ! { [ -d "$ETC" ] && [ -d "$VAR" ] && [ -d "$RUN" ]; }; then
    mkdir -p "$ETC" "$VAR" "$RUN"
    chmod 700 "$ETC" "$VAR" "$RUN"
  fi
  WORK=$RUN/work.$$
  trap 'rm -rf "$WORK"' EXIT
  # One that is there already is of a process that was killed and had the same number.
  { { [ ! -e "$WORK" ] || rm -rf "$WORK"; } && mkdir -m 700 "$WORK" "$WORK/new" "$WORK/before"; } || die 4 "$RUN is full"
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

# take_lock SECONDS: one change at a time, with room to work; the lock goes with the process.
take_lock() {
  exec 9>"$RUN/lock"
  flock -n 9 || {
    say "another run holds the lock: $1 s at most"
    flock -w "$1" 9
  } || die 4 "it still does"
  # Half of the old rules, or of the new ones, written down on a disk that is full, would be taken for all of them. Ten thousand
  # sources need 4 MB.
  fallocate -l 5000000 "$WORK/room" || die 4 "$RUN is full"
  : >"$WORK/room"
}

# tool FAMILY SUFFIX ARGUMENT...: runs the program of a family, such as `tool 6 -restore -w 30`. By the name that only the
# nf_tables kind has: what `iptables` is can be switched under us (update-alternatives), and our rules would go on in tables that
# nobody looks at.
tool() {
  program=ip${1#4}tables-nft$2
  shift 2
  "$program" "$@"
}

# empty DIRECTORY NAME...: empty files, in a directory that need not be there.
empty() {
  folder=$1
  [ -d "$1" ] || mkdir "$1"
  shift
  # Not with `:`, whose failure would end the shell.
  for name; do true >"$folder/$name" || return 1; done
}

digest_of() {
  sum=$(sha256sum <"$1") || return 1
  echo "${sum%% *}"
}

# Systemd is not there in tests; each use is one function that a test can do without.
has_systemd() { [ -d "$ROOT/run/systemd/system" ] && command -v systemctl >/dev/null; }
