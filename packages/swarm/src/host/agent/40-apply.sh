# shellcheck shell=sh
# Applying, probation, and the way back.

# The rules of a host without a valid payload: SSH open, everything else shut. Loud, for somebody must come and look.
closed_bundle() { closed_text | awk -v ports="$(sshd_ports)" '
  / --dport 22 / { n = split(ports, port, " "); for (i = 1; i <= n; i++) { line = $0; sub(/22/, port[i], line); print line }; next }
  { print }'
}
# The ports that sshd is told to listen on.
sshd_ports() {
  ports=$(cat "$ROOT"/etc/ssh/sshd_config.d/*.conf "$ROOT/etc/ssh/sshd_config" 2>/dev/null |
    awk 'tolower($1) == "port" && $2 ~ /^[0-9]+$/ && !seen[$2]++ { print $2 }')
  echo "${ports:-22}"
}
closed_text() {
  cat <<'EOF'
### hcloud-swarm payload 1
### hooks
mangle INPUT HC-BELTIN
mangle FORWARD HC-BELT
filter INPUT HC-IN
filter FORWARD DOCKER-USER
filter DOCKER-USER HC-FWD
### sets
### iptables
*mangle
:HC-BELTIN - [0:0]
:HC-BELT - [0:0]
-A HC-BELTIN -i lo -j RETURN
-A HC-BELTIN -m conntrack --ctstate ESTABLISHED -j RETURN
-A HC-BELTIN -p tcp -m tcp --dport 22 -j RETURN
-A HC-BELTIN -p udp -m udp --sport 67 --dport 68 -j RETURN
-A HC-BELTIN -j DROP
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
:HC-BELTIN - [0:0]
:HC-BELT - [0:0]
-A HC-BELTIN -i lo -j RETURN
-A HC-BELTIN -m conntrack --ctstate ESTABLISHED -j RETURN
-A HC-BELTIN -p ipv6-icmp -j RETURN
-A HC-BELTIN -p tcp -m tcp --dport 22 -j RETURN
-A HC-BELTIN -p udp -m udp --sport 547 --dport 546 -j RETURN
-A HC-BELTIN -j DROP
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
  if dd if="$1" of="$2.new" bs=1M conv=fsync status=none && mv "$2.new" "$2"; then return 0; fi
  rm -f "$2.new"
  return 1
}

# Whether rules of ours are there in both families, which they are where they cannot be read.
is_in_force() {
  for v in 4 6; do
    snapshot "$v"
    case "$(unreadable "$v") " in *' filter '*) continue ;; esac
    { grep -q '^-A INPUT -j HC-IN$' "$WORK/live.$v" && grep -q '^-A HC-IN -j DROP$' "$WORK/live.$v"; } || return 1
  done
}

# load_stored: the stored payload, or, where there is none that can be loaded, what keeps strangers out: the rules that are in
# force, and on a host without any the closed ones.
load_stored() {
  if [ -e "$ETC/payload" ]; then
    (load_file "$ETC/payload" current) && { forget_live; return 0; }
    forget_live
  fi
  if is_in_force; then
    say 'NO VALID PAYLOAD: the rules in force stay as they are'
    return 4
  fi
  say 'NO VALID PAYLOAD: SSH stays open, everything else is shut'
  closed_bundle >"$WORK/closed-bundle"
  load_file "$WORK/closed-bundle" closed
}

# load_or_undo DIRECTORY: on any failure what was there before is put back: our chains, jumps and sets.
load_or_undo() {
  save_live "$WORK/before" || return 3
  loading=0
  load_rules "$1" || loading=$?
  [ "$loading" -ne 0 ] || return 0
  if [ "$loading" -eq 3 ]; then
    if plan_sets "$WORK/before"; then drop_sets; fi
  else
    load_rules "$WORK/before" || say 'AND THE OLD RULES COULD NOT BE PUT BACK'
  fi
  return "$loading"
}

apply() {
  probation=0
  keep=
  keep_live=
  while [ $# -gt 0 ]; do
    case $1 in
      --probation)
        probation=${2-}
        case $probation in '' | *[!0-9]*) die 2 '--probation wants seconds' ;; esac
        shift
        ;;
      --keep-swarm) keep=yes ;;
      --keep-live-peers) keep_live=yes ;;
      *) die 2 "apply does not know $1" ;;
    esac
    shift
  done
  split_bundle - "$WORK/new"
  [ -z "$keep" ] || keep_swarm "$WORK/new"
  # A lost connection must not leave half of it.
  trap '' HUP INT TERM PIPE
  # A swarm that runs already would lose what its nodes send each other between the first rules and their peers.
  early=
  if [ -e "$WORK/new/peers" ] && [ ! -e "$ETC/payload" ]; then
    apply_peers
    early=yes
  fi
  if [ -e "$WORK/new/payload" ]; then apply_payload "$probation"; fi
  if [ -e "$WORK/new/peers" ] && [ -z "$early" ]; then apply_peers; fi
}

apply_peers() {
  sort -u "$WORK/new/peers" >"$WORK/wanted"
  put "$WORK/wanted" "$ETC/peers-wanted" || die 4 'the peers could not be stored'
  cp "$WORK/wanted" "$WORK/peers"
  if [ -n "$keep_live" ]; then add_live_peers; fi
  use_peers
}

# A node that is about to leave the swarm must be reached until it has. One that the swarm does not know is let go at once.
add_live_peers() {
  if ! live_swarm_peers >"$WORK/live"; then stored_peers >"$WORK/live"; fi
  stored_peers | grep -Fxf "$WORK/live" | sort -u - "$WORK/wanted" >"$WORK/peers" || :
}

# settle: no peers but those that were asked for last.
settle() {
  [ -e "$ETC/peers-wanted" ] || return 0
  cp "$ETC/peers-wanted" "$WORK/peers"
  use_peers
}

# use_peers: those in the workspace come into force.
use_peers() {
  gone=$(stored_peers | grep -Fvxf "$WORK/peers" || :)
  put "$WORK/peers" "$ETC/peers" || die 4 'the peers could not be stored'
  peers_differ || return 0
  load_peers "$ETC/peers" || die 4 'the peers could not be loaded'
  # Who is no peer any more has no connection to the swarm's ports either.
  if [ -n "$gone" ] && [ -e "$ETC/payload" ] && (split_bundle "$ETC/payload" "$WORK/in-force"); then
    end_refused_flows "$WORK/in-force" "${SSH_CONNECTION-}"
  fi
  say 'peers applied'
}

apply_payload() {
  if [ -e "$ETC/payload" ] && cmp -s "$WORK/new/payload" "$ETC/payload"; then
    # Sent again while it waits for its confirmation: the full time once more.
    if [ -e "$VAR/probation" ] && [ "$1" -gt 0 ]; then arm_rollback "$1" || die 4 'the timer of the probation could not be started'; fi
    drift=$(differences "$WORK/new" | grep -v '^peers:' || :)
    if [ -n "$drift" ]; then
      say 'the live rules had drifted'
      load_or_undo "$WORK/new" || die $? 'nothing changed: the payload could not be loaded'
    else
      say unchanged
    fi
    # Without probation it waits no longer, and its flows are ended as by confirm.
    if [ -e "$VAR/probation" ] && [ "$1" -eq 0 ]; then
      stop_probation
      drift=ended
    fi
    [ -z "$drift" ] || end_refused_flows "$WORK/new" "${SSH_CONNECTION-}"
    return 0
  fi
  begin_probation "$1"
  load_or_undo "$WORK/new" || {
    status=$?
    abandon_probation
    die "$status" 'nothing changed: the payload could not be loaded'
  }
  put "$WORK/new/payload" "$ETC/payload" || {
    load_rules "$WORK/before" || say 'AND THE OLD RULES COULD NOT BE PUT BACK'
    abandon_probation
    die 4 'nothing changed: the payload could not be stored'
  }
  [ "$1" -gt 0 ] || stop_probation
  end_refused_flows "$WORK/new" "${SSH_CONNECTION-}"
  say "applied $(digest_of "$ETC/payload")"
}

# begin_probation SECONDS: the way back is ready, and its timer runs, before the first rule changes.
begin_probation() {
  [ "$1" -gt 0 ] || return 0
  # On probation twice in a row, the way back still leads to what was confirmed last.
  if [ -e "$VAR/probation" ]; then
    cp "$VAR/probation" "$WORK/marker"
  else
    # An empty one: there were no rules of ours.
    if [ -e "$ETC/payload" ]; then cp "$ETC/payload" "$WORK/previous"; else : >"$WORK/previous"; fi
    put "$WORK/previous" "$VAR/previous" || die 4 'nothing changed: the old payload could not be kept'
  fi
  digest_of "$WORK/new/payload" >"$WORK/digest"
  if put "$WORK/digest" "$VAR/probation" && arm_rollback "$1"; then
    say "on probation: rolled back in $1 s unless confirmed"
    return 0
  fi
  abandon_probation
  die 4 'nothing changed: the timer of the probation could not be started'
}

# abandon_probation: the payload did not come into force; one that was on probation before it still is.
abandon_probation() {
  [ "$probation" -gt 0 ] || return 0
  if [ ! -e "$WORK/marker" ]; then
    stop_probation
  elif ! { put "$WORK/marker" "$VAR/probation" && arm_rollback "$probation"; }; then
    say 'the payload on probation is no longer timed: confirm it or roll it back by hand'
  fi
}

# arm_rollback SECONDS: the timer names the payload that it is for, so a late one hits no other.
arm_rollback() {
  stop_rollback_timer
  has_systemd || return 0
  systemd-run --quiet --on-active="$1" --timer-property=AccuracySec=1s --unit="$ROLLBACK_UNIT" \
    "$SELF" rollback --unconfirmed "$(cat "$VAR/probation")" >&2
}

stop_rollback_timer() {
  has_systemd || return 0
  systemctl stop "$ROLLBACK_UNIT.timer" 2>/dev/null || :
  systemctl reset-failed "$ROLLBACK_UNIT.service" 2>/dev/null || :
}

stop_probation() {
  [ -e "$VAR/probation" ] || [ -e "$VAR/previous" ] || return 0
  rm -f "$VAR/probation" "$VAR/previous"
  stop_rollback_timer
}

confirm() {
  [ $# = 1 ] || die 2 'confirm wants the digest of the payload'
  [ -e "$ETC/payload" ] || die 4 'there is no payload to confirm'
  now=$(digest_of "$ETC/payload")
  [ "$now" = "$1" ] || die 4 "the payload in force is $now, not $1: it was rolled back, or another one was applied since"
  if [ -e "$VAR/probation" ]; then
    # Also the connection that brought the payload, which was spared until now.
    (split_bundle "$ETC/payload" "$WORK/new" && end_refused_flows "$WORK/new" '') || :
  fi
  stop_probation
  say "confirmed $now"
}

# rollback [--unconfirmed DIGEST]: with a digest only when that payload still waits for its confirmation.
rollback() {
  if [ "${1-}" = --unconfirmed ] && [ "$(cat "$VAR/probation" 2>/dev/null)" != "${2-}" ]; then
    say 'confirmed or replaced meanwhile: nothing to roll back'
    return 0
  fi
  if [ ! -e "$VAR/previous" ]; then
    say 'nothing to roll back to'
    return 0
  fi
  trap '' HUP INT TERM PIPE
  if [ ! -s "$VAR/previous" ]; then
    unload
    rm -f "$ETC/payload"
    stop_probation
    say 'rolled back to no rules at all, as before the first payload'
    return 0
  fi
  put "$VAR/previous" "$ETC/payload" || die 4 'the previous payload could not be stored'
  load_stored || die 4 'the previous payload could not be loaded'
  stop_probation
  if [ -e "$WORK/current/4" ]; then end_refused_flows "$WORK/current" ''; fi
  say "rolled back to $(digest_of "$ETC/payload")"
}

# Before network and Docker. A payload on probation has not been confirmed: the one before it is loaded.
boot() {
  trap '' HUP INT TERM PIPE
  if [ -e "$VAR/probation" ] && [ -s "$VAR/previous" ]; then
    say 'booted while on probation: back to the previous payload'
    if put "$VAR/previous" "$ETC/payload"; then stop_probation; fi
  fi
  load_stored || die 4 'the stored payload could not be loaded'
  stored_peers >"$WORK/peers"
  if peers_differ; then
    load_peers "$WORK/peers" || say 'the peers could not be loaded: the swarm cannot reach this node'
  fi
}
