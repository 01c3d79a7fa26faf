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

# What a set is, whatever size it has grown to.
KIND='function kind(text) { gsub(/ (hashsize|maxelem|bucketsize|initval) [^ ]+/, "", text); return text }'

# plan_sets DIRECTORY: from the sets that are there to the payload's, as files in $WORK: `sets.new` is what is missing, with all
# that it holds, for no rule names it yet; `sets.early` leaves one that loses something with what it keeps, before the rules
# change; `sets.late` gives one that gains all of it, after; `sets.gone` are names of ours that the payload no longer has.
plan_sets() {
  { snapshot_sets && empty "$WORK" sets.new sets.early sets.late sets.gone; } || return 1
  peer_sets >"$WORK/peer-sets"
  awk -v to="$WORK/sets." "$KIND"'
    src == "is" { if ($1 == "add") { is[$0] = 1; left[$2]++ } else there[$2] = kind($0); next }
    { wanted[$2] }
    !($2 in there) { print >(to "new"); next }
    src == "peers" { next }
    { line[++n] = $0; set[n] = $2 }
    $1 == "add" { if ($0 in is) { left[$2] -= is[$0]; is[$0] = 0 } else gains[$2]; next }
    kind($0) != there[$2] { gains[$2]; loses[$2] }
    END {
      for (name in left) if (left[name]) loses[name]
      for (i = 1; i <= n; i++) {
        if (set[i] in loses && (line[i] ~ /^create/ || line[i] in is)) print line[i] >(to "early")
        if (set[i] in gains) print line[i] >(to "late")
      }
      for (name in there) if (name ~ /^hc[-:]/ && !(name in wanted)) print name >(to "gone")
    }' src=is "$WORK/live.sets" src=peers "$WORK/peer-sets" src=wanted "$1/sets"
}

# make_sets: those that are missing; rules that name them can then be tested.
make_sets() {
  [ -s "$WORK/sets.new" ] || return 0
  true >"$WORK/live.sets"
  ipset restore <"$WORK/sets.new"
}

# change_sets WHEN: `early` or `late`, each set in one step.
change_sets() {
  [ -s "$WORK/sets.$1" ] || return 0
  true >"$WORK/live.sets"
  swap_in "$WORK/sets.$1"
}

# drop_sets: those that went. The kernel lets go of a set a moment after the last rule that names it: what is still held is
# dropped by the next run.
drop_sets() {
  while read -r name; do ipset destroy "$name" 2>/dev/null || :; done <"$WORK/sets.gone"
  true >"$WORK/live.sets"
}

# load_peers FILE: one address a line.
load_peers() {
  make_nothing
  { plan_sets "$WORK/nothing" && make_sets; } || return 1
  forget_live
  awk '{ print "add", ($0 ~ /:/ ? "hc-peers6" : "hc-peers4"), $0 }' "$1" >"$WORK/peer-elements"
  swap_in "$WORK/peer-sets" "$WORK/peer-elements"
}

stored_peers() { [ ! -e "$ETC/peers" ] || cat "$ETC/peers"; }

# snapshot_sets: all live sets, asked for once; `forget_live` after each change.
snapshot_sets() {
  [ -s "$WORK/live.sets" ] || ipset save >"$WORK/live.sets"
}

# compare_sets DIRECTORY: `NAME<tab>EXPECTED<tab>FOUND` for each set of the payload, and for the peers' as one. The size that a
# set has grown to does not matter; everything else about it does, an element that is an exception (`nomatch`) for one.
compare_sets() {
  snapshot_sets || :
  peer_sets >"$WORK/peer-sets"
  peers=$ETC/peers
  [ -e "$peers" ] || peers=/dev/null
  awk "$KIND"'
    src == "peers" { key = $0 ~ /:/ ? "hc-peers6" : "hc-peers4"; must[key, $0] = 1; elements[key, ++count[key]] = $0; next }
    $1 == "create" {
      name = $2
      sub(/^create [^ ]+ /, "")
      made[src, name] = kind($0)
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
        expected = made["must", name] ", " count[name] + 0 " elements as sent"
        if (!(("is", name) in made)) found = "no such set"
        else {
          missing = ""
          for (k = 1; k <= count[name] && missing == ""; k++) if (!((name, elements[name, k]) in is)) missing = elements[name, k]
          found = made["is", name] ", " live[name] + 0 " elements"
          if (missing == "" && !(name in extra)) found = found " as sent"
          if (missing != "") found = found "; missing: " missing
          if (name in extra) found = found "; not sent: " extra[name]
        }
        if (name ~ /^hc-peers[46]$/) { peers = peers name ": " expected "; "; peers_found = peers_found name ": " found "; " }
        else printf "set-%s\t%s\t%s\n", name, expected, found
      }
      printf "peers\t%s\t%s\n", peers, peers_found
    }' src=peers "$peers" src=must "$1/sets" "$WORK/peer-sets" src=is "$WORK/live.sets"
}

# peers_differ: whether the sets hold anything but the stored peers.
peers_differ() {
  make_nothing
  compare_sets "$WORK/nothing" | awk -F '\t' '$1 == "peers" && $2 "" == $3 "" { same = 1 } END { exit same }'
}
