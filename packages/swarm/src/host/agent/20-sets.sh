# IP sets: the new content is built under another name and swapped in, so that no packet meets half a list.

# Room for a set under construction; names have at most 31 characters.
staged() { printf 'new:%s' "$1"; }

# swap_in NAME PARAMETERS FILE-OF-ELEMENTS: all in one input of `ipset restore`, so ten thousand elements cost one process.
swap_in() {
  stage=$(staged "$1")
  {
    echo "create $1 $2"
    echo "create $stage $2"
    echo "flush $stage"
    sed "s/^/add $stage /" "$3"
    echo "swap $1 $stage"
    echo "destroy $stage"
  } | ipset -exist restore
}

# ensure_sets DIRECTORY: makes the payload's sets where they are missing; rules that name them can then be tested.
ensure_sets() {
  {
    awk '$1 == "create"' "$1/sets"
    echo 'create hc-peers4 hash:ip family inet'
    echo 'create hc-peers6 hash:ip family inet6'
  } | ipset -exist restore
}

# load_sets DIRECTORY: the payload's elements, each set in one step.
load_sets() {
  awk '$1 == "create" { print $2 }' "$1/sets" | while read -r name; do
    awk -v name="$name" '$1 == "add" && $2 == name { print $3 }' "$1/sets" >"$WORK/elements"
    parameters=$(awk -v name="$name" '$1 == "create" && $2 == name { sub(/^create [^ ]+ /, ""); print }' "$1/sets")
    swap_in "$name" "$parameters" "$WORK/elements" || exit 1
  done
}

# drop_unused_sets DIRECTORY: sets of ours that the payload no longer has.
drop_unused_sets() {
  ipset list -n | grep '^hc-' | while read -r name; do
    case $name in hc-peers[46]) continue ;; esac
    grep -q "^create $name " "$1/sets" || ipset destroy "$name" 2>/dev/null || :
  done
}

# set_elements NAME: what it holds, sorted.
set_elements() { ipset list "$1" 2>/dev/null | sed '1,/^Members:/d' | cut -d ' ' -f 1 | sort; }

# load_peers FILE: one address a line.
load_peers() {
  grep -v : "$1" >"$WORK/peers4" || :
  grep : "$1" >"$WORK/peers6" || :
  swap_in hc-peers4 'hash:ip family inet' "$WORK/peers4" &&
    swap_in hc-peers6 'hash:ip family inet6' "$WORK/peers6"
}

stored_peers() {
  if [ -e "$ETC/peers" ]; then cat "$ETC/peers"; fi
}
