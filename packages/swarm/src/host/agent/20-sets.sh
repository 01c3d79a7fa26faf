# shellcheck shell=sh
# IP sets: the new content is built under another name and swapped in, so that no packet meets half a list. A set belongs to
# one opening of a policy, so old rules with new content let in nothing that the new policy does not.

# Room for the one set under construction; payloads cannot name it.
STAGED=hc:new

# swap_in NAME PARAMETERS FILE-OF-ELEMENTS: all in one input of `ipset restore`, so ten thousand elements cost one process.
# The set exists already, maybe with other parameters: it takes those of the new one.
swap_in() {
  ipset destroy "$STAGED" 2>/dev/null || :
  {
    echo "create $STAGED $2"
    sed "s/^/add $STAGED /" "$3"
    echo "swap $1 $STAGED"
    echo "destroy $STAGED"
  } | ipset -exist restore
}

# ensure_sets [DIRECTORY]: makes the payload's sets where they are missing; rules that name them can then be tested.
ensure_sets() {
  ipset list -n >"$WORK/set-names"
  {
    [ $# -eq 0 ] || awk '$1 == "create"' "$1/sets"
    echo 'create hc-peers4 hash:ip family inet'
    echo 'create hc-peers6 hash:ip family inet6'
  } | while read -r create name parameters; do
    grep -Fxq "$name" "$WORK/set-names" || echo "$create $name $parameters"
  done | ipset restore
}

# load_sets DIRECTORY: the payload's elements, each set in one step.
load_sets() {
  awk '$1 == "create" { name = $2; sub(/^create [^ ]+ /, ""); print name, $0 }' "$1/sets" | while read -r name parameters; do
    elements_of "$1" "$name" >"$WORK/elements"
    swap_in "$name" "$parameters" "$WORK/elements" || exit 1
  done
}

# elements_of DIRECTORY NAME: what the payload puts into a set.
elements_of() { awk -v name="$2" '$1 == "add" && $2 == name { print $3 }' "$1/sets"; }

# drop_unused_sets DIRECTORY: sets of ours that the payload no longer has. The kernel lets go of a set a moment after the last
# rule that names it: what is still held is dropped by the next run.
drop_unused_sets() {
  ipset list -n | grep '^hc[-:]' | while read -r name; do
    case $name in hc-peers[46]) continue ;; esac
    grep -q "^create $name " "$1/sets" || ipset destroy "$name" 2>/dev/null || :
  done
}

# set_elements NAME: what it holds, sorted.
set_elements() { ipset save "$1" 2>/dev/null | awk '$1 == "add" { print $3 }' | sort; }

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
# peers_differ: whether the sets hold anything but the stored peers.
peers_differ() {
  stored_peers | sort >"$WORK/must"
  { set_elements hc-peers4; set_elements hc-peers6; } | sort >"$WORK/is"
  ! cmp -s "$WORK/is" "$WORK/must"
}
