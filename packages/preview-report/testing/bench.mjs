#!/usr/bin/env node
/**
 * How the time of a report grows with the number of nodes: `pnpm --filter @hcloud-swarm/preview-report bench`, after a build.
 * Each size is measured in a process of its own, best of several runs, as a first run measures the compiler too.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const usage = `usage: node testing/bench.mjs [--sizes 100,200,…] [--runs N] [--max-chars N]

Prints processor seconds of reading (events to report) and of rendering (report to Markdown), and what a node costs against the smallest size:
1.0 everywhere is linear.

  --shape NAME   cluster, openings or plain (default: each)
  --sizes LIST   numbers of nodes (default: 100,200,500,1000,2000)
  --runs N       the best of so many runs (default: 7)
  --max-chars N  size of the Markdown; 0 for no limit (default: 0, which is the dearest)
`;

const { values } = parseArgs({
  options: {
    sizes: { type: "string", default: "100,200,500,1000,2000" },
    runs: { type: "string", default: "7" },
    "max-chars": { type: "string", default: "0" },
    shape: { type: "string" },
    one: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

async function logOf(shape, size) {
  const { shapes } = await import("../dist/testing/bigStacks.js");
  const testing = await import("../dist/testing/events.js");
  const steps = shapes[shape](size);
  return [...steps.map((step) => testing.stepEvent(step)), ...testing.summary()].map((it) => `${JSON.stringify(it)}\n`);
}

/** Of the processor, other threads of ours too: what else the machine does matters little to it. */
function seconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function measure(size) {
  const { reportOf } = await import("../dist/preview.js");
  const { renderMarkdown } = await import("../dist/render/markdown.js");
  const lines = await logOf(values.shape, size);
  async function* chunks() {
    yield* lines;
  }
  const best = { read: Number.POSITIVE_INFINITY, render: Number.POSITIVE_INFINITY, characters: 0 };
  for (let run = 0; run < Number(values.runs); run++) {
    const start = seconds();
    const { report } = await reportOf(chunks());
    const middle = seconds();
    best.characters = renderMarkdown(report, { maxChars: Number(values["max-chars"]) }).length;
    best.read = Math.min(best.read, middle - start);
    best.render = Math.min(best.render, seconds() - middle);
  }
  return best;
}

function table(shape) {
  const self = fileURLToPath(import.meta.url);
  const pass = ["--shape", shape, "--runs", values.runs, "--max-chars", values["max-chars"]];
  process.stdout.write(`${shape.padEnd(8)} nodes   read s   per node   render s   per node   characters\n`);
  let first;
  for (const size of values.sizes.split(",").map(Number)) {
    const it = JSON.parse(execFileSync(process.execPath, [self, "--one", String(size), ...pass], { encoding: "utf8" }));
    first ??= { size, ...it };
    const ratio = (key) => (it[key] / size / (first[key] / first.size)).toFixed(2).padStart(9);
    const seconds = (key) => it[key].toFixed(3).padStart(8);
    const cells = [
      seconds("read"),
      ratio("read"),
      ` ${seconds("render")}`,
      ratio("render"),
      ` ${String(it.characters).padStart(10)}`,
    ];
    process.stdout.write(`${String(size).padStart(14)} ${cells.join("  ")}\n`);
  }
}

if (values.help) process.stdout.write(usage);
else if (values.one !== undefined) process.stdout.write(JSON.stringify(await measure(Number(values.one))));
else for (const shape of values.shape === undefined ? ["cluster", "openings", "plain"] : [values.shape]) table(shape);
