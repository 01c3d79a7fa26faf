# shellcheck shell=sh
# Options of Docker that depend on its version: a daemon does not start over a key that it does not know. Before each start
# of Docker they are put into daemon.json, or taken out, so that an upgrade and a way back both find what fits.

# `FIRST-MAJOR KEY VALUE` a line. From 29 on Docker can filter with nftables by itself; there is no DOCKER-USER then, so
# what is the default today is written down.
docker_options() {
  echo '29 firewall-backend "iptables"'
  if [ -e "$ETC/docker-options" ]; then cat "$ETC/docker-options"; fi
}

# As in `Docker version 20.10.24+dfsg1, build 297e128`.
docker_major() { dockerd --version 2>/dev/null | sed -n 's/^Docker version \([0-9][0-9]*\)\..*/\1/p'; }

# asked_backends: each backend that Docker is told to use. Docker's unit runs us with Docker's own environment.
asked_backends() {
  tr -d ' \t\n' <"$WORK/daemon.base" | grep -Eo '"firewall-backend":"[^"]*"' | cut -d '"' -f 4
  printf '%s\n' "$docker_flags" | grep -Eo -e '--firewall-backend[= ][^ ;]*' | sed 's/.*[= ]//'
  printf '%s\n' "${DOCKER_FIREWALL_BACKEND-}" | grep . || :
}

# named KEY: whether daemon.json, or Docker's command line, has it already; Docker refuses to be told twice.
named() {
  grep -Eq "\"$1\"[[:space:]]*:" "$WORK/daemon.base" || printf '%s\n' "$docker_flags" | grep -Eq -e "--${1%s}s?[= ]"
}

# wanted_lines MAJOR: what belongs into daemon.json, in its form.
wanted_lines() {
  docker_options | while read -r first key value; do
    if [ "$1" -ge "$first" ] && ! named "$key"; then printf '  "%s": %s\n' "$key" "$value"; fi
  done
}

# insert LINES: prints daemon.base with them at its begin, each on a line of its own.
insert() {
  awk -v file="$1" '
    { text = text $0 "\n" }
    END {
      while ((getline line <file) > 0) mine = mine (mine == "" ? "" : ",\n") line
      at = index(text, "{")
      rest = substr(text, at + 1)
      empty = rest ~ /^[ \t\n]*}[ \t\n]*$/
      if (empty) rest = "\n}\n"
      else if (rest !~ /^\n/) rest = "\n" rest
      printf "%s\n%s%s%s", substr(text, 1, at), mine, (empty ? "" : ","), rest
    }' "$WORK/daemon.base"
}

# base_text FILE: daemon.json without what we put there, which is written down in $VAR/docker-lines.
base_text() {
  if [ ! -s "$1" ]; then
    echo '{}'
  elif [ -e "$VAR/docker-lines" ]; then
    sed 's/$/,/' "$VAR/docker-lines" | cat - "$VAR/docker-lines" | grep -Fxv -f - "$1" || :
  else
    cat "$1"
  fi
}

# write_daemon_json FILE: as a whole or not at all, with the permissions that it has.
write_daemon_json() {
  mkdir -p "${1%/*}"
  if [ -e "$1" ]; then cp -p "$1" "$1.new" || return 1; fi
  put "$WORK/daemon.json" "$1"
}

# prepare_docker: for ExecStartPre of Docker; when it fails, Docker does not start.
prepare_docker() {
  major=$(docker_major)
  [ -n "$major" ] || die 4 'dockerd does not tell its version'
  file=$(readlink -f "$ROOT/etc/docker/daemon.json" || echo "$ROOT/etc/docker/daemon.json")
  base_text "$file" >"$WORK/daemon.base"
  case $(tr -d ' \t\n' <"$WORK/daemon.base") in '{'*'}') ;; *) die 4 "$file is not a JSON object" ;; esac
  docker_flags="${DOCKER_OPTS-} "
  if has_systemd; then docker_flags="$docker_flags$(systemctl show --property=ExecStart docker.service) "; fi
  for backend in $(asked_backends); do
    [ "$backend" = iptables ] ||
      die 4 "Docker is told to filter with $backend, where the policy would not be in force: only iptables is supported"
  done
  wanted_lines "$major" >"$WORK/docker-lines"
  [ -s "$WORK/docker-lines" ] || [ -s "$VAR/docker-lines" ] || return 0
  if [ -s "$WORK/docker-lines" ]; then
    insert "$WORK/docker-lines" >"$WORK/daemon.json"
  else
    cp "$WORK/daemon.base" "$WORK/daemon.json"
  fi
  ! cmp -s "$WORK/daemon.json" "$file" || ! cmp -s "$WORK/docker-lines" "$VAR/docker-lines" || return 0
  # First what is in the file whatever happens next: the old lines or the new ones.
  if [ -e "$VAR/docker-lines" ]; then cat "$VAR/docker-lines"; fi >"$WORK/both"
  cat "$WORK/docker-lines" >>"$WORK/both"
  if ! { put "$WORK/both" "$VAR/docker-lines" && write_daemon_json "$file" && put "$WORK/docker-lines" "$VAR/docker-lines"; }; then
    die 4 "$file could not be written"
  fi
  say "options for Docker $major: $(tr -s ' \n' ' ' <"$WORK/docker-lines")"
}

# forget_docker: takes our lines out of daemon.json.
forget_docker() {
  [ -s "$VAR/docker-lines" ] || return 0
  file=$(readlink -f "$ROOT/etc/docker/daemon.json" || :)
  [ -n "$file" ] && [ -e "$file" ] || return 0
  base_text "$file" >"$WORK/daemon.json"
  write_daemon_json "$file" || say "$file could not be written: our lines are still in it"
}
