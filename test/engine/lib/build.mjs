import { execFile, spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { builtMark, cacheDir, cacheNameOf, engineDir, goEnv, goVersionOf, sourcesOf, versionOf } from "./pieces.mjs";

const progressEvery = 15_000; // ms between "still building" lines

/** The built binary of the piece in the cache, or undefined. */
export function cached(piece) {
  const file = join(cacheDir, cacheNameOf(piece), piece.binary);
  return existsSync(file) ? file : undefined;
}

/**
 * Throws where Go is missing or too old for the pieces, naming what is needed for what.
 * @throws Error
 */
export async function checkGo(pieces) {
  const needed = pieces.map(goVersionOf).sort((a, b) => b[0] - a[0] || b[1] - a[1] || b[2] - a[2])[0];
  const what = pieces.map((piece) => piece.binary).join(", ");
  const want = `Go ${needed.join(".")} or later must be on PATH to build ${what} (or have these programs on PATH)`;
  let version;
  try {
    const { stdout } = await promisify(execFile)("go", ["env", "GOVERSION"], { env: { ...process.env, ...goEnv } });
    version = stdout.trim();
  } catch (error) {
    throw new Error(`engine: ${want}; ${error.code === "ENOENT" ? "there is no go" : `go fails: ${error.message}`}`);
  }
  const have = (version.match(/go(\d+)\.(\d+)(?:\.(\d+))?/) ?? []).slice(1).map((part) => Number(part ?? 0));
  const tooOld = have.length > 0 && (have[0] - needed[0] || have[1] - needed[1] || have[2] - needed[2]) < 0;
  if (tooOld) throw new Error(`engine: ${want}; there is ${version}`);
}

/**
 * Builds the piece into the cache and returns its binary. Call it under the lock only: it clears what an interrupted
 * build left. The folder appears in the cache by one rename, complete or not at all.
 * @throws Error with the end of the failing step's output
 */
export async function build(piece, log) {
  const name = cacheNameOf(piece);
  const version = versionOf(piece);
  for (const left of readdirSync(cacheDir).filter((entry) => entry.startsWith(".building-"))) {
    rmSync(join(cacheDir, left), { recursive: true, force: true });
  }
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  const label = `${piece.title} ${version}`;
  log(`engine: building ${label}`);
  const timer = setInterval(() => log(`engine: still building ${label}, ${seconds()} s`), progressEvery);
  const work = join(cacheDir, `.building-${piece.name}-${process.pid}`);
  const result = join(work, "result");
  try {
    for (const file of sourcesOf(piece)) {
      mkdirSync(dirname(join(work, "source", file)), { recursive: true });
      copyFileSync(join(engineDir, piece.dir, file), join(work, "source", file));
    }
    mkdirSync(result);
    for (const step of piece.steps(version)) {
      if (step.copy) {
        copyFileSync(join(work, "source", step.copy[0]), join(work, "source", step.copy[1]));
      } else {
        const [command, ...args] = step.command.map((word) => word.replace("{out}", join(result, piece.binary)));
        await run(command, args, join(work, "source"), label);
      }
    }
    writeFileSync(join(result, builtMark), `${JSON.stringify({ piece: piece.name, version, seconds: seconds() })}\n`);
    const target = join(cacheDir, name);
    rmSync(target, { recursive: true, force: true });
    renameSync(result, target);
    log(`engine: built ${label} in ${seconds()} s`);
    return join(target, piece.binary);
  } finally {
    clearInterval(timer);
    rmSync(work, { recursive: true, force: true });
  }
}

function run(command, args, cwd, label) {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...goEnv }, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const keep = (chunk) => {
      output = (output + chunk).slice(-20_000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", failed);
    child.on("close", (code, signal) => {
      if (code === 0) return done();
      const end = output.trimEnd().split("\n").slice(-40).join("\n");
      const how = signal ? `was ended by ${signal}` : `exited with ${code}`;
      failed(new Error(`engine: building ${label} failed: ${[command, ...args].join(" ")} ${how}\n${end}`));
    });
  });
}
