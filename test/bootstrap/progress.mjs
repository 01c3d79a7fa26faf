// Progress lines for people: one line when a step starts, one when it ends, a heartbeat while it is silent.
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { dirname } from "node:path";

const begin = Date.now();
const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`;

/** Prints one line with the time since the command started. */
export function say(text) {
  const total = Math.floor((Date.now() - begin) / 1000);
  const clock = `${String(Math.floor(total / 60)).padStart(2)}:${String(total % 60).padStart(2, "0")}`;
  process.stdout.write(`[${clock}] ${text}\n`);
}

/** Runs a step under a title; on failure shows where its log is and the log's end. */
export async function step(title, log, work) {
  const started = Date.now();
  say(`${title} …`);
  const heartbeat = setInterval(() => say(`${title}: still at it (${seconds(started)})`), 30_000);
  try {
    const result = await work();
    say(`${title}: done in ${seconds(started)}`);
    return result;
  } catch (error) {
    say(`${title}: FAILED after ${seconds(started)}`);
    if (log) {
      process.stderr.write(`--- end of ${log}\n${tail(log)}\n---\n`);
    }
    throw error;
  } finally {
    clearInterval(heartbeat);
  }
}

function tail(file) {
  try {
    return readFileSync(file, "utf8").trimEnd().split("\n").slice(-40).join("\n");
  } catch {
    return "(no log)";
  }
}

/** Opens a log file for child processes; the caller's callback gets its descriptor. */
export async function withLog(file, work) {
  mkdirSync(dirname(file), { recursive: true });
  const descriptor = openSync(file, "w");
  try {
    return await work(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
