import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { fakeManager } from "../testing/fakeManager";
import { activateProgram, drainProgram } from "./managerProgram";

/** A node's fifth and sixth words are its labels: what it was before it was drained, and which maintenance was its last. */
const { set, read, calls, run } = fakeManager({
  inspect: `*'"hcloud-swarm.away"'*) get "$id" 5 | sed 's/^-$//' ;;
  *'"hcloud-swarm.maintained"'*) get "$id" 6 | sed 's/^-$//' ;;`,
  update: `shift 2
  while [ $# -gt 1 ]; do
    case $1 in
    --availability) change "$id" 3 "$2" ;;
    --label-rm) change "$id" 5 - ;;
    --label-add) case $2 in *away=*) change "$id" 5 "\${2#*=}" ;; *) change "$id" 6 "\${2#*=}" ;; esac ;;
    esac
    shift 2
  done
  [ "$(get "$id" 3)" != drain ] || [ -e "$FAKE/stuck" ] || : >"$FAKE/tasks"`,
});
const updates = () => calls(/^node update/);
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

  it("wait for a leader that was elected just now to hear of the nodes", () => {
    const heard = (node: string, text: string) => `#!/bin/sh\necho '${text}' >"$FAKE/${node}.node"`;
    set({ ...three, "w1.node": "worker unknown active - - -", sleep: heard("w1", worker) });
    expect(drain("w1").status).toBe(0);
    expect(read("w1.node")).toBe("worker ready drain - active -");
    set({ ...three, "m2.node": "manager unknown active reachable - -", sleep: heard("m2", manager) });
    expect(drain("m1").status).toBe(0);
    expect(read("m1.node")).toBe("manager ready drain reachable active -");
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

  it.each([
    ["service ls", "w1", 0, /not all come up elsewhere within 2 s/],
    ["role=manager", "m1", 1, /without prod-m1 only/],
    ["Spec.Role", "m1", 124, /no answer from Docker within 60 s: docker node inspect/],
    ["away", "w1", 124, /no answer from Docker within 60 s: docker node inspect/],
    ["Status.State}} {{.Spec.Availability", "w1", 124, /no answer from Docker within 60 s: docker node inspect/],
  ])("take no silence of '%s' for an answer", (hangs, id, status, message) => {
    set({ ...three, hangs });
    expect(drain(id)).toMatchObject({ status, stderr: expect.stringMatching(message) });
    expect(updates()).toHaveLength(status === 0 ? 1 : 0);
  });

  it("put nothing back while its manager's Docker does not say that it is there", () => {
    set({ ...three, "m1.node": "manager ready drain unreachable active -", hangs: "Spec.Role" });
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
