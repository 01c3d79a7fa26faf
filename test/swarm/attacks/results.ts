/**
 * What was measured so far, kept beside the table: the whole is hours long on emulated machines, so it is measured in parts
 * that add up. Each cell says when, and at which commit, it was measured.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { root } from "../../harness/src/index.js";
import { basisOf } from "./basis.js";
import { type Attack, type Cell, type Column, columns, verdicts } from "./types.js";
import type { Row } from "./verdicts.js";

const measuredSchema = z.object({
  verdict: z.enum(verdicts),
  ok: z.boolean(),
  detail: z.string(),
  seconds: z.number().exactOptional(),
  /** RFC 3339. */
  at: z.string().min(1),
  /** Short hash; with a `+` where the checkout had changes of its own. */
  commit: z.string().min(1),
  /** What it hangs on, see basis.ts. */
  basis: z.string().min(1),
});
export type Measured = z.infer<typeof measuredSchema>;

const resultsSchema = z.object({
  version: z.literal(3),
  /** By image, attack and column. */
  images: z.record(z.string(), z.record(z.string(), z.partialRecord(z.enum(columns), measuredSchema))),
});
type Table = z.infer<typeof resultsSchema>["images"];

/** What went wrong is told with the paths of a checkout and of temporary files, which mean nothing elsewhere. */
function withoutPaths(detail: string): string {
  return detail.replaceAll(root, ".").replaceAll(`${tmpdir()}/`, "");
}

export class Results {
  readonly #file: string;
  readonly #commit: string;
  readonly #table: Table;

  /** Reads what an earlier run left; what is no such file is put aside, with `.unreadable` at its name. */
  constructor(file: string, commit: string) {
    this.#file = file;
    this.#commit = commit;
    this.#table = read(file);
  }

  /** Whether a cell was measured, is as it must be, and nothing that it hangs on has changed since. */
  done(image: string, attack: Attack, column: Column): boolean {
    const cell = this.#table[image]?.[attack.name]?.[column];
    return cell?.ok === true && cell.basis === basisOf(attack, column);
  }

  record(image: string, attack: Attack, column: Column, cell: Cell): void {
    const cells = this.#cells(image, attack.name);
    const basis = basisOf(attack, column);
    cells[column] = {
      ...cell,
      detail: withoutPaths(cell.detail),
      at: new Date().toISOString(),
      commit: this.#commit,
      basis,
    };
  }

  /** Nothing is known of this cell any more. */
  forget(image: string, attack: string, column: Column): void {
    delete this.#cells(image, attack)[column];
  }

  /** A row for each of the attacks, measured or not. */
  rows(image: string, attacks: readonly Attack[]): Row[] {
    return attacks.map((attack) => {
      const { name, group, what } = attack;
      const cells = this.#table[image]?.[name] ?? {};
      const stale = columns.filter((column) => cells[column] && cells[column].basis !== basisOf(attack, column));
      const explained = attack.group === "drift" && attack.opensMeanwhile !== undefined;
      return { name, group, what, cells, stale, explained };
    });
  }

  /** Images of which anything was measured. */
  images(): string[] {
    return Object.entries(this.#table)
      .filter(([, rows]) => Object.values(rows).some((cells) => Object.keys(cells).length > 0))
      .map(([image]) => image);
  }

  /** As a whole or not at all: the run may be ended at any moment. */
  save(): void {
    mkdirSync(dirname(this.#file), { recursive: true });
    writeFileSync(`${this.#file}.new`, `${JSON.stringify({ version: 3, images: this.#table }, null, 2)}\n`);
    renameSync(`${this.#file}.new`, this.#file);
  }

  #cells(image: string, attack: string) {
    this.#table[image] ??= {};
    this.#table[image][attack] ??= {};
    return this.#table[image][attack];
  }
}

function read(file: string): Table {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw error;
  }
  try {
    return resultsSchema.parse(JSON.parse(text)).images;
  } catch {
    renameSync(file, `${file}.unreadable`);
    return {};
  }
}

/** The checkout's commit as {@link Measured} has it; `unknown` where there is none. */
export async function currentCommit(): Promise<string> {
  const git = (...args: string[]) => execa("git", ["-C", root, ...args], { reject: false });
  const head = await git("rev-parse", "--short=10", "HEAD");
  if (head.exitCode !== 0) return "unknown";
  const changed = await git("status", "--porcelain", "--untracked-files=no");
  return `${head.stdout.trim()}${changed.stdout === "" ? "" : "+"}`;
}
