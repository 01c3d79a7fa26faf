import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { activateProgram, drainProgram } from "./managerProgram";

/** A manager's Docker: one file `NODE.node` a node: `role state availability reachability away maintained`, `-` for nothing. */
const docker = `
echo "$*" >>"$FAKE/calls"
get() { cut -d ' ' -f "$2" "$FAKE/$1.node"; }
label() { get "$1" "$2" | sed 's/^-$//'; }
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
  *'"hcloud-swarm.away"'*) label "$id" 5 ;;
  *'"hcloud-swarm.maintained"'*) label "$id" 6 ;;
  *Spec.Role*) get "$id" 1 ;;
  *'Status.State}} {{with'*) if [ "$(get "$id" 1)" = manager ]; then echo "$(get "$id" 2) $(get "$id" 4)"; else echo "$(get "$id" 2) worker"; fi ;;
  *Status.State*) get "$id" 2 ;;
  *Availability*) get "$id" 3 ;;
  *Hostname*) echo "prod-$id" ;;
  *) echo "unexpected: docker $*" >&2; exit 99 ;;
  esac ;;
'node update'*)
  for id; do :; done
  shift 2
  while [ $# -gt 1 ]; do
    case $1 in
    --availability) change "$id" 3 "$2" ;;
    --label-rm) change "$id" 5 - ;;
    --label-add) case $2 in *away=*) change "$id" 5 "\${2#*=}" ;; *) change "$id" 6 "\${2#*=}" ;; esac ;;
    esac
    shift 2
  done
  [ "$(get "$id" 3)" != drain ] || [ -e "$FAKE/stuck" ] || : >"$FAKE/tasks" ;;
'node ps'*) cat "$FAKE/tasks" ;;
'service ls'*) cat "$FAKE/wanting" ;;
*) echo "unexpected: docker $*" >&2; exit 99 ;;
esac`;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "maintenance-"));
  for (const [name, body] of Object.entries({ docker, sleep: ":" })) {
    writeFileSync(join(dir, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(dir, name), 0o755);
  }
  set({ tasks: "", wanting: "" });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));
function set(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text === "" ? "" : `${text}\n`);
}
const read = (name: string) => (existsSync(join(dir, name)) ? readFileSync(join(dir, name), "utf8").trim() : "");
const updates = () =>
  read("calls")
    .split("\n")
    .filter((call) => call.startsWith("node update"));

function run(input: string) {
  const env = { ...process.env, PATH: `${dir}:${process.env.PATH}`, FAKE: dir };
  const { status, stderr } = spawnSync("sh", ["-s"], { input, encoding: "utf8", env });
  return { status, stderr };
}
const plan = (id: string, token = "3") => ({ id, name: `prod-${id}`, token, waitSeconds: 2 });
const drain = (id: string, token?: string) => run(drainProgram({ ...plan(id, token), drainSeconds: 2 }));
const activate = (id: string, outcome = "ok", token = "3") => run(activateProgram({ ...plan(id, token), outcome }));
const manager = "manager ready active reachable - -";
const worker = "worker ready active - - -";
const three = { "m1.node": manager, "m2.node": manager, "m3.node": manager, "w1.node": worker };

