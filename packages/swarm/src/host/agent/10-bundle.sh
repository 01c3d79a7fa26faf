# shellcheck shell=sh
# Taking a bundle apart. Untrusted until it has passed: a malformed one changes nothing.

# split_bundle FILE DIRECTORY: writes `payload`, `hooks`, `sets`, `4`, `6` and `peers`, those that the bundle has.
split_bundle() {
  mkdir -p "$2"
  [ "$(head -n 1 "$1")" = "$BUNDLE_HEAD" ] || die 3 'this is no payload bundle: its first line is not its header'
  [ "$(tail -n 1 "$1")" = '### end' ] || die 3 'the bundle is cut short: its last line is not its end'
  awk -v dir="$2" '
    NR == 1 { payload = payload $0 "\n"; next }
    /^### end$/ { ended = 1; payload = payload $0 "\n"; next }
    ended { print "text after the end" > (dir "/error"); exit }
    /^### / {
      name = substr($0, 5)
      if (name == "iptables") name = "4"
      else if (name == "ip6tables") name = "6"
      else if (name != "hooks" && name != "sets" && name != "peers") { print "unknown section: " name > (dir "/error"); exit }
      if (name in seen) { print "section twice: " name > (dir "/error"); exit }
      seen[name] = 1
      printf "" > (dir "/" name)
      if (name != "peers") { payload = payload $0 "\n"; rules = 1 }
      next
    }
    name == "" { print "text outside a section" > (dir "/error"); exit }
    { print > (dir "/" name); if (name != "peers") payload = payload $0 "\n" }
    END { if (rules) printf "%s", payload > (dir "/payload") }
  ' "$1"
  [ ! -e "$2/error" ] || die 3 "malformed bundle: $(cat "$2/error")"
  if [ -e "$2/payload" ]; then
    for part in hooks sets 4 6; do
      [ -e "$2/$part" ] || die 3 "the bundle has no section $part"
    done
    check_hooks "$2/hooks"
    check_sets "$2/sets"
    for family in 4 6; do check_rules "$2/$family"; done
  fi
  [ ! -e "$2/peers" ] || check_peers "$2/peers"
  [ -e "$2/payload" ] || [ -e "$2/peers" ] || die 3 'the bundle is empty'
}

# Only what we would write ourselves: our chains, our sets. A bundle must not be able to touch anything else.
check_hooks() {
  ! grep -Evq '^(raw|mangle|filter) [A-Z-]+ (HC-[A-Z]+|DOCKER-USER)$' "$1" || die 3 'malformed hook in the bundle'
}
check_sets() {
  ! grep -Evq '^(create hc-[a-z0-9-]{1,28} hash:net family inet6? hashsize [0-9]+ maxelem [0-9]+|add hc-[a-z0-9-]{1,28} [0-9a-fA-F.:/]+)$' "$1" ||
    die 3 'malformed set in the bundle'
  ! grep -Eq '^(create|add) hc-peers[46] ' "$1" || die 3 'the sets of peers are not part of the rules'
}
check_rules() {
  ! grep -Evq '^(\*(raw|mangle|filter)|COMMIT|:HC-[A-Z]+ - \[0:0\]|-A HC-[A-Z]+ .*)$' "$1" || die 3 'malformed rule in the bundle'
}
check_peers() {
  ! grep -Evq '^[0-9a-fA-F.:]+$' "$1" || die 3 'malformed peer in the bundle'
}
