#!/usr/bin/env node
// `pnpm check`: format, lint, types, structure. Everything that can be said without running the program, in under a minute.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
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
  // git lists a file that was deleted until that is staged.
  .filter((file) => file !== "" && existsSync(join(root, file)));
const shell = tracked.filter((file) => file.endsWith(".sh"));

/** Name, command, and what to do about it. */
const compile = ["types", node, [tool("typescript/bin/tsc"), "-b"], ""];
/** These read what the packages compile to: after it, or they would judge an older build. */
const afterCompile = [
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
      "test/package",
      "test/preview/src",
      "test/preview/unit",
      "test/swarm",
    ],
    "",
  ],
  ["package shape", node, [join(root, "test/bootstrap/shape.mjs")], ""],
  ["dead exports", node, [tool("knip/bin/knip.js"), "--no-progress"], ""],
];
const fromSource = [
  ["format and lint", node, [tool("@biomejs/biome/bin/biome"), "check", "--error-on-warnings", "."], "pnpm format"],
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
/** What is ready to run; what needs the compiler joins once it is through, whatever it says. */
const queue = [...fromSource];
async function work() {
  for (let next = queue.shift(); next; next = queue.shift()) results.push(await run(next));
}
// Two at a time: the tools are single-threaded for the most part.
const compiled = run(compile).then((result) => {
  results.push(result);
  queue.push(...afterCompile);
});
await Promise.all([
  compiled.then(work),
  work()
    .then(() => compiled)
    .then(work),
]);
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
