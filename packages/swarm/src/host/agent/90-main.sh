# shellcheck shell=sh
usage() {
  cat <<'EOF'
usage: hcloud-iptables.sh COMMAND

  apply [--probation SECONDS] [--keep-swarm] [--keep-live-peers]
                                load the payload (and peers) on standard input; with probation the host goes back to the
                                payload before it unless it is confirmed in time; with keep-swarm it is refused if it would
                                cut off a node of its swarm; with keep-live-peers such nodes stay peers until settle
  settle                        let go of the peers that the last bundle did not name
  confirm DIGEST                end the probation of the payload with that SHA-256 digest
  rollback                      go back to the payload before the one on probation
  boot                          load the stored payload; without a valid one SSH stays open and everything else is shut
  check                         compare with the stored payload, say what drifted, repair it
  prepare-docker                give Docker the options that its version needs; fails where the rules would not be in force
  verify [--json]               named checks of everything that must hold; changes nothing
  status [--json]               what is in force
  remove                        take all of it away

status: 0 done, 1 verification failed, 2 wrong usage; nothing changed: 3 bad payload, 4 could not be done
EOF
}

status() {
  digest=none
  [ ! -e "$ETC/payload" ] || digest=$(digest_of "$ETC/payload")
  probation=false
  [ ! -e "$VAR/probation" ] || probation=true
  case ${1-} in
    --json) printf '{"digest":"%s","probation":%s,"peers":%d}\n' "$digest" "$probation" "$(stored_peers | grep -c '' || :)" ;;
    '') printf 'payload %s\non probation: %s\npeers: %s\n' "$digest" "$probation" "$(stored_peers | tr '\n' ' ')" ;;
    *) die 2 "status does not know $1" ;;
  esac
}

# Everything of ours leaves; DOCKER-USER stays where it is Docker's or holds rules of others, and so does the jump to it.
unload() {
  readable || die 4 'nothing was removed'
  make_nothing
  { plan_sets "$WORK/nothing" && plan_rules "$WORK/nothing"; } || die 4 'nothing was removed'
  for family in 4 6; do
    commit "$family" || die 4 "the rules for IPv$family could not be removed"
  done
  forget_live
  for family in 4 6; do drop_docker_user "$family"; done
  drop_sets
}

# drop_docker_user FAMILY: an empty DOCKER-USER where Docker keeps no other chain is one that we made.
drop_docker_user() {
  snapshot "$1"
  awk '
    /^\*/ { filter = $0 == "*filter" }
    !filter { next }
    /^:DOCKER-USER / { there = 1; next }
    /^:DOCKER/ || /^-A DOCKER-USER / { needed = 1 }
    /^-A [^ ]+ -j DOCKER-USER$/ { jumps = jumps "-D" substr($0, 3) "\n" }
    END { if (there && !needed) printf "*filter\n%s-X DOCKER-USER\nCOMMIT\n", jumps }
  ' "$WORK/live.$1" >"$WORK/drop.$1"
  [ -s "$WORK/drop.$1" ] || return 0
  tool "$1" -restore -w 30 --noflush <"$WORK/drop.$1" || say "DOCKER-USER of IPv$1 stays: something else refers to it"
  forget_live
}

remove() {
  stop_probation
  unload
  forget_docker
  for name in hc-peers4 hc-peers6; do ipset destroy "$name" 2>/dev/null || :; done
  rm -rf "$ETC" "$VAR"
  say removed
}

main() {
  command=${1-}
  [ $# -eq 0 ] || shift
  case $command in
    -h | --help | help)
      usage
      exit 0
      ;;
    apply | settle | confirm | rollback | boot | check | prepare-docker | verify | status | remove) ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
  make_workspace
  case "$command ${1-}" in
    status* | prepare-docker*) ;;
    # The way back, whose timer comes once, and the repair must not be lost to whoever is at it just then: a look at a busy
    # host takes minutes. HC_PATIENCE is for tests.
    'rollback --'* | check*) take_lock 1800 ;;
    *) take_lock "${HC_PATIENCE-120}" ;;
  esac
  case $command in
    check) check_and_repair ;;
    prepare-docker) prepare_docker ;;
    verify) verify "$@" || exit 1 ;;
    *) "$command" "$@" ;;
  esac
}

main "$@"
