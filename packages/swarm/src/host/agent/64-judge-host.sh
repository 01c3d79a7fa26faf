# shellcheck shell=sh
# What around the rules decides whether they hold: systemd's units, Docker's options, the swarm, who listens.

# judge_units: check lines about units. Needs $WORK/units.
judge_units() {
  awk -v firewall="$UNIT" -v self="$SELF" -v strangers="$STRANGERS" '
    function line(name, must, is) { printf "%s\t%s\t%s\n", name, must, is }
    function of(unit, key) { return value[unit, key] }
    function listed(word, list) { return index(" " list " ", " " word " ") ? "yes" : "no" }
    # Whether a unit runs exactly this, once.
    function runs(text, arguments,   rest, count) {
      rest = text
      while (match(rest, /argv\[\]=/)) { count++; rest = substr(rest, RSTART + RLENGTH) }
      return count == 1 && index(text, "argv[]=" self " " arguments " ;") ? "yes" : text
    }
    function looks(text) {
      return index(text, "argv[]=" self " check ;") && index(text, "argv[]=" self " verify ;") ? "yes" : text
    }
    function file_state(unit) { return of(unit, "NeedDaemonReload") == "no" ? "as systemd has read it" : "changed since systemd read it" }
    $0 == "" { keep(); next }
    {
      at = index($0, "=")
      key = substr($0, 1, at - 1)
      if (key in record) record[key] = record[key] " " substr($0, at + 1)
      else record[key] = substr($0, at + 1)
    }
    function keep(   key) {
      for (key in record) value[record["Id"], key] = record[key]
      split("", record)
    }
    END {
      keep()
      timer = "hcloud-iptables-check.timer"
      checker = "hcloud-iptables-check.service"
      line("unit-enabled", "enabled", of(firewall, "UnitFileState"))
      line("unit-active", "active", of(firewall, "ActiveState"))
      line("unit-runs-agent", "yes", runs(of(firewall, "ExecStart"), "boot"))
      before = of(firewall, "Before")
      line("unit-before-network", "yes", listed("network-pre.target", before))
      line("unit-file-current", "as systemd has read it", file_state(firewall))
      line("timer-enabled", "enabled", of(timer, "UnitFileState"))
      line("timer-active", "active", of(timer, "ActiveState"))
      line("timer-runs-agent", "yes", looks(of(checker, "ExecStart")))
      n = split(strangers, names, " ")
      for (i = 1; i <= n; i++) {
        unit = names[i] ".service"
        state = of(unit, "LoadState")
        active = of(unit, "ActiveState")
        # Absent is as good as masked, but for nftables: its stop flushes everything, and iptables brings it back one day.
        # Masked while it ran, nftables may stay so, for stopping it flushes.
        if (names[i] == "nftables") { line("no-nftables", "masked", state); continue }
        fine = (state == "masked" || state == "not-found") && active != "active"
        line("no-" names[i], "masked or absent", fine ? "masked or absent" : state ", " active)
      }
      docker = "docker.service"
      if (of(docker, "LoadState") != "loaded") exit
      line("docker-requires-firewall", "yes", listed(firewall, of(docker, "Requires")))
      line("docker-after-firewall", "yes", listed(firewall, of(docker, "After")))
      line("docker-drop-in", "yes", index(of(docker, "DropInPaths"), "/10-hcloud-iptables.conf") ? "yes" : "no")
      line("docker-start-checked", "yes", index(of(docker, "ExecStartPost"), "argv[]=" self " check ;") ? "yes" : "no")
      line("docker-unit-current", "as systemd has read it", file_state(docker))
      sockets = of("docker.socket", "Listen")
      gsub(/ \((Stream|SequentialPacket|Datagram)\)/, "", sockets)
      k = split(sockets, socket, " ")
      for (i = 1; i <= k; i++) if (socket[i] !~ /^[\/@]/) remote = remote socket[i] " "
      line("docker-socket-local", "", remote)
    }' "$WORK/units"
}

