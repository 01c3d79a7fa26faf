# shellcheck shell=sh
# What a payload gives, exactly: it is loaded in a network namespace of its own, where there is nothing else, and read back from
# the kernel. So the live rules are compared with what this very version of iptables and nft prints.

# Of the stored payload; kept until another one comes.
REFERENCE=$RUN/reference

# What the kernel has, by nft, of a host and of the reference alike. Each family of iptables comes first, for itself: in a list of
# all tables nft prints targets of iptables for the family alone that it meets first (of one file, libxtables registers no more).
# shellcheck disable=SC2016
LIST_KERNEL='for family in ip ip6 ""; do nft -s -n list ruleset $family || :; done'

# reference DIRECTORY: fills $REFERENCE (`hooks`, `sets`, `4`, `6`, `kernel`) from the payload in DIRECTORY, unless it is there
# already. Status 1: the payload cannot be loaded; what the tools said is in $WORK/scratch/log.
reference() {
  if [ -s "$REFERENCE/kernel" ] && cmp -s "$1/payload" "$REFERENCE/payload"; then return 0; fi
  rebuild_reference "$1"
}

rebuild_reference() {
  scratch=$WORK/scratch
  rm -rf "$scratch"
  mkdir "$scratch"
  { awk '$1 == "create"' "$1/sets" && peer_sets; } >"$scratch/make-sets"
  for family in 4 6; do whole_text "$1" "$family" >"$scratch/load.$family"; done
  # shellcheck disable=SC2016
  unshare --net sh -c '
    cd "$1" && ipset restore <make-sets &&
      iptables-nft-restore <load.4 && ip6tables-nft-restore <load.6 && iptables-nft-save >save.4 && ip6tables-nft-save >save.6 &&
      '"$LIST_KERNEL"' >kernel' sh "$scratch" >"$scratch/log" 2>&1 || return 1
  for family in 4 6; do our_part "$scratch/save.$family" >"$scratch/$family"; done
  cp "$1/payload" "$1/hooks" "$1/sets" "$scratch" || return 1
  rm -rf "$REFERENCE"
  mv "$scratch" "$REFERENCE"
}

# whole_text DIRECTORY FAMILY: rules and jumps as they are on a host that has nothing else.
whole_text() {
  awk '
    src == "hooks" { jumps[$1] = jumps[$1] "-A " $2 " -j " $3 "\n"; if ($2 == "DOCKER-USER") user[$1] = 1; next }
    /^\*/ { table = substr($0, 2); print; if (table in user) print ":DOCKER-USER - [0:0]"; next }
    /^COMMIT$/ { printf "%s", jumps[table] }
    { print }' src=hooks "$1/hooks" src=rules "$1/$2"
}

# our_part FILE: our chains out of what iptables-save printed, in the form of a payload.
our_part() {
  awk '
    /^\*/ { print; next }
    /^:HC-/ { print $1, "- [0:0]"; next }
    /^COMMIT$/ || $1 == "-A" && $2 ~ /^HC-/' "$1"
}
