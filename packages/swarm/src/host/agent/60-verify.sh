# shellcheck shell=sh
# Verification: named checks, each with what must be and what is. Exit status, report and what a person reads are one thing.
# Facts are gathered first, by few programs, and judged afterwards: programs that start are what costs on a small machine.

# gather_facts: everything that the checks look at, as files in $WORK.
gather_facts() {
  forget_live
  snapshot 4
  snapshot 6
  snapshot_sets || :
  empty "$WORK" kernel units listeners info networks cmdline environ
  eval "$LIST_KERNEL" >"$WORK/kernel" 2>/dev/null
  ss -Hltunp >"$WORK/listeners" 2>/dev/null || :
  pid=0
  has_systemd || return 0
  # shellcheck disable=SC2086
  systemctl show --property="$ASKED_PROPERTIES" $ASKED_UNITS >"$WORK/units" 2>/dev/null || :
  while IFS='=' read -r key value; do
    case $key in
      # Docker alone has a main process here that matters.
      MainPID) [ "$value" = 0 ] || [ ! -r "$ROOT/proc/$value/cmdline" ] || pid=$value ;;
    esac
  done <"$WORK/units"
  [ "$pid" -gt 0 ] || return 0
  tr '\0' '\n' <"$ROOT/proc/$pid/cmdline" >"$WORK/cmdline" 2>/dev/null || :
  tr '\0' '\n' <"$ROOT/proc/$pid/environ" >"$WORK/environ" 2>/dev/null || :
  curl -sS --fail-early --max-time 20 --unix-socket "$ROOT/var/run/docker.sock" \
    -o "$WORK/info" http://localhost/info -o "$WORK/networks" http://localhost/networks 2>/dev/null || :
}
# Others that load or flush rules; units without a type are services.
STRANGERS='nftables ufw firewalld netfilter-persistent ferm shorewall shorewall6'
ASKED_UNITS="docker docker.socket $UNIT hcloud-iptables-check hcloud-iptables-check.timer $STRANGERS"
ASKED_PROPERTIES=Id,LoadState,UnitFileState,ActiveState,MainPID,Requires,Before,After,Environment,ExecStart,ExecStartPost,DropInPaths,NeedDaemonReload,Listen

