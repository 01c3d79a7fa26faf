/** The command line's side of a region: the control socket, start and stop. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readHost } from "./hostRecord.js";
import type { Layout } from "./layout.js";
import { removeRegionNamespaces } from "./network/namespaces.js";
import { type Settings, type Status, statusSchema } from "./settings.js";
import { endProcess, identify, isAlive, waitGone } from "./support/processes.js";

/** Asks the daemon; rejects with its own message when it refuses. */
export async function ask(
  layout: Layout,
  method: "GET" | "POST" | "DELETE",
  path: string,
  sentBody?: unknown,
): Promise<unknown> {
  const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const headers = sentBody === undefined ? {} : { "content-type": "application/json" };
    const sent = request({ socketPath: layout.control, method, path, headers }, (answer) => {
      let body = "";
      answer.setEncoding("utf8");
      answer.on("data", (data) => (body += data));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text: body }));
    });
    sent.on("error", reject);
    sent.end(sentBody === undefined ? undefined : JSON.stringify(sentBody));
  });
  const body: unknown = JSON.parse(text);
  if (status >= 400) {
    const message = typeof body === "object" && body !== null && "message" in body ? String(body.message) : text;
    throw new Error(message);
  }
  return body;
}

export function isRunning(layout: Layout): boolean {
  const host = readHost(layout.record);
  return host !== undefined && isAlive(host);
}

export async function statusOf(layout: Layout): Promise<Status | undefined> {
  if (!isRunning(layout)) return undefined;
  try {
    return statusSchema.parse(await ask(layout, "GET", "/status"));
  } catch {
    return undefined;
  }
}

function lastLines(file: string, count: number): string {
  if (!existsSync(file)) return "";
  return readFileSync(file, "utf8").trimEnd().split("\n").slice(-count).join("\n");
}

/** hcloud's tokens have 64 characters; the same one stays for the life of the state directory. */
function ensureToken(layout: Layout): void {
  if (existsSync(layout.token)) return;
  writeFileSync(layout.token, randomBytes(32).toString("hex"), { mode: 0o600 });
}

/** Starts the host process and waits until the API answers. Servers that were on are on again after it. */
export async function start(layout: Layout, settings: Settings): Promise<Status> {
  mkdirSync(layout.state, { recursive: true, mode: 0o700 });
  ensureToken(layout);
  const program = fileURLToPath(new URL("./hostProcess.js", import.meta.url));
  const log = openSync(layout.log, "a", 0o600);
  const logged = statSync(layout.log).size;
  const child = spawn(process.execPath, [program, JSON.stringify(settings)], {
    detached: true,
    stdio: ["ignore", log, log],
    cwd: "/",
  });
  closeSync(log);
  child.unref();
  const identity = child.pid === undefined ? undefined : identify(child.pid);
  if (!identity) throw new Error("the region's process did not start");
  const deadline = Date.now() + 180_000;
  while (isAlive(identity) && Date.now() < deadline) {
    const status = await statusOf(layout);
    if (status?.ready) return status;
    await sleep(100);
  }
  const said = readFileSync(layout.log, "utf8").slice(logged).trim();
  throw new Error(`the region did not start:\n${said || lastLines(layout.log, 20) || "it said nothing"}`);
}

/** Stops the region, also one that crashed, and leaves nothing outside the state directory. */
export async function stop(layout: Layout, options: { readonly purge: boolean }): Promise<void> {
  const host = readHost(layout.record);
  if (host && isAlive(host)) {
    try {
      await ask(layout, "POST", "/stop");
      await waitGone(host, 60_000);
    } catch {
      // It does not listen: its process is ended below.
    }
    await endProcess(host, 15_000);
  }
  await removeRegionNamespaces(layout.name);
  for (const file of [layout.mirrorSocket, layout.control, layout.record]) rmSync(file, { force: true });
  if (options.purge) rmSync(layout.state, { recursive: true, force: true });
}
