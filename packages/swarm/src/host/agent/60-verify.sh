# shellcheck shell=sh
# Verification: named checks, each with what must be and what is. Exit status, report and what a person reads are one thing.

# check NAME EXPECTED FOUND: passes when both are the same text.
check() {
  result=false
  [ "$2" != "$3" ] || result=true
  printf '%s\t%s\t%s\t%s\n' "$1" "$result" "$(flat "$2")" "$(flat "$3")" >>"$WORK/checks"
}
# One line of printable text, bounded: it goes into a table and into JSON.
flat() { printf '%s' "$1" | tr '\n\t' '; ' | tr -cd '\40-\176' | cut -c 1-600; }

# flavour FAMILY: of the program that dockerd runs, the first one in its own PATH.
flavour() {
  (
    pid=$(unit_property docker.service MainPID)
    if [ "${pid:-0}" -gt 0 ] && [ -r "/proc/$pid/environ" ]; then
      dockerd_path=$(tr '\0' '\n' <"/proc/$pid/environ" | sed -n 's/^PATH=//p')
      PATH=${dockerd_path:-$PATH}
    fi
    "$(tool "$1" '')" -V 2>/dev/null | sed -n 's/.*(\(.*\))$/\1/p'
  )
}

check_backend() {
  for family in 4 6; do
    check "iptables-nft-v$family" nf_tables "$(flavour "$family")"
    names=$ROOT/proc/net/ip_tables_names
    [ "$family" = 4 ] || names=$ROOT/proc/net/ip6_tables_names
    check "no-legacy-rules-v$family" '' "$(cat "$names" 2>/dev/null || :)"
  done
}

check_payload() {
  if [ ! -e "$ETC/payload" ]; then
    check payload-present present missing
    return 0
  fi
  if ! (split_bundle "$ETC/payload" "$WORK/stored"); then
    check payload-present present malformed
    return 0
  fi
  check payload-present present present
  {
    compare_rules "$WORK/stored" 4
    compare_rules "$WORK/stored" 6
    compare_sets "$WORK/stored"
  } | awk -F '\t' -v OFS='\t' '{ gsub(/[^ -~]/, " ", $2); gsub(/[^ -~]/, " ", $3)
      print $1, ($2 == $3 ? "true" : "false"), substr($2, 1, 600), substr($3, 1, 600) }' >>"$WORK/checks"
}

check_peers_in_force() {
  stored_peers | sort >"$WORK/must"
  { set_elements hc-peers4; set_elements hc-peers6; } | sort >"$WORK/is"
  check peers "$(tr '\n' ' ' <"$WORK/must")" "$(tr '\n' ' ' <"$WORK/is")"
}

# One question to systemd for all units and properties; unit_property UNIT PROPERTY reads the answer.
ask_systemd() {
  : >"$WORK/units"
  has_systemd || return 0
  systemctl show --property=Id,LoadState,UnitFileState,ActiveState,MainPID,Requires,After,Environment,ExecStart \
    "$UNIT" hcloud-iptables-check.timer docker.service \
    nftables.service ufw.service firewalld.service netfilter-persistent.service >"$WORK/units" 2>/dev/null || :
}
unit_property() {
  awk -v unit="Id=$1" -v wanted="$2=" '
    function tell(   i) {
      if (here) for (i = 1; i <= n; i++) if (index(line[i], wanted) == 1) print substr(line[i], length(wanted) + 1)
    }
    $0 == "" { tell(); here = n = 0; next }
    { line[++n] = $0; if ($0 == unit) here = 1 }
    END { tell() }' "$WORK/units"
}

check_units() {
  has_systemd || return 0
  check unit-enabled enabled "$(unit_property "$UNIT" UnitFileState)"
  check unit-active active "$(unit_property "$UNIT" ActiveState)"
  check timer-active active "$(unit_property hcloud-iptables-check.timer ActiveState)"
  for other in nftables ufw firewalld netfilter-persistent; do
    state=$(unit_property "$other.service" LoadState)
    # Absent is as good as masked, but for nftables: its stop flushes everything, and iptables brings it back one day.
    case $other:$state in
      nftables:*) check "no-$other" masked "$state" ;;
      *:masked | *:not-found) check "no-$other" 'masked or absent' 'masked or absent' ;;
      *) check "no-$other" 'masked or absent' "$state" ;;
    esac
  done
}

# yes_if_listed WORD LIST
yes_if_listed() { case " $2 " in *" $1 "*) echo yes ;; *) echo no ;; esac; }

check_docker() {
  has_systemd || return 0
  [ "$(unit_property docker.service LoadState)" = loaded ] || return 0
  check docker-requires-firewall yes "$(yes_if_listed "$UNIT" "$(unit_property docker.service Requires)")"
  check docker-after-firewall yes "$(yes_if_listed "$UNIT" "$(unit_property docker.service After)")"
  check docker-iptables-on '' "$(dangerous_docker_options)"
  check docker-no-tcp-socket '' "$(listeners 2375; listeners 2376)"
}

