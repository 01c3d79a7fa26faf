/** Machines that every file of a suite starts from: booted once, or brought back from the checkpoint of a run that was kept. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { phase, phases, say, table } from "./phases.js";
import { consoleTails, type Region, region as regionOf, startRegion } from "./region.js";

export interface SharedMachines<T> {
  /** Name of the region. */
  readonly name: string;
  /** What the machines' state is kept in; gone at the end unless the run is kept. */
  readonly stateDir: string;
  /** Further flags of `region start`. */
  readonly flags: readonly string[];
  /** Makes everything, saves the checkpoint, and says in plain data (it crosses a process border) where things are. */
  make(region: Region): Promise<T>;
  /** Brings the checkpoint of a kept run back. */
  restore(region: Region): Promise<unknown>;
}

export interface Booted<T> {
  readonly data: T;
  tearDown(): Promise<void>;
}

/** Boots, or with `HCS_KEEP=1` restores what an earlier run with it left; a failure prints the tails of the consoles. */
export async function bootShared<T>(shared: SharedMachines<T>): Promise<Booted<T>> {
  const { name, stateDir, flags } = shared;
  const keep = process.env.HCS_KEEP === "1";
  const kept = join(stateDir, "kept.json");
  if (keep && existsSync(kept)) {
    await phase("restore of the kept machines", () => shared.restore(regionOf(name)));
    // Written below by this very suite.
    return { data: JSON.parse(readFileSync(kept, "utf8")) as T, tearDown: async () => {} };
  }
  const region = await phase("region", () => startRegion(name, (line) => say(`    ${line}`), ...flags));
  const tearDown = async () => {
    const rows = phases().map((one) => [one.title, one.seconds.toFixed(1)]);
    process.stdout.write(`\n${table(["phase", "seconds"], rows)}\n`);
    if (keep) return;
    await region.command("stop", "--purge");
    rmSync(stateDir, { recursive: true, force: true });
  };
  try {
    const data = await shared.make(region);
    writeFileSync(kept, JSON.stringify(data));
    return { data, tearDown };
  } catch (error) {
    say(await consoleTails(region));
    await tearDown();
    throw error;
  }
}
