/** A swarm's manager for programs that run on one: its `docker` is a script over files, changed as the real one would. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { hangs, lateDate, shortTimeout } from "./silentDocker";

export interface ManagersDocker {
  /** Further cases of `node inspect`, by the format in `$5`; the node is `$id`. */
  readonly inspect: string;
  /** What `node update` does; the node is `$id`. */
  readonly update: string;
  /** Further commands. Default: none. */
  readonly more?: string;
}

/** One file `NODE.node` a node: `role state availability reachability` and what else a test keeps there, `-` for nothing. */
const docker = ({ inspect, update, more = "" }: ManagersDocker) => `echo "$*" >>"$FAKE/calls"
${hangs}
get() { cut -d ' ' -f "$2" "$FAKE/$1.node"; }
hostname() { cat "$FAKE/$id.hostname" 2>/dev/null || echo "prod-$id"; }
change() { awk -v f="$2" -v v="$3" '{ $f = v; print }' "$FAKE/$1.node" >"$FAKE/new" && mv "$FAKE/new" "$FAKE/$1.node"; }
case "$*" in
'node ls'*)
  [ ! -e "$FAKE/leaderless" ] || { echo 'The swarm does not have a leader' >&2; exit 1; }
  for file in "$FAKE"/*.node; do
    id=$(basename "$file" .node)
    case "$*" in
    *role=manager*) [ "$(get "$id" 1)" = manager ] || continue ;;
    *id=*) [ "$id" = "\${5#id=}" ] || continue ;;
    esac
    echo "$id"
  done ;;
'node inspect'*)
  id=$3
  case "$5" in
  *Spec.Role*) get "$id" 1 ;;
  *'Status.State}} {{with'*) if [ "$(get "$id" 1)" = manager ]; then echo "$(get "$id" 2) $(get "$id" 4)"; else echo "$(get "$id" 2) worker"; fi ;;
  *'Status.State}} {{.Description.Hostname'*) echo "$(get "$id" 2) $(hostname)$([ "$(get "$id" 4)" = - ] || echo manager)" ;;
  *'Status.State}} {{.Spec.Availability'*) echo "$(get "$id" 2) $(get "$id" 3)" ;;
  *Status.State*) get "$id" 2 ;;
  *Availability*) get "$id" 3 ;;
  ${inspect}
  *Hostname*) hostname ;;
  *) echo "unexpected: docker $*" >&2; exit 99 ;;
  esac ;;
'node update'*)
  for id; do :; done
  ${update} ;;
'node ps'*) cat "$FAKE/tasks" ;;
'service ls'*) cat "$FAKE/wanting" ;;
${more}
*) echo "unexpected: docker $*" >&2; exit 99 ;;
esac
`;

/** Made anew for each test. `tasks` and `wanting` hold what runs on a node and which services lack tasks. */
export function fakeManager(cases: ManagersDocker) {
  let dir = "";
  const set = (files: Record<string, string>): void => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text === "" ? "" : `${text}\n`);
  };
  const read = (name: string) => (existsSync(join(dir, name)) ? readFileSync(join(dir, name), "utf8").trim() : "");
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "manager-"));
    const programs = { docker: docker(cases), sleep: "", timeout: shortTimeout, date: lateDate() };
    for (const [name, text] of Object.entries(programs)) {
      writeFileSync(join(dir, name), `#!/bin/sh\n${text}\n`);
      chmodSync(join(dir, name), 0o755);
    }
    set({ tasks: "", wanting: "" });
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));
  return {
    set,
    read,
    /** The calls of docker so far that the expression fits. */
    calls: (which: RegExp) =>
      read("calls")
        .split("\n")
        .filter((call) => which.test(call)),
    run(input: string | undefined) {
      const env = { ...process.env, PATH: `${dir}:${process.env.PATH}`, FAKE: dir };
      const { status, stdout, stderr } = spawnSync("sh", ["-s"], { input, encoding: "utf8", env });
      return { status, stdout, stderr };
    },
  };
}
