/** What one node more costs those that are there: the same with nine of them, in three locations. */
import { expect, it } from "vitest";
import { z } from "zod";
import { api } from "../../harness/src/index.js";
import { expectWhole, Life, sessionsByNode, three, type Wish } from "./lib.js";

const serversSchema = z.object({
  servers: z.array(z.object({ name: z.string(), location: z.object({ name: z.string() }) })),
});

it("the tenth node costs each of the nine one connection, for the list of peers", async () => {
  const life = await Life.ready();
  const { swarmId } = life.cluster.outputs;
  const more = (...names: string[]): Wish => Object.fromEntries(names.map((name) => [name, { role: "worker" }]));
  const nine: Wish = {
    ...{ ...three, ...more("w2", "w3", "w4") },
    ...{ w5: { role: "worker", location: "nbg1" }, w6: { role: "worker", location: "hel1" } },
  };
  await life.become(nine);
  await expectWhole(life, swarmId);
  const others = life.cluster.nodes.map((node) => [node.name, 1] as const);
  expect(others).toHaveLength(9);
  const { servers } = serversSchema.parse(await api(life.region, "GET", "/servers?per_page=50"));
  const elsewhere = servers.filter(({ location }) => location.name !== "fsn1");
  expect(Object.fromEntries(elsewhere.map(({ name, location }) => [name, location.name]))).toEqual({
    ...{ "life-w5": "nbg1", "life-w6": "hel1" },
  });
  const run = await life.become({ ...nine, ...more("w7") });
  await expectWhole(life, swarmId);
  expect(sessionsByNode(life, run)).toEqual({ ...Object.fromEntries(others), "life-w7": 3 });
});
