# shellcheck shell=sh
# Flows that a new payload refuses: an established one would outlive the rule that let it in.

# opened DIRECTORY FAMILY: `PROTOCOL FIRST LAST` of each opening for the host or its published ports.
opened() {
  [ -e "$1/$2" ] || return 0
  awk '
    $1 == "-A" && ($2 == "HC-IN" || $2 == "HC-FWD") && $NF == "RETURN" {
      protocol = ports = ""
      for (i = 3; i < NF; i++) {
        if ($i == "-p") protocol = $(i + 1)
        if ($i == "--ctorigdstport" || $i == "--dport") ports = $(i + 1)
      }
      if (protocol != "" && ports != "") { n = split(ports, range, ":"); print protocol, range[1], range[n] }
    }' "$1/$2"
}

# end_refused_flows OLD NEW SPARED: deletes the flows to this host whose port the old payload opened and the new one does not.
# SPARED is an SSH_CONNECTION (client, its port, server, its port) that must live a little longer, or empty.
# A port whose sources became fewer keeps its flows.
end_refused_flows() {
  command -v conntrack >/dev/null || return 0
  for family in 4 6; do
    opened "$1" "$family" >"$WORK/opened.old"
    opened "$2" "$family" >"$WORK/opened.new"
    cmp -s "$WORK/opened.old" "$WORK/opened.new" && continue
    ip -o "-$family" addr show | awk '{ sub(/\/.*/, "", $4); print $4 }' >"$WORK/addresses"
    conntrack -L -f "ipv$family" 2>/dev/null | awk -v spared="$3" '
      function within(set, protocol, port,   i) {
        for (i = 1; i <= n[set]; i++)
          if (protocols[set, i] == protocol && port >= low[set, i] + 0 && port <= high[set, i] + 0) return 1
        return 0
      }
      BEGIN { split(spared, keep, " ") }
      src == "old" || src == "new" { i = ++n[src]; protocols[src, i] = $1; low[src, i] = $2; high[src, i] = $3; next }
      src == "addresses" { ours[$1] = 1; next }
      {
        from = to = sport = dport = ""
        # The original direction comes first.
        for (i = 1; i <= NF; i++) {
          split($i, pair, "=")
          if (pair[1] == "src" && from == "") from = pair[2]
          if (pair[1] == "dst" && to == "") to = pair[2]
          if (pair[1] == "sport" && sport == "") sport = pair[2]
          if (pair[1] == "dport" && dport == "") dport = pair[2]
        }
        if (!(to in ours) || from in ours || !within("old", $1, dport + 0) || within("new", $1, dport + 0)) next
        if (from == keep[1] && sport == keep[2] && dport == keep[4]) next
        print $1, from, to, sport, dport
      }
    ' src=old "$WORK/opened.old" src=new "$WORK/opened.new" src=addresses "$WORK/addresses" src=flows - |
      while read -r protocol from to sport dport; do
        conntrack -D -f "ipv$family" -p "$protocol" -s "$from" -d "$to" --sport "$sport" --dport "$dport" >/dev/null 2>&1 || :
      done
  done
}
