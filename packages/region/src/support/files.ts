import { renameSync, writeFileSync } from "node:fs";

/** Writes a file so that readers see the old content or the new, never a part. Only its owner may read it. */
export function writeFileAtomically(path: string, content: string): void {
  const next = `${path}.next`;
  writeFileSync(next, content, { mode: 0o600 });
  renameSync(next, path);
}
