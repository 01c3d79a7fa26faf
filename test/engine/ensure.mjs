#!/usr/bin/env node
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { argv, exit, stderr, stdout } from "node:process";
import { pathToFileURL } from "node:url";
import { build, cached, checkGo } from "./lib/build.mjs";
import { locate } from "./lib/locate.mjs";
import { withLock } from "./lib/lock.mjs";
import {
  builtMark,
  cacheDir,
  languagePieces,
  policyPieces,
  terraformPieces,
  pieces as usualPieces,
  versionOf,
} from "./lib/pieces.mjs";

/**
 * Makes sure that the Pulumi CLI, the Node language host, the hcloud provider and the Command provider (a stand-in,
 * unless there is an official one) can be run. A user's own on PATH, or installed as Pulumi plugins, are used as they
 * are; what is missing is built from Go modules, once for each content of its sources. Minutes the first time, well
 * below a second afterwards. Safe to call from several processes at once.
 *
 * @param {{ log?: (line: string) => void, languages?: boolean, policies?: boolean,
 *   terraform?: boolean }} [options] log gets one line at
 *   a time; default: nothing is said. languages: hosts for Pulumi YAML and Python too, and Node packages run as plugins;
 *   default: false. policies: policy packs written for Node run (`languages` has that too); default: false. terraform: Hetzner Cloud's provider for Terraform too; default: false
 * @returns {Promise<{ path: string, pieces: { name: string, title: string, file: string, version?: string,
 *   source: "path" | "plugins" | "built" | "cache" }[] }>} path: the directory to put in front of PATH
 * @throws Error when something must be built and Go is missing, too old, or the build fails
 */
export async function ensureEngine({ log = () => {}, languages = false, policies = false, terraform = false } = {}) {
  const main = languages ? languagePieces : policies ? policyPieces : usualPieces;
  const pieces = [...main, ...(terraform ? terraformPieces : [])];
  const used = [];
  const missing = [];
  for (const piece of pieces) {
    const { found, refused } = await locate(piece);
    for (const why of refused) log(`engine: not used: ${why}`);
    if (found) {
      const { file, source, version } = found;
      used.push({ ...named(piece), file, source, ...(version ? { version } : {}) });
      log(`engine: ${piece.title}: ${file}${version ? ` (${version})` : ""}, yours`);
      continue;
    }
    const file = cached(piece);
    if (file) used.push({ ...named(piece), file, source: "cache", version: versionOf(piece) });
    else missing.push(piece);
  }
  if (missing.length > 0) {
    await checkGo(missing);
    const minutes = missing.reduce((sum, piece) => sum + piece.seconds, 0) / 60;
    const names = missing.map((piece) => piece.name).join(", ");
    log(`engine: to build: ${names}; about ${minutes.toFixed(1)} minutes on 2 cores, and the downloads`);
    const onWait = (pid) => log(`engine: process ${pid} is building; waiting for it`);
    await withLock(join(cacheDir, "lock"), onWait, async () => {
      for (const piece of missing) {
        const file = cached(piece) ?? (await build(piece, log));
        used.push({ ...named(piece), file, source: "built", version: versionOf(piece) });
      }
    });
  }
  const order = pieces.map((piece) => piece.name);
  used.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  return { path: linkAll(used), pieces: used };
}

function named(piece) {
  return { name: piece.name, title: piece.title, binary: piece.binary, ...(piece.link ? { link: piece.link } : {}) };
}

/** One directory with a link to each program, named by what it links to: runs with other pieces do not share it. */
function linkAll(used) {
  const links = used.map(({ link, binary, file }) => [link ?? binary, file]);
  const name = createHash("sha256").update(JSON.stringify(links)).digest("hex").slice(0, 16);
  const target = join(cacheDir, `bin-${name}`);
  if (existsSync(target)) return target;
  mkdirSync(cacheDir, { recursive: true });
  const half = mkdtempSync(join(cacheDir, ".linking-"));
  for (const [binary, file] of links) symlinkSync(file, join(half, binary));
  writeFileSync(join(half, builtMark), "{}\n");
  try {
    renameSync(half, target);
  } catch (error) {
    rmSync(half, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
  return target;
}

const usage = `node test/engine/ensure.mjs [--json | --print-path] [--languages] [--policies] [--terraform]
Finds or builds the Pulumi engine and providers for the tests, and tells what is used.
  --languages   hosts for Pulumi YAML and Python too
  --policies    policy packs written for Node can be run
  --terraform   Hetzner Cloud's provider for Terraform too
  --print-path  print only the directory to put in front of PATH
  --json        print what is used as JSON
`;

if (argv[1] && import.meta.url === pathToFileURL(argv[1]).href) {
  const flags = argv.slice(2);
  const known = ["--json", "--print-path", "--languages", "--policies", "--terraform"];
  if (flags.some((flag) => !known.includes(flag))) {
    stderr.write(usage);
    exit(flags.includes("--help") ? 0 : 2);
  }
  try {
    const engine = await ensureEngine({
      log: (line) => stderr.write(`${line}\n`),
      languages: flags.includes("--languages"),
      policies: flags.includes("--policies"),
      terraform: flags.includes("--terraform"),
    });
    if (flags.includes("--json")) stdout.write(`${JSON.stringify(engine, null, 2)}\n`);
    else if (flags.includes("--print-path")) stdout.write(`${engine.path}\n`);
    else {
      for (const { title, file, source, version } of engine.pieces) {
        stdout.write(`${title}${version ? ` ${version}` : ""} (${source}): ${file}\n`);
      }
      stdout.write(`PATH prefix: ${engine.path}\n`);
    }
  } catch (error) {
    stderr.write(`${error.message}\n`);
    exit(1);
  }
}
