/**
 * Which process is a region's: `region.json`. Nothing but the process is in it, so that a region which another version
 * started is still known to run: taken for stopped, its state would be removed under running machines.
 */
import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { isAlive, type ProcessIdentity, processIdentity } from "./support/processes.js";

const recordSchema = z.looseObject({ host: processIdentity });

/**
 * The process that the record names, dead or alive; undefined without a record.
 * @throws Error when there is a record that cannot be read: nobody knows then whether the region runs.
 */
export function readHost(path: string): ProcessIdentity | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return recordSchema.parse(JSON.parse(text)).host;
  } catch {
    throw new Error(
      `${path} does not say which process is the region's: end that process (region/dist/hostProcess.js), then remove the file`,
    );
  }
}

/**
 * Makes `host` the region's process, if no other one lives: of several that start at once, one succeeds.
 * @throws Error when the region runs already.
 */
export function claim(path: string, host: ProcessIdentity): void {
  const own = `${path}.${host.pid}`;
  writeFileSync(own, JSON.stringify({ host }), { mode: 0o600 });
  try {
    const before = readHost(path);
    if (before !== undefined && !isAlive(before)) rmSync(path, { force: true });
    // Unlike a rename, a link never takes the place of a file that is there.
    linkSync(own, path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST")
      throw new Error(`the region runs already: ${path}`);
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}
