/** The real engine writes today what was recorded: golden reports cannot drift from it. */
import { expect, it } from "vitest";
import { record } from "../src/engine.js";
import { goldenOf, readGolden } from "../src/recorded.js";
import { scenarios } from "../src/scenarios.js";

const live = scenarios.filter((it) => it.live);

it(`previews ${live.map((it) => it.name).join(", ")} as recorded`, { timeout: 1_200_000 }, async () => {
  const logs = await record(live);
  expect([...logs.keys()].sort()).toEqual(live.map((it) => it.name).sort());
  for (const [name, log] of logs)
    expect((await goldenOf(log)).md, `npx tsx test/preview/record.ts --only ${name}`).toBe(readGolden(name, "md"));
});