# judge_docker: check lines about the Docker that runs, and what it would be told at its next start.
judge_docker() {
  if [ -r "$ROOT/etc/default/docker" ]; then sed 's/#.*//' "$ROOT/etc/default/docker"; fi >"$WORK/defaults"
  if [ -r "$ROOT/etc/docker/daemon.json" ]; then cat "$ROOT/etc/docker/daemon.json"; fi >"$WORK/daemon-json"
  opened_by_payload >"$WORK/opened"
  stored_peers >"$WORK/named-peers"
  slice=
  [ ! -e "$WORK/stored/4" ] || slice=$(cgroup_of "$WORK/stored")
  awk -v root="$ROOT" -v slice="$slice" '
    function line(name, must, is) { printf "%s\t%s\t%s\n", name, must, is }
    function add(list, word) { return index(" " list, " " word " ") ? list : list word " " }
    # all(TEXT, PATTERN): everything in it that fits.
    function all(text, pattern,   found) {
      while (match(text, pattern)) { found = add(found, substr(text, RSTART, RLENGTH)); text = substr(text, RSTART + RLENGTH) }
      return found
    }
    # text_of(JSON, KEY): the first string of that name.
    function text_of(json, key) {
      if (!match(json, "\"" key "\":\"[^\"]*\"")) return ""
      return substr(json, RSTART + length(key) + 4, RLENGTH - length(key) - 5)
    }
    function private(address) {
      if (address ~ /^(10|192\.168|172\.(1[6-9]|2[0-9]|3[01]))\./ || address ~ /^[fF][cdCD][0-9a-fA-F][0-9a-fA-F]:/) return "private"
      return address == "" ? "none" : address
    }
    src == "units" {
      if ($0 == "") unit_text = is_docker = ""
      if ($0 ~ /^(ExecStart|Environment)=/) unit_text = unit_text " " $0
      if ($0 == "Id=docker.service") is_docker = 1
      if (is_docker) docker_unit = unit_text
      next
    }
    src == "words" { words = words " " $0; next }
    src == "daemon" { daemon = daemon $0; next }
    src == "info" { info = info $0; next }
    src == "networks" { networks = networks $0; next }
    src == "peers" { peers++; if (private($0) != "private") public++; next }
    src == "opened" { o++; by[o] = $1; protocol[o] = $2; low[o] = $3 + 0; high[o] = $4 + 0; next }
    src == "listeners" { listener[++l] = $0; next }
    function opened(where, transport, port,   i) {
      for (i = 1; i <= o; i++) if (by[i] == where && protocol[i] == transport && port >= low[i] && port <= high[i]) return 1
      return 0
    }
    END {
      gsub(/[ \t]/, "", daemon)
      text = words " " docker_unit " "
      found = all(text, "--(iptables|ip6tables)=\"?(false|False|FALSE|f|F|0)") all(daemon, "\"(iptables|ip6tables)\":false")
      line("docker-iptables-on", "", found)

      # Only Docker 29 and later tell.
      backend = "iptables"
      if (match(info, /"FirewallBackend":[{]"Driver":"[^"]*/)) backend = substr(info, RSTART + 29, RLENGTH - 29)
      sub(/\+firewalld$/, "", backend)
      asked = all(text, "--firewall-backend[= ][^ \"]*") all(daemon, "\"firewall-backend\":\"[^\"]*\"") all(text, "DOCKER_FIREWALL_BACKEND=[^ \"]*")
      n = split(asked, wanted, " ")
      for (i = 1; i <= n; i++) if (wanted[i] !~ /iptables"?$/ && wanted[i] !~ /=$/) backend = wanted[i]
      line("docker-backend", "iptables", backend)

      line("docker-raw-rules-on", "", all(text, "DOCKER_INSECURE_NO_IPTABLES_RAW=[^ \"]+"))
      direct = all(text, "--allow-direct-routing(=\"?(true|True|TRUE|t|T|1))? ") all(daemon, "\"allow-direct-routing\":true")
      direct = direct all(text daemon networks, "gateway_mode_ipv[46]\"?[:=]\"?nat-unprotected")
      line("docker-no-direct-routing", "", direct)

      api = all(text, "(-H|--host)[= ]?\"?tcp://[^ \"]*") all(daemon, "\"hosts\":\\[[^]]*tcp://[^\"]*")
      for (i = 1; i <= l; i++) {
        split(listener[i], part, " ")
        port = part[5]
        sub(/.*:/, "", port)
        if (part[1] == "tcp" && (port == 2375 || port == 2376)) { api = add(api, part[5]); continue }
        address = substr(part[5], 1, length(part[5]) - length(port) - 1)
        if (address ~ /^(127\.|\[::1\])/ || listener[i] ~ /users:\(\("(dockerd|docker-proxy)"/) continue
        # Published ports are open on the host over IPv6, for docker-proxy; without this a daemon of the host would be, too.
        only_v4 = address ~ /^[0-9]+\./
        if (!only_v4 && opened("published6", part[1], port) && opened("host6", part[1], port) && !opened("host4", part[1], port))
          heard = add(heard, part[1] "/" port " by " (part[7] == "" ? "the kernel" : part[7]))
      }
      line("docker-api-local", "", api)
      line("no-listener-on-published-ports", "", heard)

      if (slice != "") line("docker-cgroup-parent", slice, text_of(daemon, "cgroup-parent"))

      line("docker-answers", "yes", info == "" ? "no" : "yes")
      if (info !~ /"LocalNodeState":"active"/) exit
      state = text_of(info, "DockerRootDir")
      state = root (state == "" ? "/var/lib/docker" : state) "/swarm/docker-state.json"
      while ((getline text <state) > 0) swarm = swarm text
      # A swarm that was there before us may run over public addresses: who adopts it names them. Alone it talks to nobody.
      meant = public || (slice == "" && !peers)
      own = private(text_of(info, "NodeAddr"))
      line("swarm-address-private", meant ? own : "private", own)
      path = text_of(swarm, "DataPathAddr")
      if (path == "") { path = text_of(swarm, "AdvertiseAddr"); sub(/:[0-9]+$/, "", path); gsub(/[][]/, "", path) }
      if (path == "") path = text_of(info, "NodeAddr")
      line("data-path-address-private", meant ? private(path) : "private", private(path))
    }' src=units "$WORK/units" src=words "$WORK/cmdline" "$WORK/environ" "$WORK/defaults" src=daemon "$WORK/daemon-json" \
    src=info "$WORK/info" src=networks "$WORK/networks" src=opened "$WORK/opened" src=listeners "$WORK/listeners" src=peers "$WORK/named-peers"
}

# opened_by_payload: `host4|host6|published6 PROTOCOL FIRST LAST`, what the payload opens by the port that is dialed.
opened_by_payload() {
  [ -e "$WORK/stored/6" ] || return 0
  awk '
    $1 == "-A" && ($2 == "HC-IN" || $2 == "HC-FWD") && $NF == "RETURN" {
      protocol = port = ""
      for (i = 3; i < NF; i++) {
        if ($i == "-p") protocol = $(i + 1)
        if ($i == "--ctorigdstport") port = $(i + 1)
      }
      if (port == "") next
      n = split(port, range, ":")
      print ($2 == "HC-IN" ? "host" : "published") family, protocol, range[1], range[n]
    }' family=4 "$WORK/stored/4" family=6 "$WORK/stored/6"
}
