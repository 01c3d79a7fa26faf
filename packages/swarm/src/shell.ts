/** One word of shell, whatever is in it. */
export function quote(value: string): string {
  return `'${value.replaceAll("'", "'\\''")}'`;
}

/** Variables of a program, a line each. */
export function assignments(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${quote(value)}\n`)
    .join("");
}

/** A wait that has an end. */
export const untilTrue = `# until_true SECONDS COMMAND...: false when it did not come true in time. In COMMAND, seconds_left says how long it has.
until_true() {
  seconds_left=$1 end=$(($(date +%s) + $1))
  shift
  until "$@"; do
    seconds_left=$((end - $(date +%s)))
    if [ "$seconds_left" -le 0 ]; then
      seconds_left=
      return 1
    fi
    sleep 1
  done
  seconds_left=
}
`;

/**
 * Docker, which may accept a request and never answer it. A request that is cut off fails with status 124: nothing may take that
 * for an answer. To be defined after any look for the client, which it hides.
 */
export const boundedDocker = `# docker ARGUMENTS...: within 60 s; in a wait within what is left of it, but 10 s at least.
docker() {
  docker_seconds=\${seconds_left:-60} docker_status=0
  if [ "$docker_seconds" -gt 60 ]; then docker_seconds=60; fi
  if [ "$docker_seconds" -lt 10 ]; then docker_seconds=10; fi
  timeout --kill-after=5 "$docker_seconds" docker "$@" || docker_status=$?
  # 137: also of its signal it took no notice.
  case $docker_status in 124 | 137)
    docker_status=124
    printf 'no answer from Docker within %s s: docker %s\\n' "$docker_seconds" "$1\${2+ $2}" >&2
    ;;
  esac
  return "$docker_status"
}
`;
