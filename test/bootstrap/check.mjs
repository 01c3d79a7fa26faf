#!/usr/bin/env node
// `pnpm check`: format, lint, types, structure. Everything that can be said without running the program, in under a minute.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const node = process.execPath;
const tool = (path) => join(root, "node_modules", path);

const tracked = spawnSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
})
  .stdout.split("\n")
  .filter(Boolean);
const shell = tracked.filter((file) => file.endsWith(".sh"));

/** Name, command, and what to do about it. */
const checks = [
  ["format and lint", node, [tool("@biomejs/biome/bin/biome"), "check", "--error-on-warnings", "."], "pnpm format"],
  ["types", node, [tool("typescript/bin/tsc"), "-b"], ""],
  ["types of tests", node, [tool("typescript/bin/tsc"), "-p", "test/harness"], ""],
  ["types of page tests", node, [tool("typescript/bin/tsc"), "-p", "test/pages"], ""],
  [
    "imports",
    node,
    [
      tool("dependency-cruiser/bin/dependency-cruise.mjs"),
      "--config",
      ".dependency-cruiser.cjs",
      "packages",
      "test/harness",
      "test/demo",
      "test/pages",
      "test/preview/src",
      "test/preview/unit",
      "test/swarm",
    ],
    "",
  ],
  ["dead exports", node, [tool("knip/bin/knip.js"), "--no-progress"], ""],
  ...(shell.length > 0 ? [["shell", "shellcheck", ["--severity=style", ...shell], ""]] : []),
  ["gofmt", "sh", ["-c", 'out=$(gofmt -l test); [ -z "$out" ] || { echo "$out"; exit 1; }'], "gofmt -w test"],
];

function run([name, command, args, mend]) {
  return new Promise((resolve) => {
    const started = Date.now();
    const child = spawn(command, args, { cwd: root });
    let output = "";
    child.stdout.on("data", (data) => (output += data));
    child.stderr.on("data", (data) => (output += data));
    child.on("error", (error) => resolve({ name, status: 1, output: String(error), mend, seconds: 0 }));
    child.on("close", (status) => resolve({ name, status, output, mend, seconds: (Date.now() - started) / 1000 }));
  });
}

/** A file over 400 lines must say why at its top ("long because"). */
function longFiles() {
  return tracked
    .filter((file) => /^(packages\/[^/]+\/src|test)\/.*\.(ts|mjs|go|sh)$/.test(file) && !file.includes("generated"))
    .filter((file) => {
      const lines = readFileSync(join(root, file), "utf8").split("\n");
      return lines.length > 401 && !/long because/i.test(lines.slice(0, 12).join("\n"));
    })
    .map((file) => `${file}: over 400 lines; split it, or say why at its top ("Long because …")`);
}

const results = [];
const queue = [...checks];
// Two at a time: the tools are single-threaded for the most part.
await Promise.all(
  [0, 1].map(async () => {
    for (let next = queue.shift(); next; next = queue.shift()) results.push(await run(next));
  }),
);
const long = longFiles();
results.push({ name: "file lengths", status: long.length > 0 ? 1 : 0, output: long.join("\n"), mend: "", seconds: 0 });

let failed = 0;
for (const { name, status, output, mend, seconds } of results) {
  if (status === 0) {
    process.stdout.write(`ok    ${name} (${seconds.toFixed(1)} s)\n`);
  } else {
    failed++;
    process.stdout.write(`FAIL  ${name}${mend ? ` (try: ${mend})` : ""}\n${output.trimEnd()}\n`);
  }
}
process.exitCode = failed > 0 ? 1 : 0;
