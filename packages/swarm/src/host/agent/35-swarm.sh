# shellcheck shell=sh
# The swarm that a host is in already, as its own Docker knows it.

# live_swarm_peers: addresses of the other nodes, one a line: the managers that this node dials, and everybody it gossips with
# on the ingress network. Nothing where there is no swarm; status 1 where there may be one and Docker does not
# answer within a minute.
live_swarm_peers() {
  command -v docker >/dev/null || return 0
  swarm=$(timeout -s 9 60 docker info --format '{{.Swarm.LocalNodeState}} {{.Swarm.NodeAddr}}{{range .Swarm.RemoteManagers}} {{.Addr}}{{end}}' 2>/dev/null) || {
    # No key and no certificate of a swarm, no swarm.
    [ ! -e "$ROOT/var/lib/docker/swarm/certificates" ] || return 1
    return 0
  }
  case $swarm in
    active*) ;;
    inactive* | '' | ' '*) return 0 ;;
    *) return 1 ;;
  esac
  # 1: no such network.
  gossip=$(timeout -s 9 60 docker network inspect ingress --format '{{range .Peers}} {{.IP}}{{end}}' 2>/dev/null) || [ $? = 1 ] || return 1
  swarm=${swarm#* }$gossip
  echo "$swarm" | tr ' ' '\n' | sed -E '1d; s/\[(.*)\].*/\1/; s/(.*\..*):.*/\1/' | awk -v own="${swarm%% *}" 'NF && $0 != own && !seen[$0]++'
}

# keep_swarm DIRECTORY: refuses a bundle whose peers leave out one of the live ones, for that node would be cut off. One that is
# kept for as long as it lives (keep-live-peers) is not.
keep_swarm() {
  live_swarm_peers >"$WORK/swarm-peers" ||
    die 3 'nothing changed: Docker does not say which nodes of the swarm must not be cut off'
  if [ -e "$1/peers" ]; then cp "$1/peers" "$WORK/kept-peers"; else stored_peers >"$WORK/kept-peers"; fi
  [ -z "$keep_live" ] || stored_peers >>"$WORK/kept-peers"
  cut=$(grep -vFxf "$WORK/kept-peers" "$WORK/swarm-peers" | tr '\n' ' ' || :)
  [ -z "$cut" ] || die 3 "nothing changed: it would cut off nodes of the running swarm: ${cut% }. Name them as peers"
}
