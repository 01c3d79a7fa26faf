# Applying, probation, and the way back.

# The rules of a host without a valid payload: SSH open, everything else shut. Loud, for somebody must come and look.
closed_bundle() {
  cat <<'EOF'
### hcloud-swarm payload 1
### hooks
mangle FORWARD HC-BELT
filter INPUT HC-IN
filter FORWARD DOCKER-USER
filter DOCKER-USER HC-FWD
### sets
### iptables
*mangle
:HC-BELT - [0:0]
-A HC-BELT -m conntrack --ctstate ESTABLISHED -j RETURN
-A HC-BELT -j DROP
COMMIT
*filter
:HC-IN - [0:0]
:HC-FWD - [0:0]
-A HC-IN -i lo -j RETURN
-A HC-IN -m conntrack --ctstate ESTABLISHED -j RETURN
-A HC-IN -p tcp -m tcp --dport 22 -j RETURN
-A HC-IN -p udp -m udp --sport 67 --dport 68 -j RETURN
-A HC-IN -j DROP
-A HC-FWD -m conntrack --ctstate ESTABLISHED -j RETURN
-A HC-FWD -j DROP
COMMIT
### ip6tables
*mangle
:HC-BELT - [0:0]
-A HC-BELT -m conntrack --ctstate ESTABLISHED -j RETURN
-A HC-BELT -j DROP
COMMIT
*filter
:HC-IN - [0:0]
:HC-FWD - [0:0]
-A HC-IN -i lo -j RETURN
-A HC-IN -m conntrack --ctstate ESTABLISHED -j RETURN
-A HC-IN -p ipv6-icmp -j RETURN
-A HC-IN -p tcp -m tcp --dport 22 -j RETURN
-A HC-IN -p udp -m udp --sport 547 --dport 546 -j RETURN
-A HC-IN -j DROP
-A HC-FWD -m conntrack --ctstate ESTABLISHED -j RETURN
-A HC-FWD -j DROP
COMMIT
### end
EOF
}

# load_file BUNDLE NAME: takes it apart under that name and loads it.
load_file() {
  split_bundle "$1" "$WORK/$2"
  load_rules "$WORK/$2"
}

# put FILE TARGET: as a whole or not at all, also when the disk is full.
put() {
  if cp "$1" "$2.new" && mv "$2.new" "$2"; then return 0; fi
  rm -f "$2.new"
  return 1
}

# What is in force comes back: the stored payload, or the closed rules where there is none.
restore_current() {
  if [ -e "$ETC/payload" ]; then
    (load_file "$ETC/payload" current) && return 0
  fi
  say 'NO VALID PAYLOAD: SSH stays open, everything else is shut'
  closed_bundle >"$WORK/closed-bundle"
  load_file "$WORK/closed-bundle" closed
}

# The flows of ports that the new payload no longer opens at all; established ones would outlive the rule otherwise.
# opened DIRECTORY: `PROTOCOL PORT` of each single published port.
opened() {
  cat "$1/4" "$1/6" | sed -n 's/^-A HC-[A-Z]* .*-p \([a-z]*\) .*--ctorigdstport \([0-9]*\) .*-j RETURN$/\1 \2/p' | sort -u
}
end_refused_flows() {
  command -v conntrack >/dev/null || return 0
  opened "$1" >"$WORK/opened.old"
  opened "$2" >"$WORK/opened.new"
  comm -23 "$WORK/opened.old" "$WORK/opened.new" | while read -r protocol port; do
    for family in ipv4 ipv6; do
      conntrack -D -f "$family" -p "$protocol" --orig-port-dst "$port" >/dev/null 2>&1 || :
    done
  done
}

