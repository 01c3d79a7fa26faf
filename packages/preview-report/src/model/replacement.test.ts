import { describe, expect, it } from "vitest";
import { reportOf } from "../preview.js";
import { clusterSteps, type FakeStep, stepEvent, stream, summary, UNKNOWN_ID, urnOf } from "../testing/events.js";
import { fired } from "../testing/gates.js";

const SERVER = "hcloud:index/server:Server";
const COMMAND = "command:remote:Command";
const policy = { after: { "tcp/80": "from anywhere" } };
const nodes = { "manager-1": "manager", "manager-2": "manager", "manager-3": "manager" } as const;
const prod = urnOf("hcloud-swarm:index:SwarmCluster", "prod");

async function of(steps: FakeStep[]) {
  return (await reportOf(stream([...steps.map((it) => stepEvent(it)), ...summary()]))).report;
}
const server = (op: string, name: string): FakeStep => ({
  op,
  type: SERVER,
  name,
  parent: prod,
  ...(op === "create" ? {} : { old: { id: "9", inputs: { serverType: "cx23" } } }),
  ...(op === "delete" ? {} : { new: { id: "", inputs: { serverType: "cx23" } } }),
});
const without = (steps: FakeStep[], ...names: string[]) => steps.filter((it) => !names.includes(it.name));

describe("a node whose server makes way for another", () => {
  const steps = without(clusterSteps("update", policy, nodes), "prod-manager-2", "prod-manager-3");

  it("is replaced, not deleted, and counts as away once", async () => {
    const third = server("same", "prod-manager-3");
    const report = await of([
      ...steps,
      server("delete", "prod-manager-2"),
      server("create", "prod-manager-2-r1"),
      third,
    ]);
    expect(report.danger).toEqual([
      {
        kind: "replace-server",
        what: "server is replaced by prod-manager-2-r1, its disk is lost",
        subjects: ["prod-manager-2"],
      },
    ]);
    expect(report.quorum.map((it) => it.text)).toEqual([
      "3 managers after the update, 2 needed, 1 may fail; 1 of 3 goes or stops in this update",
    ]);
    expect(fired(report)).toEqual(["replace-server"]);
  });

  it("is known by its node when it has been replaced before", async () => {
    const again = [server("delete", "prod-manager-2-r1"), server("create", "prod-manager-2-r2")];
    const report = await of([
      ...steps,
      ...again,
      server("delete", "prod-manager-3"),
      server("create", "prod-manager-3-r1"),
    ]);
    expect(report.danger.map((it) => it.kind).sort()).toEqual(["quorum", "replace-server", "replace-server"]);
  });

  it("is deleted where nothing takes its place", async () => {
    const report = await of([...steps, server("delete", "prod-manager-2"), server("create", "prod-manager-4")]);
    expect(report.danger.map((it) => it.kind)).toEqual(["delete-server"]);
  });
});

describe("commands", () => {
  const command = (op: string, name: string, next: object, old: object = {}): FakeStep => ({
    op,
    type: COMMAND,
    name,
    parent: prod,
    ...(op === "create" ? {} : { old: { id: "c", inputs: { ...old } } }),
    ...(op === "delete" ? {} : { new: { id: "c", inputs: { ...next } } }),
  });
  const shown = async (...steps: FakeStep[]) =>
    (await of(steps)).commands.map(({ name, what, host }) => `${name} ${what} on ${host}`);

  it("run only where there is a text for what happens", async () => {
    expect(
      await shown(
        command("create", "a", { create: "date" }),
        command("create", "b", { update: "date" }),
        command("create", "c", { create: UNKNOWN_ID }),
        command("update", "d", { update: "date" }),
        command("update", "e", { create: "date" }),
        command("update", "k", { create: UNKNOWN_ID }),
        { ...command("update", "l", { create: UNKNOWN_ID }, { create: "date" }), diffs: ["create", "stdin"] },
        { ...command("update", "m", { update: UNKNOWN_ID }, { update: "date" }), diffs: ["update"] },
        command("update", "f", { delete: "date" }),
        command("delete", "g", {}, { delete: "date" }),
        command("delete", "h", {}, { create: "date" }),
        command("replace", "i", { create: "date" }, { delete: "date" }),
        command("create", "j", { create: { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270" } }),
      ),
    ).toEqual([
      "a runs on live",
      "c may run (known only during the update) on live",
      "d runs again on live",
      "e runs again on live",
      "g runs its delete command on live",
      "i runs its delete command, then runs anew on live",
      "j runs on live",
      "k may run (known only during the update) on live",
      "l runs again on live",
      "m may run (known only during the update) on live",
    ]);
  });

  it("of a component run on new hosts where it has no others", async () => {
    const roster = command("create", "prod-roster", { create: "date" });
    expect(await shown(server("create", "prod-manager-1"), roster)).toEqual(["prod-roster runs on new"]);
    const two = [server("create", "prod-manager-1"), server("same", "prod-manager-2"), roster];
    expect(await shown(...two)).toEqual(["prod-roster runs on live"]);
  });
});
