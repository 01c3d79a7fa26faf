import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { root } from "../../../harness/src/index.js";
import { Results } from "../results.js";
import type { Attack } from "../types.js";

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "results-"));
  file = join(directory, "attacks.json");
});
afterEach(() => rmSync(directory, { recursive: true }));

const attack: Attack = { group: "packets", name: "one", what: "w", run: async () => [] };
const other: Attack = { ...attack, what: "the same name for something else" };
const blocked = { verdict: "blocked", ok: true, detail: "closed", seconds: 1 } as const;
const open = { verdict: "open", ok: false, detail: "came in" } as const;

test("runs add up: what one measured stays when the next measures something else", () => {
  const first = new Results(file, "aaa");
  first.record("debian-13", attack, "ours", blocked);
  first.record("debian-12", attack, "ours", open);
  first.save();
  const second = new Results(file, "bbb+");
  second.record("debian-13", attack, "seed", { ...open, ok: true });
  second.record("debian-12", attack, "ours", blocked);
  second.save();

  const third = new Results(file, "ccc");
  expect(third.images()).toEqual(["debian-13", "debian-12"]);
  const [row] = third.rows("debian-13", [attack]);
  expect(row?.cells.ours).toMatchObject({ ...blocked, commit: "aaa", at: expect.stringMatching(/^\d{4}-.*Z$/) });
  expect(row?.cells.seed).toMatchObject({ verdict: "open", commit: "bbb+" });
  expect(third.rows("debian-12", [attack])[0]?.cells.ours).toMatchObject({ verdict: "blocked", commit: "bbb+" });
});

test("done is what was measured and is as it must be, and nothing that was forgotten", () => {
  const results = new Results(file, "aaa");
  expect(results.done("debian-13", attack, "ours")).toBe(false);
  results.record("debian-13", attack, "ours", open);
  expect(results.done("debian-13", attack, "ours")).toBe(false);
  results.record("debian-13", attack, "ours", blocked);
  expect(results.done("debian-13", attack, "ours")).toBe(true);
  expect(results.done("debian-sid", attack, "ours")).toBe(false);
  expect(results.done("debian-13", other, "ours")).toBe(false);
  expect(results.done("debian-13", { ...attack, of: { port: 9002 } }, "ours")).toBe(false);
  results.forget("debian-13", "one", "ours");
  expect(results.done("debian-13", attack, "ours")).toBe(false);
  expect(results.images()).toEqual([]);
});

test("what went wrong is kept without the paths of whoever measured it", () => {
  const results = new Results(file, "aaa");
  results.record("debian-13", attack, "ours", {
    ...open,
    detail: `ssh -F ${root}/.cache/x -S ${tmpdir()}/attacks-1/s`,
  });
  expect(results.rows("debian-13", [attack])[0]?.cells.ours?.detail).toBe("ssh -F ./.cache/x -S attacks-1/s");
});

test("a file that is no table is put aside, not written over", () => {
  writeFileSync(file, '{"debian-13": []}');
  const results = new Results(file, "aaa");
  expect(results.images()).toEqual([]);
  results.save();
  expect(readFileSync(`${file}.unreadable`, "utf8")).toBe('{"debian-13": []}');
  expect(existsSync(file)).toBe(true);
});
