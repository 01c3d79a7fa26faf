# shellcheck shell=sh
# IP sets: the new content is built under another name and swapped in, so that no packet meets half a list. A set keeps its name
# while the rules around it change (another port of SSH's), so neither its old content fits the new rules nor the other way round:
# while they change it holds what both have.

# Room for the one set under construction; payloads cannot name it.
STAGED=hc:new

# swap_in CREATE-LINES ELEMENT-LINES: fills sets that exist already, each in one step, all in one input of `ipset restore`: ten
# thousand elements cost one process. A set takes the parameters of the new one.
swap_in() {
  ipset destroy "$STAGED" 2>/dev/null || :
  awk -v staged="$STAGED" '
    $1 == "create" { sets[++n] = $2; sub(/^create [^ ]+ /, ""); parameters[n] = $0; next }
    $1 == "add" { elements[$2, ++count[$2]] = $3 }
    END {
      for (i = 1; i <= n; i++) {
        print "create", staged, parameters[i]
        for (k = 1; k <= count[sets[i]]; k++) print "add", staged, elements[sets[i], k]
        printf "swap %s %s\ndestroy %s\n", sets[i], staged, staged
      }
    }' "$@" | ipset -exist restore
}

# The kernel finds a set of peers by these; they are no part of a payload.
peer_sets() {
  echo 'create hc-peers4 hash:ip family inet'
  echo 'create hc-peers6 hash:ip family inet6'
}

# ensure_sets [DIRECTORY]: makes the payload's sets where they are missing; rules that name them can then be tested.
ensure_sets() {
  snapshot_sets
  peer_sets >"$WORK/peer-sets"
  awk 'src == "is" { there[$2]; next } $1 == "create" && !($2 in there)' \
    src=is "$WORK/live.sets" src=wanted "$WORK/peer-sets" ${1+"$1/sets"} | ipset restore
}

# plan_sets DIRECTORY: from the sets as they were before ensure_sets to the payload's, as $WORK/sets.early and .late: before the
# rules change a new set is filled, and an old one left with what it keeps; one that gains gets all of it after.
plan_sets() {
  rm -f "$WORK"/sets.*
  awk -v dir="$WORK" '
    src == "is" { is[$0]; there[$2]; next }
    src == "look" { if (NF == 3 && $2 in there && !($0 in is)) gains[$2]; next }
    $1 == "create" || !($2 in there) || $0 in is { print >(dir "/sets.early") }
    $2 in gains { print >(dir "/sets.late") }
  ' src=is "$WORK/live.sets" src=look "$1/sets" src=must "$1/sets"
}

# change_sets WHEN: `early` or `late`, each set in one step.
change_sets() {
  rm -f "$WORK/live.sets"
  [ ! -e "$WORK/sets.$1" ] || swap_in "$WORK/sets.$1"
}

# drop_unused_sets DIRECTORY: sets of ours that the payload no longer has. The kernel lets go of a set a moment after the last
# rule that names it: what is still held is dropped by the next run.
drop_unused_sets() {
  ipset list -n | awk '
    src == "sets" { if ($1 == "create") wanted[$2] = 1; next }
    /^hc[-:]/ && !/^hc-peers[46]$/ && !($1 in wanted)' src=sets "$1/sets" src=names - |
    while read -r name; do ipset destroy "$name" 2>/dev/null || :; done
}

# load_peers FILE: one address a line.
load_peers() {
  forget_live
  peer_sets >"$WORK/peer-sets"
  awk '{ print "add", ($0 ~ /:/ ? "hc-peers6" : "hc-peers4"), $0 }' "$1" >"$WORK/peer-elements"
  swap_in "$WORK/peer-sets" "$WORK/peer-elements"
}

stored_peers() {
  if [ -e "$ETC/peers" ]; then cat "$ETC/peers"; fi
}

# snapshot_sets: all live sets, asked for once; `forget_live` after each change.
snapshot_sets() {
  [ -e "$WORK/live.sets" ] || ipset save >"$WORK/live.sets" 2>/dev/null || :
}

# compare_sets DIRECTORY: `NAME<tab>EXPECTED<tab>FOUND` for each set of the payload, and for the peers' as one. The size that a
# set has grown to does not matter; everything else about it does, an element that is an exception (`nomatch`) for one.
compare_sets() {
  snapshot_sets
  peer_sets >"$WORK/peer-sets"
  [ -e "$ETC/peers" ] || : >"$WORK/no-peers"
  awk '
    src == "peers" { key = $0 ~ /:/ ? "hc-peers6" : "hc-peers4"; must[key, $0] = 1; elements[key, ++count[key]] = $0; next }
    $1 == "create" {
      name = $2
      sub(/^create [^ ]+ /, "")
      gsub(/ (hashsize|maxelem|bucketsize|initval) [^ ]+/, "")
      kind[src, name] = $0
      if (src == "must") order[++sets] = name
      next
    }
    $1 == "add" {
      name = $2
      sub(/^add [^ ]+ /, "")
      if (src == "must") { must[name, $0] = 1; elements[name, ++count[name]] = $0 }
      else { is[name, $0] = 1; live[name]++; if (!((name, $0) in must) && !(name in extra)) extra[name] = $0 }
    }
    END {
      for (i = 1; i <= sets; i++) {
        name = order[i]
        expected = kind["must", name] ", " count[name] + 0 " elements as sent"
        if (!(("is", name) in kind)) found = "no such set"
        else {
          missing = ""
          for (k = 1; k <= count[name] && missing == ""; k++) if (!((name, elements[name, k]) in is)) missing = elements[name, k]
          found = kind["is", name] ", " live[name] + 0 " elements"
          if (missing == "" && !(name in extra)) found = found " as sent"
          if (missing != "") found = found "; missing: " missing
          if (name in extra) found = found "; not sent: " extra[name]
        }
        if (name ~ /^hc-peers[46]$/) { peers = peers name ": " expected "; "; peers_found = peers_found name ": " found "; " }
        else printf "set-%s\t%s\t%s\n", name, expected, found
      }
      printf "peers\t%s\t%s\n", peers, peers_found
    }' src=peers "$(if [ -e "$ETC/peers" ]; then echo "$ETC/peers"; else echo "$WORK/no-peers"; fi)" \
    src=must "$1/sets" "$WORK/peer-sets" src=is "$WORK/live.sets"
}

# peers_differ: whether the sets hold anything but the stored peers.
peers_differ() {
  mkdir -p "$WORK/nothing"
  : >"$WORK/nothing/sets"
  compare_sets "$WORK/nothing" | awk -F '\t' '$1 == "peers" && $2 "" == $3 "" { same = 1 } END { exit same }'
}
