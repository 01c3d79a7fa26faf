# shellcheck shell=sh
# Taking a bundle apart. Untrusted until it has passed: a malformed one changes nothing.

# split_bundle FILE DIRECTORY, `-` for the standard input: writes `payload`, `hooks`, `sets`, `4`, `6` and `peers`, those that the
# bundle has. Only what we would write ourselves passes (our chains, our sets): a bundle must not be able to touch anything else.
# One program for all of it, for starting programs is what costs on a small machine; and no text that grows line by line, which
# costs its square.
split_bundle() {
  [ -d "$2" ] || mkdir "$2"
  malformed=$(awk -v dir="$2" -v head="$BUNDLE_HEAD" '
    function refuse(text) { if (!refused) print text; refused = 1; exit }
    function set_name(name) { return name ~ /^hc-[a-z0-9-]+$/ && length(name) <= 31 && name !~ /^hc-peers[46]$/ }
    function fits(line) {
      if (section == "hooks") return line ~ /^(nat|raw|mangle|filter) [A-Z-]+ (HC-[A-Z]+|DOCKER-USER)$/
      if (section == "sets") {
        if (!set_name($2)) return 0
        name = $2
        if ($1 == "add") return NF == 3 && $3 ~ /^[0-9a-fA-F.:\/]+$/
        return line ~ /^create [^ ]+ hash:net family inet6? hashsize [0-9]+ maxelem [0-9]+$/
      }
      if (section == "peers") return line ~ /^[0-9a-fA-F.:]+$/
      if (line ~ /^\*(nat|raw|mangle|filter)$/) return !table++
      if (line == "COMMIT") return table--
      return table && line ~ /^(:HC-[A-Z]+ - \[0:0\]|-A HC-[A-Z]+ .*)$/
    }
    NR == 1 {
      if ($0 != head) refuse("this is no payload bundle: its first line is not its header")
      kept = dir "/payload"
      print >kept
      next
    }
    ended { refuse("malformed bundle: text after the end") }
    # Most lines, where there are many.
    section == "sets" && $1 == "add" && $2 == name "" && NF == 3 && $3 !~ /[^0-9a-fA-F.:\/]/ { print >file; print >kept; next }
    /^### end$/ { ended = 1; print >kept; next }
    /^### / {
      section = substr($0, 5)
      if (section == "iptables") section = "4"
      else if (section == "ip6tables") section = "6"
      else if (section !~ /^(hooks|sets|peers)$/) refuse("malformed bundle: unknown section: " section)
      if (section in seen) refuse("malformed bundle: section twice: " section)
      seen[section] = 1
      file = dir "/" section
      printf "" >file
      if (section != "peers") { print >kept; rules = 1 }
      next
    }
    section == "" { refuse("malformed bundle: text outside a section") }
    !fits($0) { refuse("malformed line " NR " in section " section " of the bundle") }
    { print >file; if (section != "peers") print >kept }
    END {
      if (refused) exit
      if (NR == 0) refuse("this is no payload bundle: it is empty")
      if (!ended) refuse("the bundle is cut short: its last line is not its end")
      if (rules) {
        split("hooks sets 4 6", parts, " ")
        for (i = 1; i <= 4; i++) if (!(parts[i] in seen)) refuse("the bundle has no section " parts[i])
      } else if (!("peers" in seen)) refuse("the bundle is empty")
    }
  ' "$1") || die 3 'the bundle could not be taken apart'
  [ -z "$malformed" ] || die 3 "$malformed"
  if [ ! -e "$2/4" ]; then rm -f "$2/payload"; fi
}

# make_nothing: the payload of a host without rules, in $WORK/nothing.
make_nothing() { empty "$WORK/nothing" hooks sets 4 6; }
