# shellcheck shell=sh
# Flows that the rules refuse: an established one would outlive the rule that let it in.

# end_refused_flows DIRECTORY SPARED: deletes the flows that a payload would not let begin: a port that is closed now, sources
# that are no longer among those of a port, SSH's with them, what containers may no longer dial, of whatever protocol but ICMP
# from outside, which lets in no more than an echo; and no others. SPARED is an SSH_CONNECTION (client, its port, server, its
# port) that must live a little longer, or empty.
end_refused_flows() {
  command -v conntrack >/dev/null || return 0
  # Without addresses the host's own flows would be judged as those of containers: all live on.
  { empty "$WORK" sockets && ip -o addr show >"$WORK/addresses"; } || return 0
  { conntrack -L -f ipv4; conntrack -L -f ipv6; } >"$WORK/flows" 2>/dev/null || :
  refused_flows "$1" "$2" >"$WORK/refused" || say 'the flows could not be judged: all live on'
  # A program of the host that answers at this very moment would bring its flow back, as one that it began.
  while read -r line; do
    # shellcheck disable=SC2086
    ss -t -K $line >/dev/null 2>&1 || :
  done <"$WORK/sockets"
  # One program for all of them; conntrack before 1.4.7 has none.
  [ ! -s "$WORK/refused" ] || conntrack -R "$WORK/refused" >/dev/null 2>&1 ||
    while read -r line; do
      # shellcheck disable=SC2086
      conntrack $line >/dev/null 2>&1 || :
    done <"$WORK/refused"
}

