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
  // So many emulated machines share few cores: a node whose heartbeat is late three times is Down to its managers, three managers
  // are too slow to agree on a certificate, and what a node waits for takes long. None of it is what is counted here.
  await life.ssh(life.manager, "docker swarm update --dispatcher-heartbeat 60s");
  const patient = { timeouts: { swarm: 600 } };
  const more = (...names: string[]): Wish => Object.fromEntries(names.map((name) => [name, { role: "worker" }]));
  const nine: Wish = {
    ...{ ...three, ...more("m2", "m3", "w2", "w3", "w4") },
    ...{ w5: { role: "worker", location: "nbg1" }, w6: { role: "worker", location: "hel1" } },
  };
  // In two steps, for machines that boot take the time of those that are up.
  const { w5: _, w6: __, ...seven } = nine;
  await life.become({ ...three, ...more("m2", "m3") }, patient);
  await life.become(seven);
  await life.become(nine);
  await life.settle();
  await expectWhole(life, swarmId);
  const others = life.cluster.nodes.map((node) => [node.name, 1] as const);
  expect(others).toHaveLength(9);
  const { servers } = serversSchema.parse(await api(life.region, "GET", "/servers?per_page=50"));
  const elsewhere = servers.filter(({ location }) => location.name !== "fsn1");
  expect(Object.fromEntries(elsewhere.map(({ name, location }) => [name, location.name]))).toEqual({
    ...{ "life-w5": "nbg1", "life-w6": "hel1" },
  });
  const run = await life.become({ ...nine, ...more("w7") });
  expect(sessionsByNode(life, run)).toEqual({ ...Object.fromEntries(others), "life-w7": 3 });
  await life.settle();
  await expectWhole(life, swarmId);
});
