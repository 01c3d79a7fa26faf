import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { fakeManager } from "../testing/fakeManager";
import type { Step } from "./transition";
import { forgetMarks, transitionProgram } from "./transitionScript";

/** A node's fifth word says whether it leads. */
const {
  set,
  read,
  calls,
  run: runOnManager,
} = fakeManager({
  inspect: `*'}}yes{{'*)
    [ "$(get "$id" 4)" = - ] || echo yes
    [ ! -e "$FAKE/back" ] || { rm "$FAKE/back"; change "$id" 4 -; date +%s >"$FAKE/let-go"; } ;;
  *Reachability*) get "$id" 4 ;;
  *Leader*) get "$id" 5 ;;
  *hcloud-swarm.founder*) cut -d : -f 1 "$FAKE/$id.mark" 2>/dev/null || : ;;
  *hcloud-swarm.server*) cut -s -d : -f 2 "$FAKE/$id.mark" 2>/dev/null || : ;;
  *hcloud-swarm.demoted*)
    cat "$FAKE/$id.demoted" 2>/dev/null || :
    # It comes back as a manager once, and is let go again.
    [ ! -e "$FAKE/comes-back" ] || { rm "$FAKE/comes-back"; change "$id" 4 reachable; : >"$FAKE/back"; } ;;`,
  update: `case "$*" in
  *'founder=4711 --label-add hcloud-swarm.server='*) mark=\${*#*server=}; echo "4711:\${mark% *}" >"$FAKE/$id.mark" ;;
  *'label-rm hcloud-swarm.server'*) cut -d : -f 1 "$FAKE/$id.mark" >"$FAKE/left" && mv "$FAKE/left" "$FAKE/$id.mark" ;;
  *'label-rm hcloud-swarm.founder'*) rm "$FAKE/$id.mark" ;;
  esac
  case "$*" in *demoted=1*) echo 1 >"$FAKE/$id.demoted" ;; *'label-rm hcloud-swarm.demoted'*) rm "$FAKE/$id.demoted" ;; esac
  case "$*" in
  *'--role worker'*) change "$id" 1 worker; change "$id" 4 -; change "$id" 5 false ;;
  *'--role manager'*) change "$id" 1 manager; change "$id" 4 reachable ;;
  *drain*) change "$id" 3 drain; [ ! -e "$FAKE/stuck" ] || exit 0; : >"$FAKE/tasks"; : >"$FAKE/wanting" ;;
  *pause*) change "$id" 3 pause ;;
  *'availability active'*) change "$id" 3 active ;;
  esac`,
  more: `'node rm'*) for id; do :; done; date +%s >"$FAKE/removed"; rm "$FAKE/$id.node" ;;`,
});
const changes = () => calls(/^node (update|rm)/);

const bounds = { waitSeconds: 2, drainSeconds: 2, demotedSeconds: 1 };
const steps = (...words: string[]): Step[] =>
  words.map((word) => {
    const [action = "", id = ""] = word.split(" ");
    return { action, id, name: `prod-${id}` } as Step;
  });
const founder = "4711";
const program = (...words: string[]) => transitionProgram(steps(...words), bounds, founder);
const run = (...words: string[]) => runOnManager(program(...words));
const manager = "manager ready active reachable false";
const leader = "manager ready active reachable true";
const worker = "worker ready active - false";
const deadManager = "manager down active unreachable false";

