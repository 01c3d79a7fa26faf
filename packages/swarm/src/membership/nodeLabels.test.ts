import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fakeManager } from "../testing/fakeManager";
import { forgetLabels, type LabelledNode, nodeLabelsProgram } from "./nodeLabels";

/** A node's labels are lines in a file beside it, and taking away one that is not there is an error, as it is for Docker. */
const { set, read, calls, run } = fakeManager({
  inspect: `*hcloud-swarm.founder*)
    value_of() { awk -v key="$1" -F = '$1 == key { print $2 }' "$FAKE/$id.labels"; }
    echo "$(hostname) $(value_of hcloud-swarm.founder):$(value_of hcloud-swarm.server)" ;;
  *'range $key, $value := .Spec.Labels'*)
    key=\${5#*'eq $key "'}
    key=\${key%%'"'*}
    awk -v key="$key" -F = '$1 == key { sub(/^[^=]*/, ""); print }' "$FAKE/$id.labels" ;;`,
  update: `shift 2
  while [ $# -gt 1 ]; do
    key=\${2%%=*}
    awk -v key="$key" -F = '$1 != key' "$FAKE/$id.labels" >"$FAKE/rest"
    case $1 in
    --label-add) echo "$2" >>"$FAKE/rest" ;;
    --label-rm) ! cmp -s "$FAKE/rest" "$FAKE/$id.labels" || { echo "key $key doesn't exist" >&2; exit 1; } ;;
    *) exit 98 ;;
    esac
    mv "$FAKE/rest" "$FAKE/$id.labels"
    shift 2
  done`,
});
const node = "worker ready active -";
const founder = "4711";
const swarm = { "m1.node": "manager ready active reachable", "w1.node": node, "w2.node": node };
const none = { "m1.labels": "", "w1.labels": "", "w2.labels": "" };
const labelsOf = (id: string) => read(`${id}.labels`).split("\n").filter(Boolean).sort();
const updates = () => calls(/^node update/);
const named = (labels: Record<string, Record<string, string>>): LabelledNode[] =>
  Object.entries(labels).map(([id, own]) => ({ name: `prod-${id}`, labels: own }));
const settle = (labels: Record<string, Record<string, string>>) => run(nodeLabelsProgram(named(labels), 2, founder));
const forget = (labels: Record<string, Record<string, string>>) =>
  run(`set -- ${forgetLabels}\n${nodeLabelsProgram(named(labels), 2, founder)}`);

