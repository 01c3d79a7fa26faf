# shellcheck shell=sh
# Chains and the jumps to them, written as input for iptables-restore --noflush: a table commits as a whole or not at all.

# snapshot FAMILY: all live rules, asked for once; `forget_live` after each change. What cannot be read is not taken for empty.
snapshot() {
  [ ! -s "$WORK/live.$1" ] || return 0
  tool "$1" -save >"$WORK/live.$1" 2>/dev/null || echo "# Table \`filter' is incompatible" >"$WORK/live.$1"
}
# unreadable FAMILY: tables with something of ours of which iptables tells nothing, for nft put a rule there that it has no words for.
unreadable() {
  snapshot "$1"
  sed -n "s/^# Table \`\([a-z]*\)' is incompatible.*/\1/p" "$WORK/live.$1" | while read -r table; do
    ! nft list table "ip${1#4}" "$table" 2>/dev/null | grep -q HC- || printf ' %s' "$table"
  done
}
# Says what is not, which nobody can change who does not know what is there. `family` is the variable of a loop that calls it.
readable() {
  snapshot 4
  snapshot 6
  grep -qs ' is incompatible' "$WORK/live.4" "$WORK/live.6" || return 0
  for v in 4 6; do
    hidden=$(unreadable "$v")
    [ -z "$hidden" ] || {
      say "iptables cannot read IPv$v:$hidden. nft -a list ruleset shows the rule that nft put there"
      return 1
    }
  done
}
forget_live() { empty "$WORK" live.4 live.6 live.sets; }

# What Docker puts above our jumps, where it takes nothing away from ours: its drop of clear-text VXLAN for encrypted networks at the
# top of INPUT, which can only drop, and the addresses of its own networks at the top of POSTROUTING.
DOCKERS='function dockers(line) {
  return line ~ /^-A (INPUT -p udp .* --pol none .* -m (bpf|u32) .* -j DROP|POSTROUTING .* -j MASQUERADE)$/
}'

# plan_rules DIRECTORY: what loads its rules, as files in $WORK, `load.4` and `load.6`: one transaction a table. Our chains are
# replaced; each jump becomes the first rule of its chain and its only one, and stays untouched where it is; chains of ours that
# the payload no longer has leave, and the jumps to them. What HC-RAW drops (it does nothing else) and the payload no longer does,
# it drops until the rest is in force. Tables are known by their family as well: `4 filter`.
plan_rules() {
  snapshot 4
  snapshot 6
  empty "$WORK" load.4 load.6 || return 1
  # The jumps of a saved state differ by family.
  if [ -e "$1/hooks.4" ]; then set -- "$1" "$1/hooks.4" "$1/hooks.6"; else set -- "$1" "$1/hooks" "$1/hooks"; fi
  awk -v tables="$TABLES" -v to="$WORK/load." "$DOCKERS"'
    function jump_to_ours(key) {
      return ($(NF - 1) == "-j" || $(NF - 1) == "-g") && $NF ~ /^HC-/ || key in hook && $0 == "-A " $2 " -j " hook[key]
    }
    function transaction(v, name, table,   text, goners, leaving, edited, where, k, key, jump) {
      text = ""
      # Docker makes DOCKER-USER itself, but not before our rules have to be in, and for IPv6 not in every version. With -N the
      # transaction fails, rather than flush the chain, when Docker makes it at this very moment.
      if (name == "filter" && hooked[table] ~ /DOCKER-USER/ && !((table, "DOCKER-USER") in there)) text = text "-N DOCKER-USER\n"
      text = text body[table]
      if (name == "raw") text = text leaves[v]
      goners = split(gone[table], leaving, " ")
      for (k = 1; k <= goners; k++) text = text "-F " leaving[k] "\n"
      edited = split(chains[table] " " hooked[table], where, " ")
      for (k = 1; k <= edited; k++) {
        key = table " " where[k]
        if (key in done) continue
        done[key] = 1
        jump = key in hook ? "-A " where[k] " -j " hook[key] : ""
        if (jump != "" && jumps[key] == 1 && first[key] == jump) continue
        text = text deletes[key]
        if (jump != "") text = text "-I " where[k] " 1 -j " hook[key] "\n"
      }
      for (k = 1; k <= goners; k++) text = text "-X " leaving[k] "\n"
      if (text != "") printf "*%s\n%sCOMMIT\n", name, text >(to v)
    }
    src == "hooks" { hook[v " " $1 " " $2] = $3; hooked[v " " $1] = hooked[v " " $1] " " $2; next }
    /^\*/ { table = v " " substr($0, 2); next }
    src == "must" && /^:/ { mine[table, substr($1, 2)] = 1; body[table] = body[table] $0 "\n"; next }
    src == "must" && $1 == "-A" { body[table] = body[table] $0 "\n"; known[v $0]; next }
    src == "must" { next }
    /^:/ {
      name = substr($1, 2)
      there[table, name] = 1
      if (name ~ /^HC-/ && !((table, name) in mine)) gone[table] = gone[table] " " name
      next
    }
    $2 == "HC-RAW" && $NF == "DROP" && !(v $0 in known) { leaves[v] = leaves[v] $0 "\n" }
    $1 == "-A" && $2 !~ /^HC-/ {
      key = table " " $2
      if (!(key in first) && !dockers($0)) first[key] = $0
      if (!jump_to_ours(key)) next
      if (!(key in jumps)) { chains[table] = chains[table] " " $2 }
      jumps[key]++
      deletes[key] = deletes[key] "-D" substr($0, 3) "\n"
    }
    END {
      count = split(tables, order, " ")
      for (v = 4; v <= 6; v += 2) {
        for (i = 1; i <= count; i++) transaction(v, order[i], v " " order[i])
        if (leaves[v] != "") printf "*raw\n%sCOMMIT\n", body[v " raw"] >(to v)
      }
    }
  ' v=4 src=hooks "$2" src=must "$1/4" src=is "$WORK/live.4" v=6 src=hooks "$3" src=must "$1/6" src=is "$WORK/live.6"
}