apply() {
  probation=0
  if [ "${1-}" = --probation ]; then
    probation=${2-}
    case $probation in '' | *[!0-9]*) die 2 '--probation wants seconds' ;; esac
  elif [ $# -gt 0 ]; then
    die 2 "apply does not know $1"
  fi
  cat >"$WORK/bundle"
  split_bundle "$WORK/bundle" "$WORK/new"
  if [ -e "$WORK/new/peers" ]; then
    sort -u "$WORK/new/peers" >"$WORK/peers"
    load_peers "$WORK/peers" || die 4 'the peers could not be loaded'
    put "$WORK/peers" "$ETC/peers" || die 4 'the peers could not be stored'
  fi
  if [ ! -e "$WORK/new/payload" ]; then
    say 'peers applied'
    return 0
  fi
  if [ -e "$ETC/payload" ] && cmp -s "$WORK/new/payload" "$ETC/payload"; then
    if [ -z "$(differences "$WORK/new")" ]; then
      say 'unchanged'
      return 0
    fi
    say 'the live rules had drifted'
  fi
  load_rules "$WORK/new" || {
    status=$?
    # The first half of a failed load must not stay.
    restore_current || say 'AND THE OLD RULES COULD NOT BE PUT BACK'
    die "$status" 'nothing changed: the payload could not be loaded'
  }
  if [ -e "$ETC/payload" ] && ! cmp -s "$WORK/new/payload" "$ETC/payload"; then
    # On probation twice in a row, the way back still leads to what was confirmed last.
    [ -e "$VAR/probation" ] || put "$ETC/payload" "$VAR/previous" || undo 'the old payload could not be kept'
    split_bundle "$ETC/payload" "$WORK/old"
    start_probation "$probation"
    put "$WORK/new/payload" "$ETC/payload" || undo 'the payload could not be stored'
    end_refused_flows "$WORK/old" "$WORK/new"
  else
    put "$WORK/new/payload" "$ETC/payload" || undo 'the payload could not be stored'
  fi
  say "applied $(digest_of "$ETC/payload")"
}

undo() {
  restore_current || say 'AND THE OLD RULES COULD NOT BE PUT BACK'
  stop_probation
  die 4 "nothing changed: $1"
}

start_probation() {
  [ "$1" -gt 0 ] || return 0
  digest_of "$WORK/new/payload" >"$VAR/probation"
  stop_rollback_timer
  if has_systemd; then
    systemd-run --quiet --on-active="$1" --timer-property=AccuracySec=1s --unit="$ROLLBACK_UNIT" "$SELF" rollback ||
      undo 'the timer of the probation could not be started'
  fi
  say "on probation: rolled back in $1 s unless confirmed"
}

stop_rollback_timer() {
  has_systemd || return 0
  systemctl stop "$ROLLBACK_UNIT.timer" 2>/dev/null || :
  systemctl reset-failed "$ROLLBACK_UNIT.service" 2>/dev/null || :
}

stop_probation() {
  rm -f "$VAR/probation" "$VAR/previous"
  stop_rollback_timer
}

confirm() {
  [ $# = 1 ] || die 2 'confirm wants the digest of the payload'
  [ -e "$ETC/payload" ] || die 4 'there is no payload to confirm'
  now=$(digest_of "$ETC/payload")
  [ "$now" = "$1" ] || die 4 "the payload in force is $now, not $1: it was rolled back, or another one was applied since"
  stop_probation
  say "confirmed $now"
}

rollback() {
  if [ ! -e "$VAR/previous" ]; then
    say 'nothing to roll back to'
    return 0
  fi
  put "$VAR/previous" "$ETC/payload" || die 4 'the previous payload could not be stored'
  restore_current || die 4 'the previous payload could not be loaded'
  rm -f "$VAR/probation" "$VAR/previous"
  say "rolled back to $(digest_of "$ETC/payload")"
}

# Before network and Docker. A payload on probation has not been confirmed: the one before it is loaded.
boot() {
  if [ -e "$VAR/probation" ] && [ -e "$VAR/previous" ]; then
    say 'booted while on probation: back to the previous payload'
    put "$VAR/previous" "$ETC/payload" || :
    rm -f "$VAR/probation" "$VAR/previous"
  fi
  restore_current || die 4 'no rules could be loaded'
  stored_peers >"$WORK/peers"
  load_peers "$WORK/peers" || say 'the peers could not be loaded: the swarm cannot reach this node'
}
