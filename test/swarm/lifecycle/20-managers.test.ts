import { beforeAll, describe, expect, inject, it } from "vitest";
import { api, saveCheckpoint } from "../../harness/src/index.js";
import { expectServed, expectWhole, Life, sessionsByNode, three, type Wish } from "./lib.js";

let life: Life;
let swarmId: string;
beforeAll(async () => {
  life = await Life.ready();
  swarmId = life.cluster.outputs.swarmId;
});
const staying = (...names: string[]) => names.map((name) => life.node(name));

describe("managers", () => {
  it("any of them is replaced, the first and leading one too; the web service goes on", async () => {
    const before = await life.ssh(life.node("m2"), "docker node ls --format '{{.Hostname}} {{.ManagerStatus}}'");
    expect(before).toMatch(/life-m1 Leader/);
    const { records, result } = await life.watched(staying("m2", "m3", "w1"), () =>
      life.become({ ...three, m1: { role: "manager", replacement: 1 } }),
    );
    await expectWhole(life, swarmId);
    expect(life.node("m1").name).toBe("life-m1-r1");
    expectServed(records);
    for (const [node, sessions] of Object.entries(sessionsByNode(life, result)))
      expect(sessions, `sessions of ${node}`).toBeLessThanOrEqual(4);
    const again = await life.become(life.wish);
    expect(again.sshSessions).toEqual([]);
    await saveCheckpoint(life.region, inject("life").stateDir, "replaced");
  });

  it("one that was deleted in the cloud comes back", async () => {
    const id = life.node("m2").serverId;
    await api(life.region, "DELETE", `/servers/${String(id)}`);
    const { records } = await life.watched(staying("m1", "m3", "w1"), () =>
      life.become(life.wish, undefined, "--refresh"),
    );
    await expectWhole(life, swarmId);
    expectServed(records);
  });

  it("a worker is promoted and a manager demoted, in place", async () => {
    const servers = life.cluster.nodes.map((node) => node.serverId).sort();
    const swapped: Wish = { ...life.wish, m3: { role: "worker" }, w1: { role: "manager" } };
    const { records } = await life.watched(life.cluster.nodes, () => life.become(swapped));
    await expectWhole(life, swarmId);
    expect(life.cluster.nodes.map((node) => node.serverId).sort()).toEqual(servers);
    expectServed(records);
  });
});
