# Chains and the jumps to them, written as input for iptables-restore --noflush: a table commits as a whole or not at all.

# hook_edits FAMILY TABLE CHAIN TARGET: what makes the jump the chain's first rule, and its only one; nothing when it is.
hook_edits() {
  live "$1" "$2" "$3" >"$WORK/chain"
  count=$(grep -Fxc -- "-A $3 -j $4" "$WORK/chain" || :)
  first=$(grep -m 1 -- '^-A' "$WORK/chain" || :)
  if [ "$count" = 1 ] && [ "$first" = "-A $3 -j $4" ]; then return 0; fi
  while [ "$count" -gt 0 ]; do
    echo "-D $3 -j $4"
    count=$((count - 1))
  done
  echo "-I $3 1 -j $4"
}

# stale_hooks FAMILY TABLE DIRECTORY: takes out jumps to chains of ours that the payload no longer hooks there.
stale_hooks() {
  live "$1" "$2" | grep -E -- '^-A [A-Z-]+ -j HC-[A-Z]+$' | while read -r _ chain _ target; do
    case $chain in HC-*) continue ;; esac
    grep -Fxq "$2 $chain $target" "$3/hooks" || echo "-D $chain -j $target"
  done
}

# table_text FAMILY TABLE DIRECTORY: the whole transaction of one table.
table_text() {
  echo "*$2"
  # Docker makes DOCKER-USER itself, but not before our rules have to be in, and for IPv6 not in every version.
  if [ "$2" = filter ] && ! live "$1" filter DOCKER-USER | grep -q .; then echo ':DOCKER-USER - [0:0]'; fi
  awk -v table="*$2" '
    /^\*/ { here = ($0 == table); next }
    /^COMMIT$/ { here = 0 }
    here
  ' "$3/$1"
  stale_hooks "$1" "$2" "$3"
  grep "^$2 " "$3/hooks" | while read -r _ chain target; do hook_edits "$1" "$2" "$chain" "$target"; done
  # A chain that the payload no longer has goes last, when nothing names it.
  live "$1" "$2" | sed -n 's/^-N \(HC-[A-Z]*\)$/\1/p' | while read -r chain; do
    if ! chains_of "$3" "$1" "$2" | grep -Fxq "$chain"; then
      echo ":$chain - [0:0]"
      echo "$chain" >>"$WORK/gone.$1.$2"
    fi
  done
  if [ -e "$WORK/gone.$1.$2" ]; then sed 's/^/-X /' "$WORK/gone.$1.$2"; fi
  echo COMMIT
}

# family_text FAMILY DIRECTORY
family_text() {
  rm -f "$WORK"/gone.*
  for table in $TABLES; do table_text "$1" "$table" "$2"; done
}

# load_rules DIRECTORY: tests everything first, then commits. Each packet must pass both the belt in mangle and filter, each
# either old or new, so no prefix of the commits lets in what neither the old nor the new policy does.
load_rules() {
  ensure_sets "$1" || return 4
  for family in 4 6; do
    family_text "$family" "$1" >"$WORK/load.$family"
    "$(tool "$family" -restore)" -w 30 --noflush --test <"$WORK/load.$family" >"$WORK/test.$family" 2>&1 || {
      say "the rules for IPv$family are refused: $(head -n 3 "$WORK/test.$family")"
      return 3
    }
  done
  load_sets "$1" || return 4
  for family in 4 6; do
    "$(tool "$family" -restore)" -w 30 --noflush <"$WORK/load.$family" || return 4
  done
  drop_unused_sets "$1"
}

# differences DIRECTORY: one line for each way in which the live rules differ from the payload's; nothing when they agree.
differences() {
  for family in 4 6; do
    for table in $TABLES; do
      for chain in $(chains_of "$1" "$family" "$table"); do
        live "$family" "$table" "$chain" | grep -- '^-A' >"$WORK/is" || :
        rules_of "$1" "$family" "$table" "$chain" >"$WORK/must" || :
        cmp -s "$WORK/is" "$WORK/must" || echo "IPv$family $table $chain: not the payload's rules"
      done
      grep "^$table " "$1/hooks" | while read -r _ chain target; do
        edits=$(hook_edits "$family" "$table" "$chain" "$target")
        [ -z "$edits" ] || echo "IPv$family $table $chain: $target is not its first rule, once"
      done
    done
  done
  awk '$1 == "create" { print $2 }' "$1/sets" | while read -r name; do
    awk -v name="$name" '$1 == "add" && $2 == name { print $3 }' "$1/sets" | sort >"$WORK/must"
    set_elements "$name" >"$WORK/is"
    cmp -s "$WORK/is" "$WORK/must" || echo "set $name: not the payload's elements"
  done
  stored_peers | sort >"$WORK/must"
  { set_elements hc-peers4; set_elements hc-peers6; } | sort >"$WORK/is"
  cmp -s "$WORK/is" "$WORK/must" || echo 'peers: not those that were sent last'
}
