/** More managers, fewer again, and larger servers for those that are to have them: one swarm all the time. */
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { api } from "../../harness/src/index.js";
import { bootId, drained, expectServed, expectWhole, Life, listening, sessionsByNode, three } from "./lib.js";

const manager = { role: "manager" as const };
const worker = { role: "worker" as const };
const serversSchema = z.object({
  servers: z.array(z.object({ name: z.string(), server_type: z.object({ name: z.string() }) })),
});

let life: Life;
let swarmId: string;
beforeAll(async () => {
  life = await Life.ready();
  swarmId = life.cluster.outputs.swarmId;
});
const nodes = (...names: string[]) => names.map((name) => life.node(name));

describe("a cluster", () => {
  it("grows to five managers, and each that was there is connected to once", async () => {
    const { records, result } = await life.watched(life.cluster.nodes, () =>
      life.become({ ...three, m4: manager, m5: manager }),
    );
    await expectWhole(life, swarmId);
    expectServed(records);
    await life.equip();
    expect(sessionsByNode(life, result)).toEqual({
      ...{ "life-m1": 1, "life-m2": 1, "life-m3": 1, "life-w1": 1 },
      ...{ "life-m4": 3, "life-m5": 3 },
    });
  });

  it("shrinks to three: the first one goes and another one, never two at a time", async () => {
    const staying = nodes("m3", "m4", "m5");
    const { records, result } = await life.watched([...staying, life.node("w1")], () =>
      listening(life, staying, () => life.become({ m3: manager, m4: manager, m5: manager, w1: worker })),
    );
    await expectWhole(life, swarmId);
    expectServed(records);
    const seen = result.lists.map(drained);
    expect(seen.filter((some) => some.length > 1)).toEqual([]);
    expect([...new Set(seen.flat())].sort(), "each of them was seen").toEqual(["life-m1", "life-m2"]);
    expect((await life.become(life.wish)).sshSessions).toEqual([]);
  });

  it("gets larger servers where a replacement is asked for, and keeps the others running as they are", async () => {
    const large = { serverType: "cx33" };
    const before = await life.each(["m3", "m5"], bootId);
    const staying = nodes("m3", "m5");
    const { records, result } = await life.watched(staying, () =>
      listening(life, staying, () =>
        life.become({
          ...{ m3: { ...manager, ...large }, m4: { ...manager, ...large, replacement: 1 }, m5: manager },
          w1: { ...worker, ...large, replacement: 1 },
        }),
      ),
    );
    await expectWhole(life, swarmId);
    expectServed(records);
    expect(result.result.text).toMatch(/life-m3 is a cx23 and stays one\. For a cx33 raise its 'replacement'/);
    expect(await life.each(["m3", "m5"], bootId)).toEqual(before);
    const { servers } = serversSchema.parse(await api(life.region, "GET", "/servers?per_page=50"));
    expect(Object.fromEntries(servers.map((server) => [server.name, server.server_type.name]))).toEqual({
      ...{ "life-m3": "cx23", "life-m4-r1": "cx33", "life-m5": "cx23", "life-w1-r1": "cx33" },
    });
    expect(result.lists.map(drained).filter((some) => some.length > 1)).toEqual([]);
  });
});
