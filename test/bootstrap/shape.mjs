#!/usr/bin/env node
// Do compilers, bundlers and Node find what the published packages' package.json names? Asked of what npm would publish.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const tool = (path) => join(root, "node_modules", path);

/** Each package, and what `attw` is not to ask of it. */
const packages = [
  { name: "swarm", profile: "strict" },
  // For programs that are modules themselves.
  { name: "preview-report", profile: "esm-only" },
];

const scratch = mkdtempSync(join(tmpdir(), "hcloud-swarm-shape-"));
let failed = false;
function run(command, args, cwd = root) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status === 0) return stdout;
  process.stdout.write(`${stdout ?? ""}${stderr ?? error ?? ""}\n`);
  failed = true;
  return "";
}
try {
  for (const { name, profile } of packages) {
    // Without scripts: the one before packing makes dist anew, and whoever else runs at that time would miss it.
    const pack = ["pack", "--silent", "--ignore-scripts", "--pack-destination", scratch];
    const tarball = join(scratch, run("npm", pack, join(root, "packages", name)).trim());
    run(process.execPath, [tool("publint/src/cli.js"), "run", "--strict", tarball]);
    const plain = ["--no-definitely-typed", "--format", "ascii", "--no-emoji", "--no-color"];
    run(process.execPath, [tool("@arethetypeswrong/cli/dist/index.js"), ...plain, "--profile", profile, tarball]);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;