describe("transitionProgram", () => {
  it("is nothing where there is nothing to do", () => {
    expect(transitionProgram([], bounds, founder)).toBeUndefined();
  });

  it("drains, demotes and removes, and tells who left", () => {
    set({
      "m1.node": leader,
      "m2.node": manager,
      "m3.node": manager,
      "w1.node": worker,
      tasks: "Running 2 minutes ago",
    });
    const done = run("quiesce w1", "quiesce m3", "drain w1", "remove w1", "drain m3", "demote m3", "remove m3");
    expect(done).toMatchObject({ status: 0, stdout: "w1 m3\n" });
    expect(changes()).toEqual([
      "node update --availability pause --label-add hcloud-swarm.leaving=1 w1",
      "node update --availability pause --label-add hcloud-swarm.leaving=1 m3",
      "node update --availability drain w1",
      "node rm --force w1",
      "node update --availability drain m3",
      "node update --role worker --label-add hcloud-swarm.demoted=1 m3",
      "node rm --force m3",
    ]);
  });

  it("removes a manager only when it has been none for a while, also when it comes back, or was demoted by an earlier deployment", () => {
    set({ "m1.node": leader, "m2.node": manager, "m3.node": manager, "comes-back": "" });
    const seconds = (name: string) => Number(read(name));
    expect(run("demote m3", "remove m3").status).toBe(0);
    expect(seconds("removed") - seconds("let-go")).toBeGreaterThanOrEqual(1);
    set({ "m2.node": "worker ready drain - false", "m2.demoted": "1" });
    const before = Math.floor(Date.now() / 1000);
    expect(run("remove m2").status).toBe(0);
    expect(seconds("removed") - before).toBeGreaterThanOrEqual(1);
  });

  it("does not remove one that becomes a manager again and again", () => {
    set({ "m1.node": leader, "m2.node": manager, "m3.node": "worker ready drain reachable false", "m3.demoted": "1" });
    expect(run("remove m3")).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/prod-m3 was demoted, and becomes a manager again/),
    });
    expect(changes()).toEqual([]);
  });

  it("passes over what is done already, as after an interruption", () => {
    set({ "m1.node": leader, "m2.node": manager, "m3.node": "worker ready drain - false" });
    const done = run("quiesce w1", "quiesce m3", "drain w1", "remove w1", "demote m3", "remove m3");
    expect(done).toMatchObject({ status: 0, stdout: "w1 m3\n" });
    expect(changes()).toEqual(["node rm --force m3"]);
  });

  it("discards what never came, and nothing that has come by then; neither has a vote", () => {
    const stray = "manager unknown active - false";
    const nameless = { "s1.hostname": "", "s2.hostname": "" };
    set({ "m1.node": leader, "m2.node": manager, "s1.node": stray, "s2.node": stray, ...nameless });
    // As many silent as answer, would they count.
    expect(run("discard s1")).toMatchObject({ status: 0, stdout: "\n" });
    expect(calls(/^node rm/)).toEqual(["node rm --force s1"]);
    set({ "s2.node": "manager ready active reachable false", "s2.hostname": "prod-m3" });
    expect(run("discard s2").status).toBe(0);
    expect(calls(/^node rm/)).toEqual(["node rm --force s1"]);
  });

  it("counts no vote of what never came when a manager is demoted", () => {
    const nameless = { "s1.node": "manager unknown active - false", "s1.hostname": "" };
    set({ "m1.node": leader, "m2.node": manager, "m3.node": deadManager, ...nameless });
    expect(run("demote m3").status).toBe(0);
  });

  it("refuses a step that would lose the quorum, before it is taken", () => {
    set({ "m1.node": leader, "m2.node": manager, "m3.node": deadManager });
    const done = run("demote m2");
    expect(done).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/demoting prod-m2 would lose.*1 of 2.*prod-m3/),
    });
    expect(changes()).toEqual([]);
    expect(run("demote m3").status).toBe(0);
    expect(run("demote m2").status).toBe(0);
  });

  it("begins nothing without a quorum", () => {
    set({ "m1.node": leader, "m2.node": deadManager, "m3.node": deadManager });
    expect(run("demote m2")).toMatchObject({ status: 1, stderr: expect.stringMatching(/only 1 of 3 managers answer/) });
    set({ leaderless: "" });
    expect(run("remove m2")).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/no leader: its quorum is lost/),
    });
    expect(changes()).toEqual([]);
  });

  it("lets only a manager that leads yield", () => {
    set({ "m1.node": leader, "m2.node": manager, "m3.node": manager });
    expect(run("yield m2").status).toBe(0);
    expect(changes()).toEqual([]);
    expect(run("yield m1").status).toBe(0);
    expect(changes()).toEqual(["node update --role worker --label-add hcloud-swarm.demoted=1 m1"]);
  });

  it("promotes, and puts back to work", () => {
    set({ "m1.node": leader, "w1.node": "worker ready drain - false", "w2.node": worker, "w2.demoted": "1" });
    expect(run("activate w1", "promote w1", "promote w2")).toMatchObject({ status: 0, stdout: "\n" });
    expect(read("w1.node")).toBe("manager ready active reachable false");
    expect(changes().filter((change) => change.includes("label-rm"))).toEqual([
      "node update --availability active --label-rm hcloud-swarm.leaving w1",
      "node update --label-rm hcloud-swarm.demoted w2",
    ]);
  });

  it("marks nodes with the cluster and their names in its program, once, also where they bear another one", () => {
    set({ "m1.node": leader, "w1.node": worker, "w2.node": worker, "w2.mark": "4712:box" });
    expect(run("mark m1", "mark w2", "mark w9")).toMatchObject({ status: 0, stdout: "\n" });
    expect([read("m1.mark"), read("w1.mark"), read("w2.mark")]).toEqual(["4711:prod-m1", "", "4711:prod-w2"]);
    const before = changes();
    expect(run("mark m1", "mark w2").status).toBe(0);
    expect(changes()).toEqual(before);
  });

  it("forgets its own marks and does nothing else, and never fails at that", () => {
    const marks = { "m1.mark": "4711:prod-m1", "w1.mark": "4712:prod-w1", "w2.mark": "4711:box" };
    set({ "m1.node": leader, "w1.node": worker, "w2.node": worker, "w3.node": worker, ...marks });
    const forget = () => runOnManager(`set -- ${forgetMarks}\n${program("mark m1", "drain w1", "remove w1")}`);
    expect(forget()).toMatchObject({ status: 0, stdout: "" });
    expect([read("m1.mark"), read("w1.mark"), read("w2.mark")]).toEqual(["", "4712:prod-w1", ""]);
    expect(changes().filter((change) => !change.includes("--label-rm"))).toEqual([]);
    set({ leaderless: "yes" });
    expect(forget()).toMatchObject({ status: 0, stderr: expect.stringMatching(/the nodes keep their marks/) });
  });

  it("waits for tasks to run elsewhere, but not for ever, and says which services lack some", () => {
    set({ "m1.node": leader, "w1.node": worker, tasks: "", wanting: "1/2 before", stuck: "" });
    expect(run("drain w1").stderr).not.toMatch(/not all come up/);
    // What lacked tasks before does not count; from now on another service does.
    set({ "w2.node": worker, tasks: "Running 1 minute ago", wanting: "1/2 before" });
    const done = run("drain w2", "remove w2");
    expect(done).toMatchObject({ status: 0, stdout: "w2\n" });
    expect(done.stderr).toMatch(/prod-w2: its tasks have not all come up elsewhere within 2 s.*before/);
  });

  it("removes a dead node without waiting for its tasks", () => {
    set({ "m1.node": leader, "w1.node": "worker down active - false", tasks: "Running 2 hours ago" });
    const done = run("quiesce w1", "drain w1", "remove w1");
    expect(done).toMatchObject({ status: 0, stdout: "w1\n" });
    expect(done.stderr).not.toMatch(/not all come up/);
  });

  describe("when Docker does not answer", () => {
    it.each([
      ["drain w1", "node ps", /its tasks have not all come up elsewhere/, 0],
      ["drain w1", "service ls", /its tasks have not all come up elsewhere/, 0],
      ["demote m3", "ManagerStatus}}yes", /still is a manager after 2 s/, 1],
      ["yield m1", "Leader", /docker node inspect/, 124],
      ["promote w1", "node update", /docker node update --role manager w1 was refused, or not answered/, 1],
      ["remove w1", "filter id=w1", /the swarm does not say whether it has prod-w1/, 1],
      ["remove w1", "node rm", /prod-w1 was not removed within 2 s/, 1],
      ["drain w1", ".", /no leader/, 1],
    ])("'%s' ends, and takes no silence of '%s' for an answer", (step, hangs, message, status) => {
      set({
        "m1.node": leader,
        "m2.node": manager,
        "m3.node": manager,
        "w1.node": worker,
        tasks: "",
        wanting: "",
        hangs,
      });
      expect(run(step)).toMatchObject({ status, stderr: expect.stringMatching(message), stdout: status ? "" : "\n" });
      expect(Math.max(...read("bounds").split("\n").map(Number))).toBeLessThanOrEqual(60);
    });
  });

  const shellcheck = spawnSync("shellcheck", ["--version"]).status === 0;
  it.skipIf(!shellcheck)("leaves shellcheck nothing to say", () => {
    const input = program("demote m1");
    // SC2317, SC2329: the steps name the functions. SC2046: one word a service is what is wanted.
    const options = ["-s", "sh", "-e", "SC2317,SC2329,SC2046", "-"];
    expect(spawnSync("shellcheck", options, { input, encoding: "utf8" }).stdout).toBe("");
  });
});
