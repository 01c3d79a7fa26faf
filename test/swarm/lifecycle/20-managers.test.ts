import { beforeAll, describe, expect, inject, it } from "vitest";
import { api, saveCheckpoint } from "../../harness/src/index.js";
import {
  bootPayload,
  expectServed,
  expectWhole,
  Life,
  longProbation,
  sessionsByNode,
  three,
  type Wish,
} from "./lib.js";

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
    // Another one may have been elected while the new one booted: nobody has to yield then.
    const yielded = result.text.includes("swarm: yield life-m1");
    expect(sessionsByNode(life, result)).toEqual({
      ...{ "life-m1-r1": 3, "life-m2": yielded ? 4 : 3, "life-m3": 2, "life-w1": 2 },
    });
    const again = await life.become(life.wish);
    expect(again.sshSessions).toEqual([]);
    await saveCheckpoint(life.region, inject("life").stateDir, "replaced");
  });

  it("one that was deleted in the cloud comes back, and boots with today's policy", async () => {
    const id = life.node("m2").serverId;
    await api(life.region, "DELETE", `/servers/${String(id)}`);
    const policy = { publishedPorts: [{ port: 80 }, { port: 8443 }] };
    const { records } = await life.watched(staying("m1", "m3", "w1"), () =>
      life.become(life.wish, { policy, timeouts: longProbation }, "--refresh"),
    );
    await expectWhole(life, swarmId);
    expect(await bootPayload(life, life.node("m2"))).toMatch(/ 8443 /);
    expect(await bootPayload(life, life.node("m3")), "of one that was there").not.toMatch(/ 8443 /);
    expectServed(records);
  });

  it("a worker is promoted and a manager demoted, in place", async () => {
    const servers = life.cluster.nodes.map((node) => node.serverId).sort();
    const swapped: Wish = { ...life.wish, m3: { role: "worker" }, w1: { role: "manager" } };
    const { records, result } = await life.watched(life.cluster.nodes, () => life.become(swapped));
    await expectWhole(life, swarmId);
    expect(sessionsByNode(life, result)).toEqual({ "life-m1-r1": 4, "life-m2": 2, "life-m3": 3, "life-w1": 3 });
    expect(life.cluster.nodes.map((node) => node.serverId).sort()).toEqual(servers);
    expectServed(records);
  });
});