describe("drainProgram and activateProgram", () => {
  it("take a node away and put it back, once a maintenance", () => {
    set({ ...three, tasks: "Running 2 minutes ago" });
    expect(drain("w1").status).toBe(0);
    expect(read("w1.node")).toBe("worker ready drain - active -");
    expect(activate("w1").status).toBe(0);
    expect(read("w1.node")).toBe("worker ready active - - 3");
    const done = updates();
    expect(drain("w1")).toMatchObject({ status: 0, stderr: expect.stringContaining("prod-w1 has had maintenance 3") });
    expect(updates()).toEqual(done);
    expect(drain("w1", "4").status).toBe(0);
    expect(read("w1.node")).toBe("worker ready drain - active 3");
  });

  it("leave a node drained that its user drained, and paused one that was paused", () => {
    set({ ...three, "w1.node": "worker ready drain - - -", "w2.node": "worker ready pause - - -" });
    expect(drain("w1")).toMatchObject({ status: 0, stderr: expect.stringContaining("drained already, and stays so") });
    expect(activate("w1").status).toBe(0);
    expect(read("w1.node")).toBe("worker ready drain - - 3");
    drain("w2");
    expect(read("w2.node")).toBe("worker ready drain - pause -");
    activate("w2");
    expect(read("w2.node")).toBe("worker ready pause - - 3");
  });

  it("go on after an interruption", () => {
    set({ ...three, "w1.node": "worker ready drain - active 2" });
    expect(drain("w1").status).toBe(0);
    expect(read("w1.node")).toBe("worker ready drain - active 2");
    activate("w1");
    expect(read("w1.node")).toBe("worker ready active - - 3");
  });

  it("refuse a second node while one is away", () => {
    set({ ...three, "m2.node": "manager ready drain reachable active -" });
    expect(drain("w1")).toMatchObject({ status: 1, stderr: expect.stringMatching(/prod-m2 is away for maintenance/) });
    expect(updates()).toEqual([]);
  });

  it.each([
    [
      "a silent manager",
      { "m2.node": "manager down active unreachable - -" },
      "m1",
      /without prod-m1 only 1 of 3 managers/,
    ],
    ["a node that is down", { "w1.node": "worker down active - - -" }, "w1", /prod-w1 is down/],
    ["no leader", { leaderless: "yes" }, "w1", /no leader/],
    ["a node of another swarm", {}, "w9", /no node of this swarm/],
  ])("touch nothing with %s", (_, files, id, message) => {
    set({ ...three, ...files });
    expect(drain(id)).toMatchObject({ status: 1, stderr: expect.stringMatching(message) });
    expect(updates()).toEqual([]);
  });

  it("maintain the silent manager's workers, and the only manager", () => {
    set({ ...three, "m2.node": "manager down active unreachable - -" });
    expect(drain("w1").status).toBe(0);
    set({ "m2.node": worker, "m3.node": worker, "w1.node": worker });
    expect(drain("m1").status).toBe(0);
    expect(read("m1.node")).toBe("manager ready drain reachable active -");
  });

  it("do not drain the only node, and say so", () => {
    set({ "m1.node": manager });
    expect(drain("m1")).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/is not drained: there is no other/),
    });
    expect(updates()).toEqual([]);
    expect(activate("m1").status).toBe(0);
    expect(read("m1.node")).toBe("manager ready active reachable - 3");
  });

  it("wait for tasks to move, not for ever", () => {
    set({ ...three, tasks: "Running 2 minutes ago", stuck: "yes" });
    expect(drain("w1")).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/not all come up elsewhere within 2 s/),
    });
  });

  it("put a node back whose work failed, and fail then", () => {
    set({ ...three, "w1.node": "worker ready drain - active -" });
    const done = activate("w1", "the upgrade failed: E: it's full");
    expect(done).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/but the upgrade failed: E: it's full .*raise/s),
    });
    expect(read("w1.node")).toBe("worker ready active - - 3");
  });

  it("leave a node drained that the swarm does not see", () => {
    set({ ...three, "m1.node": "manager ready drain unreachable active -" });
    expect(activate("m1")).toMatchObject({ status: 1, stderr: expect.stringMatching(/does not see it after 2 s/) });
    expect(updates()).toEqual([]);
  });

  const shellcheck = spawnSync("shellcheck", ["--version"]).status === 0;
  it.skipIf(!shellcheck)("leave shellcheck nothing to say", () => {
    // SC2317, SC2329: functions that both programs share. SC2046: one word a service is what is wanted.
    const options = ["-s", "sh", "-e", "SC2317,SC2329,SC2046", "-"];
    for (const input of [
      drainProgram({ ...plan("w1"), drainSeconds: 2 }),
      activateProgram({ ...plan("w1"), outcome: "ok" }),
    ])
      expect(spawnSync("shellcheck", options, { input, encoding: "utf8" }).stdout).toBe("");
  });
});
