# shellcheck shell=sh
# The swarm that a host is in already, as its own Docker knows it.

# live_swarm_peers: addresses of the other nodes, one a line: the managers that this node dials, and everybody it gossips with
# on the ingress network. Nothing where there is no swarm; status 1 where there may be one and Docker does not answer.
live_swarm_peers() {
  command -v docker >/dev/null || return 0
  swarm=$(docker info --format '{{.Swarm.LocalNodeState}} {{.Swarm.NodeAddr}}' 2>/dev/null) || {
    # No key and no certificate of a swarm, no swarm.
    [ ! -e "$ROOT/var/lib/docker/swarm/certificates" ] || return 1
    return 0
  }
  case ${swarm%% *} in
    inactive | '') return 0 ;;
    active) ;;
    *) return 1 ;;
  esac
  {
    docker info --format '{{range .Swarm.RemoteManagers}}{{.Addr}}{{"\n"}}{{end}}' | sed -E 's/:[0-9]+$//; s/^\[(.*)\]$/\1/'
    docker network inspect ingress --format '{{range .Peers}}{{.IP}}{{"\n"}}{{end}}' 2>/dev/null || :
  } | awk -v own="${swarm#* }" '$0 != "" && $0 != own && !seen[$0]++'
}

# keep_swarm DIRECTORY: refuses a bundle whose peers leave out one of the live ones, for that node would be cut off. One that is
# kept for as long as it lives (keep-live-peers) is not.
keep_swarm() {
  live_swarm_peers >"$WORK/swarm-peers" ||
    die 3 'nothing changed: this host is in a swarm, and its Docker does not say which nodes must not be cut off'
  if [ -e "$1/peers" ]; then cp "$1/peers" "$WORK/kept-peers"; else stored_peers >"$WORK/kept-peers"; fi
  [ -z "$keep_live" ] || stored_peers >>"$WORK/kept-peers"
  cut=$(grep -vFxf "$WORK/kept-peers" "$WORK/swarm-peers" | tr '\n' ' ' || :)
  [ -z "$cut" ] || die 3 "nothing changed: it would cut off nodes of the running swarm: ${cut% }. Name them as peers"
}
