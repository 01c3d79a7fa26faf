/** The real engine writes today what was recorded: golden reports cannot drift from it. */
import { expect, it } from "vitest";
import { record } from "../src/engine.js";
import { goldenOf, readGolden, readLog } from "../src/recorded.js";
import { scenarios } from "../src/scenarios.js";

const live = scenarios.filter((it) => it.live);

it(`previews ${live.map((it) => it.name).join(", ")} as recorded`, { timeout: 1_200_000 }, async () => {
  const logs = await record(live);
  for (const { name, live: how } of live) {
    const log = logs.get(name) ?? "";
    const golden = await goldenOf(log);
    const again = `npx tsx test/preview/record.ts --only ${name}`;
    expect(judgement(golden.json), again).toEqual(judgement(readGolden(name, "json")));
    if (how !== "whole") continue;
    expect(golden.md, again).toBe(readGolden(name, "md"));
    expect(skeleton(log), again).toEqual(skeleton(readLog(name)));
  }
});

function judgement(json: string): unknown {
  const { status, danger, quorum, exposure, trust, errors, exitCode } = JSON.parse(json);
  return { status, danger, quorum, exposure, trust, errors, exitCode };
}

/** The engine's part of it: which events, what happens to what, and why. Without the values, which are the components' to change. */
function skeleton(log: string): unknown[] {
  return log
    .split("\n")
    .filter((line) => line !== "")
    .map((line): unknown => {
      const event = JSON.parse(line);
      const [kind = ""] = Object.keys(event).filter((key) => key.endsWith("Event"));
      const { urn, op, keys, diffs, detailedDiff } = event[kind].metadata ?? {};
      return { kind, urn, op, keys, diffs, detailedDiff };
    });
}