describe("nodeLabelsProgram", () => {
  it("adds, changes and takes away, an update a node, and none where nothing differs", () => {
    set({ ...swarm, ...none });
    const wish = { w1: { disk: "ssd", zone: "a" }, w2: {} };
    expect(settle(wish)).toMatchObject({ status: 0, stdout: "" });
    expect(labelsOf("w1")).toEqual(["disk=ssd", "hcloud-swarm.labels=disk,zone", "zone=a"]);
    expect(updates()).toHaveLength(1);
    expect(settle(wish)).toMatchObject({ status: 0, stderr: "" });
    expect(updates()).toHaveLength(1);
    expect(settle({ w1: { disk: "nvme" }, w2: { zone: "b" } })).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/labels of prod-w1: disk=nvme no-zone\n.*labels of prod-w2: zone=b/s),
    });
    expect(labelsOf("w1")).toEqual(["disk=nvme", "hcloud-swarm.labels=disk"]);
    expect(labelsOf("w2")).toEqual(["hcloud-swarm.labels=zone", "zone=b"]);
    expect(settle({ w1: {}, w2: {} }).status).toBe(0);
    expect([...labelsOf("w1"), ...labelsOf("w2")]).toEqual([]);
  });

  it("lets be what somebody else has set, and nodes that it does not name", () => {
    set({
      ...swarm,
      ...none,
      "w1.labels": "team=web\nnote=two words",
      "w2.labels": "hcloud-swarm.labels=disk\ndisk=ssd",
    });
    settle({ w1: { disk: "ssd" } });
    settle({ w1: {} });
    expect(labelsOf("w1")).toEqual(["note=two words", "team=web"]);
    expect(labelsOf("w2")).toEqual(["disk=ssd", "hcloud-swarm.labels=disk"]);
  });

  it("makes a label its own that the program says, and keeps an empty value apart from none", () => {
    set({ ...swarm, ...none, "w1.labels": "disk=hdd" });
    settle({ w1: { disk: "ssd", bare: "" } });
    expect(labelsOf("w1")).toEqual(["bare=", "disk=ssd", "hcloud-swarm.labels=bare,disk"]);
    expect(settle({ w1: { disk: "ssd", bare: "" } }).stderr).toBe("");
  });

  it("bears that somebody took one of its labels away meanwhile", () => {
    set({ ...swarm, ...none, "w1.labels": "hcloud-swarm.labels=disk,zone\nzone=a" });
    expect(settle({ w1: {} })).toMatchObject({ status: 0 });
    expect(labelsOf("w1")).toEqual([]);
  });

  it("labels a node whose dead forerunner of the same name is still listed", () => {
    set({ ...swarm, ...none, "w2.node": "worker down active -", "w2.hostname": "prod-w1" });
    expect(settle({ w1: { disk: "ssd" } }).status).toBe(0);
    expect(labelsOf("w1")).toEqual(["disk=ssd", "hcloud-swarm.labels=disk"]);
  });

  it("finds a node whose host has another name by its mark, and none that another cluster has marked so", () => {
    const mark = (cluster: string) => `hcloud-swarm.founder=${cluster}\nhcloud-swarm.server=prod-w9`;
    const hosts = { "w1.hostname": "box", "w2.hostname": "other" };
    set({ ...swarm, ...none, ...hosts, "w1.labels": mark(founder), "w2.labels": mark("4712") });
    expect(settle({ w9: { disk: "ssd" } }).status).toBe(0);
    expect([...labelsOf("w1"), ...labelsOf("w2")].filter((label) => label.startsWith("disk"))).toEqual(["disk=ssd"]);
    expect(labelsOf("w1")).toContain("disk=ssd");
  });

  it("fails for a node that the swarm does not have, and without a leader", () => {
    set({ ...swarm, ...none });
    expect(settle({ w9: { disk: "ssd" } })).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/prod-w9 is no node of this swarm/),
    });
    set({ leaderless: "yes" });
    expect(settle({ w1: { disk: "ssd" } })).toMatchObject({ status: 1, stderr: expect.stringMatching(/no leader/) });
    expect(updates()).toEqual([]);
  });

  it.each([
    ["range [$]key", 124, "no answer from Docker within 60 s: docker node inspect"],
    ["node update", 1, "docker node update .* was refused, or not answered"],
  ])("takes no label for missing where Docker does not answer '%s'", (hangs, status, message) => {
    set({ ...swarm, ...none, hangs });
    expect(settle({ w1: { disk: "ssd" } })).toMatchObject({ status, stderr: expect.stringMatching(message) });
    expect(labelsOf("w1")).toEqual([]);
  });

  it("forgets all of its own, and never fails at that", () => {
    set({ ...swarm, ...none, "w1.labels": "team=web" });
    const wish = { w1: { disk: "ssd" }, w2: { disk: "hdd" }, w9: { disk: "hdd" } };
    settle({ w1: wish.w1, w2: wish.w2 });
    expect(forget(wish).status).toBe(0);
    expect([...labelsOf("w1"), ...labelsOf("w2")]).toEqual(["team=web"]);
    set({ leaderless: "yes" });
    expect(forget(wish)).toMatchObject({ status: 0, stderr: expect.stringMatching(/labels of the nodes stay/) });
  });

  it("is one text for one wish, whatever the order", () => {
    const key = fc.stringMatching(/^[a-z][a-z0-9._-]{0,8}$/);
    const labels = fc.dictionary(key, fc.stringMatching(/^[A-Za-z0-9:._/-]{0,8}$/), { noNullPrototype: true });
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), labels, { noNullPrototype: true }), (wish) => {
        const turned = Object.entries(wish)
          .reverse()
          .map(([id, own]) => [id, Object.fromEntries(Object.entries(own).reverse())] as const);
        expect(nodeLabelsProgram(named(Object.fromEntries(turned)), 2, founder)).toBe(
          nodeLabelsProgram(named(wish), 2, founder),
        );
      }),
    );
  });

  const shellcheck = spawnSync("shellcheck", ["--version"]).status === 0;
  it.skipIf(!shellcheck)("leaves shellcheck nothing to say", () => {
    // SC2317, SC2329: functions that both programs share.
    const options = ["-s", "sh", "-e", "SC2317,SC2329", "-"];
    const input = nodeLabelsProgram(named({ w1: { disk: "ssd" } }), 2, founder);
    expect(spawnSync("shellcheck", options, { input, encoding: "utf8" }).stdout).toBe("");
  });
});
