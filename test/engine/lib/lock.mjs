import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const heartbeat = 5_000; // ms between signs of life of the holder
const silence = 60_000; // ms without one after which a holder counts as dead

/**
 * Runs `work` while holding the lock file. Others wait; `onWait` is called once, with the holder's process id, when
 * that happens. A holder that died is noticed by its process id on this machine, else by its silence. Should two
 * waiters break the same dead lock at once, both may run: users must make their result appear by one rename.
 */
export async function withLock(file, onWait, work) {
  mkdirSync(dirname(file), { recursive: true });
  let told = false;
  while (!take(file)) {
    const holder = readHolder(file);
    if (holder === undefined) continue; // just released
    if (isDead(holder)) {
      rmSync(file, { force: true });
      continue;
    }
    if (!told) onWait(holder.pid);
    told = true;
    await sleep(300);
  }
  const beat = setInterval(() => {
    const now = new Date();
    try {
      utimesSync(file, now, now);
    } catch {
      // The cache was deleted under us; the build will say so itself.
    }
  }, heartbeat);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    rmSync(file, { force: true });
  }
}

function take(file) {
  try {
    writeFileSync(file, JSON.stringify({ pid: process.pid, host: hostname() }), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

function readHolder(file) {
  try {
    const age = Date.now() - statSync(file).mtimeMs;
    try {
      return { age, ...JSON.parse(readFileSync(file, "utf8")) };
    } catch (error) {
      if (error instanceof SyntaxError) return { age }; // being written
      throw error;
    }
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

function isDead(holder) {
  if (holder.age > silence) return true;
  if (holder.host !== hostname() || typeof holder.pid !== "number") return false;
  try {
    process.kill(holder.pid, 0);
    return false;
  } catch (error) {
    return error.code === "ESRCH";
  }
}
