# shellcheck shell=sh
# What iptables does not show: whether its chains are entered at all, and what else sits in the kernel's packet filter.

# judge_nft: check lines. Needs $WORK/kernel, and $REFERENCE where there is a payload that can be loaded.
judge_nft() {
  if ! command -v nft >/dev/null; then
    printf 'nft-present\tpresent\tmissing\n'
    return 0
  fi
  printf 'nft-present\tpresent\tpresent\n'
  if [ -e "$REFERENCE/kernel" ]; then must=$REFERENCE/kernel; else must=/dev/null; fi
  awk '
    function family_of(name) { return name == "ip" ? 4 : 6 }
    function ours(name) { return name ~ /^ip6? (nat|raw|mangle|filter)$/ }
    function of_iptables(name) { return ours(name) || name ~ /^ip6? security$/ }
    function builtin(name) { return name ~ /^(PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING)$/ }
    # Verdicts of another table cannot let in what ours drops. What is done to a packet, or to its connection, before ours see
    # it can, and so can a way around them.
    function harmless(line) {
      if (line ~ /(^| )(dnat|redirect|tproxy|notrack|queue|synproxy|fwd|dup|offload)( |$)/) return 0
      if (line ~ /(^| )(set|flow add) /) return 0
      return line !~ /xt (target|match)/
    }
    # Where iptables too can send a packet to another port than the one that was dialed: PREROUTING, but for the ways to Docker
    # and to us, and the chains that Docker keeps in nat, but for what it writes there. Where to is up to Docker.
    function redirects(table, chain, line) {
      if (chain == "PREROUTING") { if (line ~ / jump (DOCKER(-INGRESS)?|HC-[A-Z]+)$/) return 0 }
      else if (chain !~ /^DOCKER/ || table ~ / filter$/ || line ~ / (return|dnat to [^"]*|xt target "DNAT")$/) return 0
      # What a rule matches by does nothing; nothing at its end is a target that nft could not print.
      gsub(/xt match "?[^ ]*/, "", line)
      return line ~ / $| (jump|goto|vmap) / || !harmless(line)
    }
    /^table / {
      table = $2 " " $3
      again = (src, table) in listed
      listed[src, table]
      next
    }
    again { next }
    /^}/ { table = chain = ""; next }
    /^\tflags / { if ($0 ~ /dormant/) dormant[src, table] = 1; next }
    /^\tflowtable / { if (src == "is") odd[++odds] = "table " table ": " $1 " " $2; next }
    /^\tchain / { chain = $2; next }
    /^\t}/ { chain = ""; next }
    chain == "" { next }
    {
      key = table " " chain
      line = substr($0, 3)
      if (line ~ /^type /) {
        header[src, key] = line
        if (src == "must" && ours(table)) { bases[++base_count] = key; base_table[base_count] = table }
        next
      }
      if (chain ~ /^HC-/ && ours(table)) {
        if (src == "must" && !(key in seen)) { seen[key]; chains[++chain_count] = key }
        rules[src, key, ++n[src, key]] = line
      } else if (src == "is") {
        if (!of_iptables(table)) bad = !harmless(line)
        # A chain that we know no name of, in a table of iptables, may go on anywhere.
        else if (("is", key) in header && !builtin(chain)) bad = !harmless(line) || line ~ /(jump|goto|vmap) /
        else bad = redirects(table, chain, " " line)
        if (bad) odd[++odds] = "table " table " chain " chain ": " line
      }
    }
    # Docker sets the policy of FORWARD.
    function base_text(which, key) {
      text = ((which, key) in header) ? header[which, key] : "not entered"
      if (key ~ / FORWARD$/) sub(/ policy [a-z]+;/, "", text)
      return text
    }
    END {
      for (family = 4; family <= 6; family += 2) {
        expected = found = ""
        for (i = 1; i <= base_count; i++) {
          split(bases[i], part, " ")
          if (family_of(part[1]) != family) continue
          expected = expected part[2] " " part[3] ": " base_text("must", bases[i]) " "
          found = found part[2] " " part[3] ": " base_text("is", bases[i])
          found = found ((("is", base_table[i]) in dormant) ? " DORMANT " : " ")
        }
        if (base_count) printf "base-chains-v%d\t%s\t%s\n", family, expected, found
        expected = found = "as in the payload"
        for (i = 1; i <= chain_count; i++) {
          split(chains[i], part, " ")
          if (family_of(part[1]) != family) continue
          key = chains[i]
          for (k = 1; k <= n["must", key] || k <= n["is", key]; k++)
            if (rules["must", key, k] != rules["is", key, k] && found == expected) {
              expected = part[2] " " part[3] " rule " k ": " rules["must", key, k]
              found = part[2] " " part[3] " rule " k ": " rules["is", key, k]
            }
        }
        if (chain_count) printf "kernel-rules-v%d\t%s\t%s\n", family, expected, found
      }
      for (i = 1; i <= odds; i++) all = all (i > 1 ? "; " : "") odd[i]
      printf "no-foreign-nft-rules\t\t%s\n", all
    }' src=must "$must" src=is "$WORK/kernel"
}
