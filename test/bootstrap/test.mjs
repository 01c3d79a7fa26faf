#!/usr/bin/env node
// What every change is to pass, in one command: checks, unit and component tests, preview reports as pages, the engine's and stand-in's own, then
// the whole system. Not the suites that take longest: CONTRIBUTING.md has all of them.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { say } from "./progress.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const output = join(root, "test-output");

const usage = `usage: npm test -- [--unit] [--system] | --versions [FILTER...]

  (nothing)   --unit and --system
  --unit      checks, unit, component, page and engine tests only: no virtual machines
  --system    the whole-system tests on virtual machines only
  --versions  only the component on each Docker that Debian ships (those that FILTER names, such as debian-12)

Suites with commands of their own: npm run test:attacks, test:adoption, test:lifecycle, test:mutations.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    unit: { type: "boolean", default: false },
    system: { type: "boolean", default: false },
    versions: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

const node = process.execPath;
const vitest = join(root, "node_modules/vitest/vitest.mjs");

/** A suite: its name, its command, and the file its vitest report goes to where it has one. */
function suites() {
  const report = (name) => [
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${join(output, `${name}.json`)}`,
  ];
  const unit = [
    { name: "check", command: node, args: [join(root, "test/bootstrap/check.mjs")] },
    { name: "unit", command: node, args: [vitest, "run", ...report("unit")], report: "unit.json" },
    {
      name: "pages",
      command: node,
      args: [vitest, "run", "--config", join(root, "test/pages/vitest.config.ts"), ...report("pages")],
      report: "pages.json",
    },
    { name: "command-stand-in", command: node, args: [join(root, "test/engine/test.mjs")] },
    { name: "engine", command: node, args: [join(root, "test/engine/smoke.mjs")] },
  ];
  const system = [
    {
      name: "system",
      command: node,
      args: [vitest, "run", "--config", join(root, "test/swarm/vitest.config.ts"), ...report("system")],
      report: "system.json",
    },
  ];
  if (values.versions) {
    const config = join(root, "test/swarm/versions/vitest.config.ts");
    const args = [vitest, "run", "--config", config, ...report("versions"), ...positionals];
    return [{ name: "versions", command: node, args, report: "versions.json" }];
  }
  if (values.unit === values.system) return [...unit, ...system];
  return values.unit ? unit : system;
}

function run({ command, args }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: "inherit" });
    const forward = (signal) => child.kill(signal);
    process.on("SIGINT", forward).on("SIGTERM", forward);
    child.on("error", () => resolve(1));
    child.on("exit", (code) => {
      process.off("SIGINT", forward).off("SIGTERM", forward);
      resolve(code ?? 1);
    });
  });
}

/** Tests that passed, failed and were skipped in a suite; a suite without a report counts as one test. `failures` says which and why. */
function count(suite, status) {
  if (!suite.report) return { passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, skipped: 0, failures: [] };
  try {
    const report = JSON.parse(readFileSync(join(output, suite.report), "utf8"));
    const { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped } = report;
    // A suite may fail outside its tests (a setup that throws): that must count.
    return { passed, failed: failed === 0 && status !== 0 ? 1 : failed, skipped, failures: failures(report) };
  } catch {
    return { passed: 0, failed: 1, skipped: 0, failures: [] };
  }
}

/** What failed in a vitest report, a text each: a failure said an hour ago is far above the end of the log, where one looks first. */
function failures({ testResults }) {
  return testResults.flatMap(({ name, message, assertionResults }) => {
    const file = relative(root, name);
    const outside = message ? [`${file}\n${message}`] : [];
    const failed = assertionResults.filter((test) => test.status === "failed");
    return [...outside, ...failed.map((test) => `${file} > ${test.fullName}\n${test.failureMessages.join("\n")}`)];
  });
}

async function main() {
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  // Only what these suites wrote: the attack suite's results beside them add up over many runs.
  for (const { report } of suites()) if (report) rmSync(join(output, report), { force: true });
  mkdirSync(output, { recursive: true });
  const total = { passed: 0, failed: 0, skipped: 0 };
  const lines = [];
  const failed = [];
  for (const suite of suites()) {
    say(`suite: ${suite.name}`);
    const started = Date.now();
    const status = await run(suite);
    const counted = count(suite, status);
    for (const key of Object.keys(total)) total[key] += counted[key];
    failed.push(...counted.failures);
    lines.push(
      `${suite.name}: ${counted.passed} passed, ${counted.failed} failed, ${counted.skipped} skipped in ${((Date.now() - started) / 1000).toFixed(0)} s`,
    );
  }
  for (const text of failed) process.stdout.write(`failed: ${text.slice(0, 4000)}\n\n`);
  say(`suites:\n  ${lines.join("\n  ")}`);
  process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

process.exitCode = await main();
