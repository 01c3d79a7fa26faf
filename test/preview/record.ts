#!/usr/bin/env tsx
/** Makes the recorded events and golden reports anew, with the real engine and provider. */
import { parseArgs } from "node:util";
import { record } from "./src/engine.js";
import { goldenOf, hasLog, readLog, writeGolden, writeLog } from "./src/recorded.js";
import { scenarios } from "./src/scenarios.js";

const help = `usage: npx tsx test/preview/record.ts [--only NAME]... [--reports]

Runs \`pulumi preview\` for each scenario of src/scenarios.ts, with the real engine and hcloud provider against a region's API without
machines, and writes recorded/NAME.jsonl.br (the engine's events) and the reports on them, recorded/NAME.{md,json,txt}.
Read the difference before you commit it: a golden report that is wrong is a defect.

  --only NAME   this scenario only; may be repeated
  --reports     only write the reports on the events that are there: no engine is needed
  --help

Scenarios:
${scenarios.map(({ name, title }) => `  ${name.padEnd(24)}${title}`).join("\n")}
`;

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: [] },
    reports: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const unknown = values.only.filter((name) => !scenarios.some((it) => it.name === name));
  if (unknown.length > 0) {
    process.stderr.write(`no scenario ${unknown.join(", ")}\n\n${help}`);
    return 2;
  }
  const wanted = scenarios.filter((it) => values.only.length === 0 || values.only.includes(it.name));
  if (!values.reports) for (const [name, log] of await record(wanted)) writeLog(name, log);
  for (const { name } of wanted.filter((it) => hasLog(it.name))) {
    const log = readLog(name);
    writeGolden(name, await goldenOf(log));
    process.stdout.write(`${name}: ${log.split("\n").length - 1} events, ${Math.round(log.length / 1024)} KiB\n`);
  }
  return 0;
}

process.exitCode = await main();
