usage() {
  cat <<'EOF'
usage: hcloud-iptables.sh COMMAND

  apply [--probation SECONDS]   load the payload (and peers) on standard input; with probation the host goes back to the
                                payload before it unless it is confirmed in time
  confirm DIGEST                end the probation of the payload with that SHA-256 digest
  rollback                      go back to the payload before the one on probation
  boot                          load the stored payload; without a valid one SSH stays open and everything else is shut
  check                         compare with the stored payload, say what drifted, repair it
  verify [--json]               named checks of everything that must hold; changes nothing
  status [--json]               what is in force
  remove                        take all rules, chains and sets of this agent away

status: 0 done, 1 verification failed, 2 wrong usage, 3 bad payload (nothing changed), 4 could not be done (nothing changed)
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

# Everything of ours leaves; DOCKER-USER stays, for it is Docker's and may hold rules of others.
remove() {
  stop_probation
  for family in 4 6; do
    for table in $TABLES; do
      {
        echo "*$table"
        live "$family" "$table" | grep -E -- '^-A [A-Z-]+ -j HC-[A-Z]+$' | grep -v -- '^-A HC-' | sed 's/^-A/-D/' || :
        live "$family" "$table" | sed -n 's/^-N \(HC-[A-Z]*\)$/:\1 - [0:0]/p'
        live "$family" "$table" | sed -n 's/^-N \(HC-[A-Z]*\)$/-X \1/p'
        echo COMMIT
      } | "$(tool "$family" -restore)" -w 30 --noflush || die 4 "the rules for IPv$family could not be removed"
    done
  done
  ipset list -n | grep -E '^(new:)?hc-' | while read -r name; do ipset destroy "$name" || :; done
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
    apply | confirm | rollback | boot | check | verify | status | remove) ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
  make_workspace
  [ "$command" = status ] || take_lock
  case $command in
    check) check_and_repair ;;
    verify) verify "$@" || exit 1 ;;
    *) "$command" "$@" ;;
  esac
}

main "$@"
