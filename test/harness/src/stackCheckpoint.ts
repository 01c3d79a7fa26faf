import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Region } from "./region.js";

/** Keeps how a region is now, and Pulumi's state of it: machines and state only make sense together. */
export async function saveCheckpoint(region: Region, stateDir: string, name: string): Promise<void> {
  await region.command("checkpoint", "save", name);
  rmSync(join(stateDir, `pulumi-${name}`), { recursive: true, force: true });
  cpSync(join(stateDir, ".pulumi"), join(stateDir, `pulumi-${name}`), { recursive: true });
  cpSync(join(stateDir, "config.yaml"), join(stateDir, `config-${name}.yaml`));
}

/** Brings both back. */
export async function restoreCheckpoint(region: Region, stateDir: string, name: string): Promise<void> {
  await region.command("checkpoint", "restore", name);
  rmSync(join(stateDir, ".pulumi"), { recursive: true, force: true });
  cpSync(join(stateDir, `pulumi-${name}`), join(stateDir, ".pulumi"), { recursive: true });
  cpSync(join(stateDir, `config-${name}.yaml`), join(stateDir, "config.yaml"));
}
