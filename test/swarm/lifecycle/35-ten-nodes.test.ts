/** What one node more costs those that are there: the same with nine of them. */
import { expect, it } from "vitest";
import { expectWhole, Life, sessionsByNode, three, type Wish } from "./lib.js";

it("the tenth node costs each of the nine one connection, for the list of peers", async () => {
  const life = await Life.ready();
  const { swarmId } = life.cluster.outputs;
  const more = (...names: string[]): Wish => Object.fromEntries(names.map((name) => [name, { role: "worker" }]));
  const nine = { ...three, ...more("w2", "w3", "w4", "w5", "w6") };
  await life.become(nine);
  await expectWhole(life, swarmId);
  const others = life.cluster.nodes.map((node) => [node.name, 1] as const);
  expect(others).toHaveLength(9);
  const run = await life.become({ ...nine, ...more("w7") });
  await expectWhole(life, swarmId);
  expect(sessionsByNode(life, run)).toEqual({ ...Object.fromEntries(others), "life-w7": 3 });
});