# save_live DIRECTORY: our chains, jumps and sets as they are now, in the form of a payload, for the way back.
save_live() {
  { snapshot_sets && empty "$1" 4 6 hooks.4 hooks.6 sets; } || return 1
  snapshot 4
  snapshot 6
  awk -v dir="$1/" '
    src == "sets" {
      if ($2 !~ /^hc-/ || $2 ~ /^hc-peers[46]$/) next
      if (/^create/) sub(/ bucketsize .*/, "")
      print >(dir src)
      next
    }
    /^\*/ { table = $0; opened = 0; next }
    /^:HC-/ { if (!opened) print table >(dir src); opened = 1; print $1, "- [0:0]" >(dir src); next }
    $1 == "-A" && $2 ~ /^HC-/ { rules[src, table] = rules[src, table] $0 "\n"; next }
    $1 == "-A" && NF == 4 && $3 == "-j" && ($4 ~ /^HC-/ || $2 == "FORWARD" && $4 == "DOCKER-USER") {
      if (!seen[src, table, $2]++) print substr(table, 2), $2, $4 >(dir "hooks." src)
    }
    /^COMMIT$/ && opened { printf "%sCOMMIT\n", rules[src, table] >(dir src) }
  ' src=4 "$WORK/live.4" src=6 "$WORK/live.6" src=sets "$WORK/live.sets"
}

# load_rules DIRECTORY: tests everything first, then commits. Status 3: refused, nothing changed; 4: failed half-way, the
# caller puts back what was. No prefix of the commits lets in what neither the old nor the new policy does: each packet must pass
# the belt in mangle and filter, each either old or new, and the belt passes whatever its filter does.
load_rules() {
  readable || return 3
  { plan_sets "$1" && make_sets; } || return 3
  test_rules "$1" || {
    # Docker may have changed its chains in between: once more, from what is there now.
    forget_live
    test_rules "$1" || {
      say "$(cat "$WORK/refused")"
      return 3
    }
  }
  change_sets early || return 4
  for family in 4 6; do
    commit "$family" || {
      forget_live
      { readable && plan_rules "$1" && commit "$family"; } || {
        forget_live
        return 4
      }
    }
  done
  forget_live
  change_sets late || return 4
  remember_cgroup "$1"
  drop_sets
  hand_on "$1"
}
# A way out hands on what others send through it, before Docker is there too.
hand_on() {
  [ -e "$1/hooks" ] || return 0
  while read -r table _; do
    [ "$table" != nat ] || echo 1 >"$ROOT/proc/sys/net/ipv4/ip_forward" || :
  done <"$1/hooks"
}
test_rules() {
  echo 'the rules could not be planned' >"$WORK/refused"
  plan_rules "$1" || return 1
  for family in 4 6; do
    tool "$family" -restore -w 30 --noflush --test <"$WORK/load.$family" >"$WORK/test.$family" 2>&1 || {
      echo "the rules for IPv$family are refused: $(head -n 3 "$WORK/test.$family")" >"$WORK/refused"
      return 1
    }
  done
}
commit() { tool "$1" -restore -w 30 --noflush <"$WORK/load.$1"; }