# What of Docker's configuration would take it out of the firewall's reach.
dangerous_docker_options() {
  {
    if [ -e "$ROOT/etc/docker/daemon.json" ]; then cat "$ROOT/etc/docker/daemon.json"; fi
    unit_property docker.service ExecStart
    unit_property docker.service Environment
  } | tr -d ' \t"' | grep -Eo \
    '(--)?(iptables|ip6tables)[=:]false|firewall-backend[=:]nftables|allow-direct-routing[=:]?(true)?|nat-unprotected|DOCKER_INSECURE_NO_IPTABLES_RAW=[^ ;]+' || :
}

# listeners PORT: who listens there on TCP.
listeners() { ss -Hltn "sport = :$1" 2>/dev/null || :; }

# Addresses that swarm shows itself with must be private: everything else is dialed by strangers.
check_swarm() {
  command -v docker >/dev/null && has_systemd || return 0
  swarm=$(docker info --format '{{.Swarm.LocalNodeState}} {{.Swarm.NodeAddr}}' 2>/dev/null) || return 0
  [ "${swarm%% *}" = active ] || return 0
  address=${swarm#* }
  case $address in
    10.* | 192.168.* | 172.1[6-9].* | 172.2[0-9].* | 172.3[01].* | fd*) check swarm-address-private private private ;;
    *) check swarm-address-private private "$address" ;;
  esac
}

run_checks() {
  : >"$WORK/checks"
  forget_live
  ask_systemd
  check_backend
  check_payload
  check_peers_in_force
  check_units
  check_docker
  check_swarm
}

# print_json: the report on one line. Nothing in it needs escaping but quotes and backslashes: flat() took the rest out.
print_json() {
  digest=none
  [ ! -e "$ETC/payload" ] || digest=$(digest_of "$ETC/payload")
  passed=true
  ! grep -q "$(printf '\t')false$(printf '\t')" "$WORK/checks" || passed=false
  printf '{"version":1,"node":"%s","digest":"%s","time":"%s","passed":%s,"checks":[' \
    "$(flat "$(uname -n)")" "$digest" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$passed"
  sed 's/\\/\\\\/g; s/"/\\"/g' "$WORK/checks" | awk -F '\t' '
    { printf "%s{\"name\":\"%s\",\"passed\":%s,\"expected\":\"%s\",\"found\":\"%s\"}", (NR > 1 ? "," : ""), $1, $2, $3, $4 }'
  printf ']}\n'
}

print_text() {
  awk -F '\t' '
    $2 == "true" { passed++; next }
    { failed++; printf "FAILED %s\n  must be: %s\n  is:      %s\n", $1, $3, $4 }
    END {
      printf "%d checks passed, %d failed\n", passed, failed
      if (failed) print "To put the rules back: systemctl reload hcloud-iptables"
    }' "$WORK/checks"
}

failed_checks() { awk -F '\t' '$2 == "false" { print $1 }' "$WORK/checks"; }

# How often to look, and how many seconds apart. Docker takes its jump out of FORWARD and puts it back each time it makes a
# network, as on joining a swarm (the belt in mangle holds meanwhile): what is wrong for a moment is no drift. Drift stays.
# HC_PAUSE is for tests.
LOOKS=4
PAUSE=${HC_PAUSE-2}

verify() {
  case ${1-} in '' | --json) ;; *) die 2 "verify does not know $1" ;; esac
  look=1
  run_checks
  while [ -n "$(failed_checks)" ] && [ "$look" -lt "$LOOKS" ]; do
    say "look $look of $LOOKS: failed: $(failed_checks | tr '\n' ' ')"
    sleep "$PAUSE"
    look=$((look + 1))
    run_checks
  done
  if [ "${1-}" = --json ]; then
    print_json
    # The report is for programs; whoever reads the error learns of the same look what failed.
    [ -z "$(failed_checks)" ] || print_text >&2
  else
    print_text
  fi
  [ -z "$(failed_checks)" ]
}

# The timer's and Docker's look: says what drifted and repairs what is ours to repair.
check_and_repair() {
  [ -e "$ETC/payload" ] || die 4 'there is no payload to check against'
  split_bundle "$ETC/payload" "$WORK/check"
  drift=$(differences "$WORK/check")
  [ -n "$drift" ] || return 0
  printf '%s\n' "$drift" | while read -r line; do say "drifted: $line"; done
  load_or_undo "$WORK/check" || die 4 'the drift could not be repaired'
  if peers_differ; then
    stored_peers >"$WORK/peers"
    load_peers "$WORK/peers" || die 4 'the peers could not be repaired'
  fi
  drift=$(differences "$WORK/check")
  [ -z "$drift" ] || die 4 "still different after the repair: $drift"
  say repaired
}
