/**
 * Program: the part of a region that lives in the host's own network. It makes the namespaces, serves the package mirror,
 * keeps the daemon as its child, and clears everything away when the daemon ends. Its argument is the settings as JSON.
 */
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { claim } from "./hostRecord.js";
import { layoutOf } from "./layout.js";
import { serveMirror } from "./mirror/server.js";
import { routerNamespace } from "./network/names.js";
import { addRegionNamespaces, inNamespace, removeRegionNamespaces } from "./network/namespaces.js";
import { settingsSchema } from "./settings.js";
import { identify } from "./support/processes.js";

const settings = settingsSchema.parse(JSON.parse(process.argv[2] ?? ""));
const layout = layoutOf(settings.name, settings.stateDirectory);

async function clear(): Promise<void> {
  await removeRegionNamespaces(settings.name);
  for (const file of [layout.mirrorSocket, layout.control, layout.record]) rmSync(file, { force: true });
}

async function main(): Promise<number> {
  await removeRegionNamespaces(settings.name);
  const mirror = await serveMirror(layout.mirrorSocket, layout.mirror);
  await addRegionNamespaces(settings.name);
  const daemon = fileURLToPath(new URL("./daemon.js", import.meta.url));
  const [command, args] = inNamespace(routerNamespace(settings.name), process.execPath, [
    daemon,
    JSON.stringify(settings),
  ]);
  // The daemon, and through it all machines, ends with this process, however it ends.
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", command, ...args], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => child.kill("SIGTERM"));
  const code = await new Promise<number>((resolve) => {
    child.once("exit", (status) => resolve(status ?? 1));
    child.once("error", () => resolve(1));
  });
  mirror.close();
  return code;
}

function claimRegion(): void {
  const host = identify(process.pid);
  if (host === undefined) throw new Error("this process cannot find itself in /proc");
  claim(layout.record, host);
}

try {
  // Outside of the clean-up: what another process made is not ours to clear away.
  claimRegion();
  try {
    process.exitCode = await main();
  } finally {
    await clear();
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
process.exit();
