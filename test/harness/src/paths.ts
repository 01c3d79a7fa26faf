import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout's root. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

/** A folder below the cache, made when missing. */
export function cacheDir(...parts: string[]): string {
  const path = join(root, ".cache", ...parts);
  mkdirSync(path, { recursive: true });
  return path;
}
