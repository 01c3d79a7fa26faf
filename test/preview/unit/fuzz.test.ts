/** Recorded events of the real engine, broken and poisoned at random: no crash, and no planted secret in any form of the report. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  evaluateGates,
  GATES,
  renderMarkdown,
  renderText,
  reportOf,
} from "../../../packages/preview-report/src/index.js";
import { readLog } from "../src/recorded.js";

const SOURCES = [
  "first-creation",
  "port-opened",
  "manager-replaced",
  "adoption",
  "plain-opened",
  "failed",
  "secrets-refused",
];
const CASES = 2000;
const SECRET = "Zq5recorded+Secret/0123456789abcdef";
const ALL = GATES.map(([name]) => name);

const events = SOURCES.map((name) =>
  readLog(name)
    .split("\n")
    .filter((line) => line !== "" && line.length < 40_000)
    .map((line) => JSON.parse(line) as unknown),
);

/** Texts that hold the secret, and others that a careless reader trips over. */
const poison = fc.constantFrom<unknown>(
  SECRET,
  `web-${SECRET}`,
  `| ${SECRET} |\n\`\`\`\n<!-- ${SECRET} -->`,
  `${SECRET.slice(0, 7)}\u200b${SECRET.slice(7)}`,
  Buffer.from(`xy:${SECRET}`).toString("base64"),
  encodeURIComponent(SECRET),
  `urn:pulumi:dev::shop::${SECRET}::${SECRET}`,
  { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", value: SECRET },
  "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
  null,
  [],
  {},
  -1,
  true,
);
const change = fc.record({
  line: fc.nat(),
  leaf: fc.nat(),
  how: fc.constantFrom("put", "put", "put", "key", "drop", "cut", "twice"),
  poison,
});
const cases = fc.record({
  log: fc.nat({ max: SOURCES.length - 1 }),
  from: fc.nat(),
  length: fc.integer({ min: 1, max: 12 }),
  changes: fc.array(change, { minLength: 1, maxLength: 6 }),
});
type Drawn<A> = A extends fc.Arbitrary<infer T> ? T : never;
type Change = Drawn<typeof change>;
type Case = Drawn<typeof cases>;

/** Marks the secret as one, as the engine does for a stack that knows of it. */
const marker = JSON.stringify({
  sequence: 0,
  timestamp: 0,
  resourcePreEvent: {
    metadata: {
      op: "same",
      urn: "urn:pulumi:dev::shop::a:b:C::holder",
      type: "a:b:C",
      new: { type: "a:b:C", urn: "", inputs: { password: SECRET }, outputs: {} },
    },
  },
});

interface Place {
  holder: Record<string, unknown>;
  key: string;
}
function places(value: unknown, found: Place[] = []): Place[] {
  if (typeof value !== "object" || value === null) return found;
  const holder = value as Record<string, unknown>;
  for (const key of Object.keys(holder)) {
    found.push({ holder, key });
    places(holder[key], found);
  }
  return found;
}

function broken(event: unknown, changes: readonly Change[]): string[] {
  const copy = structuredClone(event);
  let text = "";
  let twice = false;
  for (const { leaf, how, poison } of changes) {
    const all = places(copy);
    const place = all[leaf % Math.max(1, all.length)];
    if (!place) continue;
    // A copy: a later change may reach into it, and the next case draws it again.
    if (how === "put") place.holder[place.key] = structuredClone(poison);
    else if (how === "drop") delete place.holder[place.key];
    else if (how === "key") place.holder[`${place.key}.${SECRET}`] = place.holder[place.key];
    else if (how === "twice") twice = true;
    else text = JSON.stringify(copy).slice(0, leaf % 500);
  }
  const line = text || JSON.stringify(copy);
  return twice ? [line, line] : [line];
}

function logOf({ log, from, length, changes }: Case): string {
  const all = events[log] ?? [];
  const start = from % all.length;
  const lines = all.slice(start, start + length).flatMap((event, index, slice) =>
    broken(
      event,
      changes.filter((it) => it.line % slice.length === index),
    ),
  );
  return [marker, ...lines].join("\n");
}

async function* whole(text: string): AsyncGenerator<string> {
  yield text;
}

async function outputsOf(log: string): Promise<string[]> {
  const { report } = await reportOf(whole(log));
  const gates = evaluateGates(report, ALL, [], "2030-01-01");
  return [renderMarkdown(report, { gates, maxChars: 1500 }), renderText(report, gates), JSON.stringify(report)];
}

function leaks(output: string): boolean {
  const readings = [output, output.replace(/\\([!-/:-@[-`{-~])/g, "$1"), output.replace(/\p{Cf}/gu, "")];
  const forms = [SECRET, encodeURIComponent(SECRET), Buffer.from(`xy:${SECRET}`).toString("base64").slice(4, -4)];
  return readings.some((reading) => forms.some((form) => reading.includes(form)));
}

describe("recorded events", () => {
  it(`neither crash the report nor leak, broken in ${CASES} ways`, { timeout: 600_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (one) => {
        for (const output of await outputsOf(logOf(one))) if (leaks(output)) throw new Error(`leaked in ${output}`);
      }),
      { numRuns: CASES },
    );
  });

  it("hold the secret where it would be seen if nobody took it out", () => {
    const drawn = fc.sample(cases, 200).map(logOf);
    const seen = drawn.filter((log) =>
      log
        .split("\n")
        .slice(1)
        .some((line) => leaks(line)),
    );
    expect(seen.length).toBeGreaterThan(100);
  });
});