# One fact a line, for `check` lines of the shell's own: NAME, what must be, what is.
check() { printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$WORK/facts"; }

# The programs that dockerd runs, the first ones in its own PATH.
check_backend() {
  dockerd_path=
  while IFS= read -r line; do
    case $line in PATH=*) dockerd_path=${line#PATH=} ;; esac
  done <"$WORK/environ"
  # IPv4 comes last: its flavour matters below.
  for family in 6 4; do
    flavour=$(PATH=${dockerd_path:-$PATH} "ip${family#4}tables" -V 2>/dev/null || :)
    flavour=${flavour##*\(}
    flavour=${flavour%)}
    check "iptables-nft-v$family" nf_tables "$flavour"
    names=$ROOT/proc/net/ip${family#4}_tables_names
    legacy=
    if [ -r "$names" ]; then while read -r line; do legacy="$legacy$line "; done <"$names"; fi
    check "no-legacy-rules-v$family" '' "${legacy% }"
    hidden=$(unreadable "$family")
    check "no-unreadable-tables-v$family" '' "${hidden# }"
  done
  [ "$pid" -gt 0 ] || return 0
  # It must see the chain that our own iptables sees, and keep its rules there. The legacy one is not asked: it would make the
  # table that it is asked about, which stays until the next boot.
  own=no
  if [ "$flavour" = nf_tables ] && grep -q '^:DOCKER ' "$WORK/live.4" &&
    PATH=${dockerd_path:-$PATH} iptables -t nat -S DOCKER >/dev/null 2>&1; then own=yes; fi
  check docker-chains-in-force yes "$own"
}

check_payload() {
  if [ ! -e "$ETC/payload" ]; then
    check payload-present present missing
    return 0
  fi
  if ! (split_bundle "$ETC/payload" "$WORK/stored" 2>/dev/null); then
    check payload-present present malformed
    return 0
  fi
  check payload-present present present
  if reference "$WORK/stored"; then
    compare "$REFERENCE" >"$WORK/compared"
    # Kept from before iptables was upgraded, perhaps.
    if [ "${look-1}" -eq 1 ] && [ -n "$(unequal <"$WORK/compared")" ] && rebuild_reference "$WORK/stored"; then
      compare "$REFERENCE" >"$WORK/compared"
    fi
    check payload-loadable yes yes
  else
    check payload-loadable yes "no: $(head -n 3 "$WORK/scratch/log" | tr '\n\t' '; ')"
    compare "$WORK/stored" >"$WORK/compared"
  fi
  cat "$WORK/compared" >>"$WORK/facts"
  check_again
  check_egress
}

# A way out for others is one only where the kernel hands packets on. Docker switches that on.
check_egress() {
  grep -q '^nat ' "$WORK/stored/hooks" || return 0
  check egress-forwarding 1 "$(cat "$ROOT/proc/sys/net/ipv4/ip_forward" || :)"
}

# What `apply` would do now but for putting the same rules again: chains of ours that are left over, jumps that are not ours.
check_again() {
  plan_rules "$WORK/stored" || die 4 'no report: the rules could not be planned'
  for family in 4 6; do
    again=$(grep -m 1 -E '^-([DIFXN]) ' "$WORK/load.$family" || :)
    check "apply-again-changes-nothing-v$family" nothing "${again:-nothing}"
  done
}

run_checks() {
  : >"$WORK/facts"
  gather_facts
  check_backend
  check_payload
  judge_nft >>"$WORK/facts"
  if has_systemd; then judge_units >>"$WORK/facts"; fi
  if [ "$pid" -gt 0 ]; then judge_docker >>"$WORK/facts"; fi
  report
}

# report: writes `text` and `json` from the facts, and sets $failed to the names of the checks that failed.
report() {
  digest=none
  [ ! -e "$ETC/payload" ] || digest=$(digest_of "$ETC/payload")
  explanations >"$WORK/explanations"
  read -r host <"/proc/sys/kernel/hostname" || host=unknown
  failed=$(awk -F '\t' -v digest="$digest" -v host="$host" -v time="$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
    -v text="$WORK/text" -v json="$WORK/json" '
    # Printable, and bounded.
    function plain(value) { gsub(/[^ -~]/, " ", value); return substr(value, 1, 600) }
    function quoted(value) { gsub(/\\/, "\\\\", value); gsub(/"/, "\\\"", value); return "\"" value "\"" }
    function or_nothing(value) { return value == "" ? "nothing" : value }
    src == "explanations" { pattern[++patterns] = $1; what[$1] = $2; fix[$1] = $3; next }
    # The longest name, or beginning of one, that fits.
    function explained(name,   i, best, stem) {
      for (i = 1; i <= patterns; i++) {
        stem = pattern[i]
        if (stem ~ /\*$/ ? index(name, substr(stem, 1, length(stem) - 1)) != 1 : stem != name) continue
        if (length(stem) > length(best)) best = stem
      }
      return best
    }
    {
      passed = $2 "" == $3 ""
      checks++
      list = list (checks > 1 ? "," : "") "{\"name\":" quoted($1) ",\"passed\":" (passed ? "true" : "false") \
        ",\"expected\":" quoted(plain($2)) ",\"found\":" quoted(plain($3))
      if (!passed) {
        print $1
        failures++
        known = explained($1)
        told = told sprintf("FAILED %s: %s\n  must be: %s\n  is:      %s\n  to fix:  %s\n", \
          $1, what[known], or_nothing(plain($2)), or_nothing(plain($3)), fix[known])
        list = list ",\"what\":" quoted(what[known]) ",\"fix\":" quoted(fix[known])
      }
      list = list "}"
    }
    END {
      printf "%s%d checks passed, %d failed\n", told, checks - failures, failures >text
      printf "{\"version\":1,\"node\":%s,\"digest\":%s,\"time\":%s,\"passed\":%s,\"checks\":[%s]}\n", \
        quoted(plain(host)), quoted(digest), quoted(time), (failures ? "false" : "true"), list >json
    }' src=explanations "$WORK/explanations" src=facts "$WORK/facts") || die 4 'the report could not be written'
}

# How often to look, and how many seconds apart. Docker takes its jump out of FORWARD and puts it back each time it makes a
# network, as on joining a swarm (the belt in mangle holds meanwhile): what is wrong for a moment is no drift. Drift stays.
# HC_LOOKS and HC_PAUSE are for tests.
LOOKS=${HC_LOOKS-4}
PAUSE=${HC_PAUSE-2}

verify() {
  case ${1-} in '' | --json) ;; *) die 2 "verify does not know $1" ;; esac
  look=1
  run_checks
  while [ -n "$failed" ] && [ "$look" -lt "$LOOKS" ]; do
    say "look $look of $LOOKS: failed: $(printf '%s' "$failed" | tr '\n' ' ')"
    sleep "$PAUSE"
    look=$((look + 1))
    run_checks
  done
  if [ "${1-}" = --json ]; then
    cat "$WORK/json"
    # The report is for programs; whoever reads the error learns of the same look what failed.
    [ -z "$failed" ] || cat "$WORK/text" >&2
  else
    cat "$WORK/text"
  fi
  [ -z "$failed" ]
}

# The timer's and Docker's look: says what drifted and repairs what is ours to repair.
check_and_repair() {
  [ -e "$ETC/payload" ] || die 4 'there is no payload to check against'
  split_bundle "$ETC/payload" "$WORK/check"
  wake_tables
  hand_on "$WORK/check"
  drift=$(differences "$WORK/check")
  [ -n "$drift" ] || return 0
  look=1
  # A jump of Docker's that comes back while we put ours in its place makes two: then once more.
  while
    printf '%s\n' "$drift" | while read -r line; do say "drifted: $line"; done
    load_or_undo "$WORK/check" || die 4 'the drift could not be repaired'
    if peers_differ; then
      stored_peers >"$WORK/peers"
      load_peers "$WORK/peers" || die 4 'the drift could not be repaired'
    fi
    drift=$(differences "$WORK/check")
    [ -n "$drift" ] && [ "$look" -lt "$LOOKS" ]
  do
    sleep "$PAUSE"
    look=$((look + 1))
  done
  [ -z "$drift" ] || die 4 "still different after the repair: $drift"
  # What came in meanwhile.
  end_refused_flows "$WORK/check" ''
  say repaired
}

# A table that sleeps (nft's `flags dormant`) has all its rules, prints them all, and filters nothing.
wake_tables() {
  nft -s -n list ruleset 2>/dev/null | awk '
    /^table ip6? (nat|raw|mangle|filter) / { table = $2 " " $3 }
    /^\tflags .*dormant/ { print table }' |
    while read -r table; do
      say "drifted: the table $table was switched off"
      nft "add table $table" || say "the table $table could not be switched on again"
    done
}