# refused_flows DIRECTORY SPARED: arguments for conntrack, a line for each flow of $WORK/flows that is to go, and to
# $WORK/sockets arguments for ss, fifty sockets of the host a line, that have TCP flows among them. Each flow
# is taken through the payload's chains as its first packet would be. Where it came in is told by its source: this host, a
# bridge of containers, or else outside.
refused_flows() {
  peers=$1/peers
  [ -e "$peers" ] || peers=$ETC/peers
  awk -v spared="$2" -v sets="$1/sets" -v peers="$peers" -v sockets="$WORK/sockets" '
    # An address as ones and zeros behind its family. The shorter form of IPv6 leaves out at least two groups.
    function bits(address,   i, part, text) {
      if (address in known) return known[address]
      text = address
      if (text ~ /:/) {
        while (split(text, part, ":") < 8 && sub(/::/, "::0:", text));
        text = 6
        for (i = 1; i <= 8; i++) {
          part[i] = substr("0000" part[i], length(part[i]) + 1)
          text = text byte["x" substr(part[i], 1, 2)] byte["x" substr(part[i], 3)]
        }
      } else {
        split(text, part, ".")
        text = 4 byte[part[1]] byte[part[2]] byte[part[3]] byte[part[4]]
      }
      return known[address] = text
    }
    function prefix(network,   part) {
      split(network, part, "/")
      return substr(bits(part[1]), 1, part[2] == "" ? 129 : part[2] + 1)
    }
    function inside(address, network) {
      network = prefix(network)
      return substr(bits(address), 1, length(network)) "" == network
    }
    # A set is read when a flow asks for it: most never do, and they may be long.
    function in_set(name, address,   i, n, file, line, part) {
      file = name == "hc-peers" ? peers : sets
      if (!(name in asked)) {
        while ((getline line <file) > 0) {
          n = split(line, part, " ")
          if (file == peers || n == 3 && part[2] == name) member[name, prefix(part[n])] = 1
        }
        close(file)
        asked[name] = 1
      }
      for (i = 1; i <= 129; i++) if ((name, substr(bits(address), 1, i)) in member) return 1
      return 0
    }
    function in_range(port, range,   end) { return port != "" && port + 0 >= range + 0 && port + 0 <= substr(range, index(range, ":") + 1) + 0 }
    function like(name, pattern) { return sub(/\+$/, "", pattern) ? index(name, pattern) == 1 : name == pattern }
    function holds(rule, key,   want) {
      want = value[rule, key]
      if (key == "-s") return inside(from, want)
      if (key == "-d") return inside(at_last, want)
      if (key == "-i") return like(came_by, want)
      if (key == "-o") return like(went_by, want)
      if (key == "-p") return protocol == want
      if (key == "--sport") return in_range(sport, want)
      if (key == "--dport") return in_range(last_port, want)
      if (key == "--ctorigdstport") return in_range(dport, want)
      if (key == "--ctstate") return want == "NEW" || want == "DNAT" && translated
      if (key == "--match-set") return in_set(want, side[rule] == "src" ? from : at_last)
      return 0
    }
    function socket(address, port) { return (address ~ /:/ ? "[" address "]" : address) ":" port }
    # What becomes of the first packet: RETURN, or anything else for refused.
    function verdict(chain,   i, k, n, key, rule, fits) {
      for (i = 1; i <= rules[chain]; i++) {
        rule = chain SUBSEP i
        n = split(keys[rule], key)
        fits = target[rule] != "-jLOG"
        for (k = 1; k <= n && fits; k++) fits = holds(rule, key[k]) != negated[rule, key[k]]
        if (fits) return target[rule] ~ /^-g/ ? verdict(family substr(target[rule], 3)) : target[rule]
      }
      return "-jRETURN"
    }
    BEGIN {
      split(spared, keep)
      for (i = 0; i < 256; i++) {
        text = ""
        for (k = 128; k >= 1; k /= 2) text = text int(i / k) % 2
        byte[i] = byte[sprintf("x%02x", i)] = text
      }
    }
    src == "rules" && $1 == "-A" && $2 ~ /^HC-(IN|CTR|FWD|EGRESS)$/ {
      gsub(/ --(comment|log-prefix) ("[^"]*"|[^ ]+)/, "")
      chain = family $2
      rules[chain]++
      rule = chain SUBSEP rules[chain]
      no = 0
      for (i = 3; i <= NF; i++) {
        key = $i
        if (key == "!") no = 1
        # A first packet has no other flags.
        else if (key == "--tcp-flags") target[rule] = "-jLOG"
        else if (key ~ /^-[jg]$/ && !(rule in target)) target[rule] = key $(i + 1)
        else if (key ~ /^(-[sdiop]|--([sd]port|ctorigdstport|ctstate|match-set|icmp(v6)?-type))$/) {
          keys[rule] = keys[rule] " " key
          value[rule, key] = $(i + 1)
          negated[rule, key] = no
          no = 0
          if (key == "--match-set") { value[rule, key] = ($(++i) ~ /^hc-peers/ ? "hc-peers" : $i); side[rule] = $(i + 1) }
        } else if (key !~ /^(-[mjg]|--(ctdir|reject-with|limit|hashlimit-.*))$/) { bad = 1; exit }
        i += (key != "!") + (key == "--tcp-flags")
      }
    }
    src == "addresses" { address = $4; sub(/\/.*/, "", address); ours[address] = $2; interface[$4] = $2 }
    src == "flows" {
      protocol = $1 == "unknown" && $2 == 50 ? "esp" : $1
      from = to = back_to = sport = dport = at_last = last_port = ""
      # The original direction comes first; in the other one the source is where the flow was led to.
      for (i = 3; i <= NF; i++) {
        if (split($i, pair, "=") != 2) continue
        if (pair[1] == "src") { if (from == "") from = pair[2]; else at_last = pair[2] }
        if (pair[1] == "dst") { if (to == "") to = pair[2]; else back_to = pair[2] }
        if (pair[1] == "sport") { if (sport == "") sport = pair[2]; else last_port = pair[2] }
        if (pair[1] == "dport" && dport == "") dport = pair[2]
      }
      if (ours[from] || at_last == "" || to ~ /^(22[4-9]|23[0-9]|255)\.|^ff/) next
      if (protocol == "tcp" && from == keep[1] && sport == keep[2] && dport == keep[4]) next
      family = from ~ /:/ ? 6 : 4
      translated = at_last != to || last_port != dport && dport != ""
      came_by = "outside"
      # A flow that took one of our addresses left by the interface that has it.
      went_by = ours[back_to]
      # Bridges of containers are those that the rules name.
      for (network in interface)
        for (i = 1; i <= rules[family "HC-FWD"]; i++) {
          rule = family "HC-FWD" SUBSEP i
          if (keys[rule] != " -i" || !like(interface[network], value[rule, "-i"])) continue
          if (inside(from, network)) came_by = interface[network]
          if (inside(at_last, network)) went_by = interface[network]
        }
      if ($1 ~ /^icmp/ && (came_by == "outside" || ours[at_last])) next
      if (verdict(family (ours[at_last] ? "HC-IN" : "HC-FWD")) ~ /^-j(RETURN|ACCEPT)$/) next
      if (protocol == "tcp" && ours[at_last]) {
        printf "%s( src %s dst %s )", (ends % 50 ? " or " : ends ? "\n" : ""), socket(at_last, last_port), socket(from, sport) >sockets
        ends++
      }
      printf "-D -p %s -s %s -d %s", ($1 == "unknown" ? $2 : $1), from, to
      if (dport != "") printf " --sport %s --dport %s", sport, dport
      print ""
    }
    END {
      if (ends) print "" >sockets
      exit bad
    }
  ' src=rules family=4 "$1/4" family=6 "$1/6" src=addresses "$WORK/addresses" src=flows "$WORK/flows"
}