# compare_rules DIRECTORY FAMILY: `NAME<tab>EXPECTED<tab>FOUND` for each chain and each jump of the payload.
compare_rules() {
  snapshot "$2"
  awk -v family="$2" "$DOCKERS"'
    # As found: no rules would be told from rules that iptables does not tell.
    function shown(table, text) { return table in hidden ? "iptables cannot read " table : text }
    src == "hooks" { hook[++hooks] = $0; next }
    /^\*/ { table = substr($0, 2); next }
    /^# Table .* is incompatible/ { gsub(/[^a-z]/, "", $3); hidden[$3]; next }
    src == "must" && /^:/ { chain[++chains] = table " " substr($1, 2); next }
    $1 == "-A" {
      if (src == "is" && dockers($0)) next
      key = table " " $2
      rule[src, key, ++n[src, key]] = $0
      if (src == "is") times[table, $0]++
    }
    END {
      for (i = 1; i <= chains; i++) {
        key = chain[i]
        split(key, part, " ")
        must = n["must", key] + 0
        is = n["is", key] + 0
        for (k = 1; k <= must || k <= is; k++) if (rule["must", key, k] != rule["is", key, k]) break
        if (k > must && k > is) expected = found = must " rules as in the payload"
        else {
          expected = must " rules; rule " k ": " (k > must ? "none" : rule["must", key, k])
          found = is " rules; rule " k ": " (k > is ? "none" : rule["is", key, k])
        }
        printf "chain-%s\t%s\t%s\n", tolower(part[1] "-" part[2] "-v" family), expected, shown(part[1], found)
      }
      for (i = 1; i <= hooks; i++) {
        split(hook[i], part, " ")
        jump = "-A " part[2] " -j " part[3]
        first = rule["is", part[1] " " part[2], 1]
        found = sprintf("%d time; first: %s", times[part[1], jump], (first == "" ? "nothing" : first))
        printf "jump-%s\t1 time; first: %s\t%s\n", \
          tolower(part[1] "-" part[2] "-" part[3] "-v" family), jump, shown(part[1], found)
      }
    }
  ' src=hooks "$1/hooks" src=must "$1/$2" src=is "$WORK/live.$2"
}

# compare DIRECTORY: all of it, against the payload in DIRECTORY or what it gives when it is loaded.
compare() {
  compare_rules "$1" 4
  compare_rules "$1" 6
  compare_sets "$1"
  compare_cgroup "$1"
}

# A rule finds a control group by its path when it is loaded, and keeps that group: one that is made anew at the same path is
# another, which the rule never meets though it is printed as before.
cgroup_of() { sed -n '/ -m cgroup --path /{s/.* --path "\{0,1\}\([^ "]*\)"\{0,1\} .*/\1/p;q;}' "$1/4"; }
identity_of() { [ -z "$1" ] || stat -c %i "$ROOT/sys/fs/cgroup/$1" 2>/dev/null || echo none; }
remember_cgroup() { identity_of "$(cgroup_of "$1")" >"$RUN/cgroup"; }
compare_cgroup() {
  group=$(cgroup_of "$1")
  [ -n "$group" ] || return 0
  loaded=none
  if [ -e "$RUN/cgroup" ]; then read -r loaded <"$RUN/cgroup" || :; fi
  now=another
  [ "$(identity_of "$group")" != "$loaded" ] || now='the one that was there'
  printf 'container-cgroup\tthe one that was there when the rules were loaded\t%s when the rules were loaded\n' "$now"
}

# differences DIRECTORY: one line for each way in which the live rules differ from the payload's; nothing when they agree. The
# payload is written as iptables prints it, so most often its text will do; another version of iptables may print it otherwise.
differences() {
  compare "$1" | unequal >"$WORK/differences"
  if [ -s "$WORK/differences" ] && reference "$1"; then compare "$REFERENCE" | unequal; else cat "$WORK/differences"; fi
}
unequal() { awk -F '\t' '$2 "" != $3 "" { printf "%s: must be: %s; is: %s\n", $1, $2, $3 }'; }
