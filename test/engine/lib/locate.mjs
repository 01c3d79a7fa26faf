import { execFile } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve, sep } from "node:path";
import { promisify } from "node:util";
import { builtMark, cacheDir, parseVersion } from "./pieces.mjs";

/**
 * Looks for a user's own piece: first on PATH, then among Pulumi's installed plugins (newest first). What a build of
 * ours left in a cache, this checkout's or another's, does not count.
 * @returns {Promise<{ found?: { file: string, source: "path" | "plugins", version?: string }, refused: string[] }>}
 *   refused: one sentence for each candidate that is there but not good enough.
 */
export async function locate(piece, env = process.env) {
  const refused = [];
  for (const candidate of [...onPath(piece, env), ...installedPlugins(piece, env)]) {
    const version = candidate.version ?? (piece.name === "cli" ? await cliVersion(candidate.file, env) : undefined);
    if (piece.name === "cli" && !version) {
      refused.push(`${candidate.file} does not tell its version`);
      continue;
    }
    const numbers = version ? parseVersion(version) : undefined;
    if (numbers && piece.accepts && !piece.accepts(numbers)) {
      refused.push(`${candidate.file} is version ${version}; wanted: ${piece.wanted}`);
      continue;
    }
    return { found: { ...candidate, ...(version ? { version } : {}) }, refused };
  }
  return { refused };
}

function onPath(piece, env) {
  return (env.PATH ?? "")
    .split(delimiter)
    .filter((dir) => dir !== "")
    .map((dir) => ({ file: resolve(dir, piece.binary), source: "path" }))
    .filter(({ file }) => isProgram(file) && !isOurs(file));
}

function installedPlugins(piece, env) {
  if (!piece.plugin) return [];
  const dir = join(env.PULUMI_HOME || join(homedir(), ".pulumi"), "plugins");
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .filter((name) => name.startsWith(`${piece.plugin}-v`))
    .map((name) => ({
      file: join(dir, name, piece.binary),
      source: "plugins",
      version: name.slice(piece.plugin.length + 2),
    }))
    .filter(({ file, version }) => parseVersion(version) && isProgram(file) && !isOurs(file))
    .sort((a, b) => compare(parseVersion(b.version), parseVersion(a.version)));
}

function compare(a, b) {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

function isOurs(file) {
  const real = realpathSync(file);
  const cache = existsSync(cacheDir) ? realpathSync(cacheDir) : cacheDir;
  return real.startsWith(cache + sep) || existsSync(join(dirname(real), builtMark));
}

async function cliVersion(file, env) {
  try {
    const { stdout } = await promisify(execFile)(file, ["version"], {
      env: { ...env, PULUMI_SKIP_UPDATE_CHECK: "true" },
      timeout: 20_000,
    });
    return parseVersion(stdout) ? stdout.trim().replace(/^v/, "") : undefined;
  } catch {
    return undefined;
  }
}
