/** Where the state lives between runs. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

export interface Store {
  /** The text of the last save; undefined when there is none. */
  load(): string | undefined;
  /** Keeps the text; after it returns a crash of the process loses nothing. */
  save(text: string): void;
}

/**
 * A store in one file, readable by its owner only (user-data and passwords are in it). Each save writes a file beside it
 * and renames it over the old one, so that a reader sees the old or the new state, never a part.
 */
export function fileStore(path: string): Store {
  return {
    load() {
      try {
        return readFileSync(path, "utf8");
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
        throw error;
      }
    },
    save(text) {
      mkdirSync(dirname(path), { recursive: true });
      const next = `${path}.next`;
      writeFileSync(next, text, { mode: 0o600 });
      renameSync(next, path);
    },
  };
}

/** A store that forgets with the process: for tests. */
export function memoryStore(initial?: string): Store {
  let kept = initial;
  return {
    load: () => kept,
    save(text) {
      kept = text;
    },
  };
}
