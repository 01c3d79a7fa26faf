import { beforeAll, describe, expect, it } from "vitest";
import { bootPayload, expectServed, expectWhole, freeze, Life, longProbation, sessionsByNode, three } from "./lib.js";

let life: Life;
let swarmId: string;
beforeAll(async () => {
  life = await Life.ready();
  swarmId = life.cluster.outputs.swarmId;
});

describe("workers", () => {
  it("a new one costs the others one connection, for the list of peers", async () => {
    const run = await life.become({ ...three, w2: { role: "worker" } });
    await expectWhole(life, swarmId);
    await life.equip();
    expect(sessionsByNode(life, run)).toEqual({ "life-m1": 1, "life-m2": 1, "life-m3": 1, "life-w1": 1, "life-w2": 3 });
  });

  it("one goes by name, not the last, and its tasks move first", async () => {
    const staying = ["m1", "m2", "m3", "w2"].map((name) => life.node(name));
    const { w1: _, ...rest } = life.wish;
    const { records, result } = await life.watched(staying, () => life.become(rest));
    await expectWhole(life, swarmId);
    // For a worker that goes no manager has to yield before: one more on the manager that sees to it.
    expect(sessionsByNode(life, result)).toEqual({ "life-m1": 3, "life-m2": 2, "life-m3": 2, "life-w2": 2 });
    expectServed(records);
  });

  it("one that hangs is replaced, and the new one boots with today's policy", async () => {
    await freeze(life, life.node("w2"));
    const policy = { publishedPorts: [{ port: 80 }, { port: 8443 }] };
    const staying = ["m1", "m2", "m3"].map((name) => life.node(name));
    const { records } = await life.watched(staying, () =>
      life.become({ ...life.wish, w2: { role: "worker", replacement: 1 } }, { policy, timeouts: longProbation }),
    );
    await expectWhole(life, swarmId);
    expect(life.node("w2").name).toBe("life-w2-r1");
    expect(await bootPayload(life, life.node("w2"))).toMatch(/ 8443 /);
    expectServed(records);
  });
});
