# Verification: named checks, each with what must be and what is. Exit status, report and what a person reads are one thing.

# check NAME EXPECTED FOUND: passes when both are the same text.
check() {
  result=false
  [ "$2" != "$3" ] || result=true
  printf '%s\t%s\t%s\t%s\n' "$1" "$result" "$(flat "$2")" "$(flat "$3")" >>"$WORK/checks"
}
# One line of printable text, bounded: it goes into a table and into JSON.
flat() { printf '%s' "$1" | tr '\n\t' '; ' | tr -cd '\40-\176' | cut -c 1-600; }

# Where dockerd would find a program: it takes the first one of its own PATH.
flavour() { "$(tool "$1" '')" -V 2>/dev/null | sed -n 's/.*(\(.*\))$/\1/p'; }

unit_state() { systemctl "$1" "$2" 2>/dev/null || :; }

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
  check payload-present present present
  split_bundle "$ETC/payload" "$WORK/stored"
  for family in 4 6; do
    for table in $TABLES; do
      for chain in $(chains_of "$WORK/stored" "$family" "$table"); do
        name=$(echo "$table-$chain-v$family" | tr '[:upper:]' '[:lower:]')
        live "$family" "$table" "$chain" | grep -- '^-A' >"$WORK/is" || :
        rules_of "$WORK/stored" "$family" "$table" "$chain" >"$WORK/must" || :
        check "chain-$name" "$(summary "$WORK/must" "$WORK/must")" "$(summary "$WORK/is" "$WORK/must")"
      done
      grep "^$table " "$WORK/stored/hooks" | while read -r _ chain target; do
        name=$(echo "$chain-$target-v$family" | tr '[:upper:]' '[:lower:]')
        live "$family" "$table" "$chain" >"$WORK/chain"
        count=$(grep -Fxc -- "-A $chain -j $target" "$WORK/chain" || :)
        check "jump-$table-$name" "1 time; first: -A $chain -j $target" \
          "$count time; first: $(grep -m 1 -- '^-A' "$WORK/chain" || echo nothing)"
      done
    done
  done
  awk '$1 == "create" { print $2 }' "$WORK/stored/sets" | while read -r name; do
    awk -v name="$name" '$1 == "add" && $2 == name { print $3 }' "$WORK/stored/sets" | sort >"$WORK/must"
    set_elements "$name" >"$WORK/is"
    check "set-$name" "$(summary "$WORK/must" "$WORK/must")" "$(summary "$WORK/is" "$WORK/must")"
  done
}

# summary FILE MUST: equal files give equal text; for others, the count and the first lines that differ.
summary() {
  if cmp -s "$1" "$2"; then
    echo "$(grep -c '' "$2" || :) lines as in the payload"
  else
    echo "$(grep -c '' "$1" || :) lines; differing: $(diff "$2" "$1" | grep '^[<>]' | head -n 3)"
  fi
}

check_peers_in_force() {
  stored_peers | sort >"$WORK/must"
  { set_elements hc-peers4; set_elements hc-peers6; } | sort >"$WORK/is"
  check peers "$(tr '\n' ' ' <"$WORK/must")" "$(tr '\n' ' ' <"$WORK/is")"
}

check_units() {
  has_systemd || return 0
  check unit-enabled enabled "$(unit_state is-enabled $UNIT)"
  check unit-active active "$(unit_state is-active $UNIT)"
  check timer-active active "$(unit_state is-active hcloud-iptables-check.timer)"
  for other in nftables ufw firewalld netfilter-persistent; do
    state=$(unit_state is-enabled "$other.service")
    # Absent is as good as masked, but for nftables: its stop flushes everything, and iptables brings it back one day.
    case $other:$state in
      nftables:*) check "no-$other" masked "$state" ;;
      *:masked | *:not-found | *:) check "no-$other" 'masked or absent' 'masked or absent' ;;
      *) check "no-$other" 'masked or absent' "$state" ;;
    esac
  done
}

check_docker() {
  has_systemd || return 0
  [ "$(unit_state show --property=LoadState --value docker.service)" != not-found ] || return 0
  systemctl show --property=LoadState docker.service 2>/dev/null | grep -q '=loaded' || return 0
  case " $(systemctl show --property=Requires --value docker.service) " in
    *" $UNIT "*) check docker-requires-firewall yes yes ;;
    *) check docker-requires-firewall yes no ;;
  esac
  case " $(systemctl show --property=After --value docker.service) " in
    *" $UNIT "*) check docker-after-firewall yes yes ;;
    *) check docker-after-firewall yes no ;;
  esac
  check docker-iptables-on '' "$(dangerous_docker_options)"
  check docker-no-tcp-socket '' "$(listeners 2375; listeners 2376)"
}

# What of Docker's configuration would take it out of the firewall's reach.
dangerous_docker_options() {
  {
    if [ -e "$ROOT/etc/docker/daemon.json" ]; then cat "$ROOT/etc/docker/daemon.json"; fi
    systemctl show --property=ExecStart --property=Environment docker.service 2>/dev/null || :
  } | tr -d ' \t"' | grep -Eo \
    '(--)?(iptables|ip6tables)[=:]false|firewall-backend[=:]nftables|allow-direct-routing[=:]?(true)?|nat-unprotected|DOCKER_INSECURE_NO_IPTABLES_RAW=[^ ;]+' || :
}

# listeners PORT: who listens there on TCP.
listeners() { ss -Hltn "sport = :$1" 2>/dev/null || :; }

# Addresses that swarm shows itself with must be private: everything else is dialed by strangers.
check_swarm() {
  command -v docker >/dev/null && has_systemd || return 0
  [ "$(docker info --format '{{.Swarm.LocalNodeState}}' 2>/dev/null)" = active ] || return 0
  address=$(docker info --format '{{.Swarm.NodeAddr}}')
  case $address in
    10.* | 192.168.* | 172.1[6-9].* | 172.2[0-9].* | 172.3[01].* | fd*) check swarm-address-private private private ;;
    *) check swarm-address-private private "$address" ;;
  esac
}

run_checks() {
  : >"$WORK/checks"
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

verify() {
  case ${1-} in '' | --json) ;; *) die 2 "verify does not know $1" ;; esac
  run_checks
  if [ "${1-}" = --json ]; then print_json; else print_text; fi
  ! grep -q "$(printf '\t')false$(printf '\t')" "$WORK/checks"
}

# The timer's and Docker's look: says what drifted and repairs what is ours to repair.
check_and_repair() {
  [ -e "$ETC/payload" ] || die 4 'there is no payload to check against'
  split_bundle "$ETC/payload" "$WORK/check"
  drift=$(differences "$WORK/check")
  [ -n "$drift" ] || return 0
  printf '%s\n' "$drift" | while read -r line; do say "drifted: $line"; done
  load_rules "$WORK/check" || die 4 'the drift could not be repaired'
  stored_peers >"$WORK/peers"
  load_peers "$WORK/peers" || die 4 'the peers could not be repaired'
  drift=$(differences "$WORK/check")
  [ -z "$drift" ] || die 4 "still different after the repair: $drift"
  say repaired
}
