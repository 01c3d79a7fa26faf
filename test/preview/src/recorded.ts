/** Recorded logs and their golden reports in the repository. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";
import {
  evaluateGates,
  GATES,
  renderMarkdown,
  renderText,
  reportOf,
} from "../../../packages/preview-report/src/index.js";

const path = (name: string, ending: string) => join(import.meta.dirname, "../recorded", `${name}.${ending}`);

export const goldenForms = ["md", "json", "txt"] as const;
export type GoldenForm = (typeof goldenForms)[number];

export function hasLog(name: string): boolean {
  return existsSync(path(name, "jsonl.br"));
}

/** One JSON a line. */
export function readLog(name: string): string {
  return brotliDecompressSync(readFileSync(path(name, "jsonl.br"))).toString("utf8");
}

/** Not gzip: nodes repeat each other's user-data further back than its 32 KiB. */
export function writeLog(name: string, log: string): void {
  const params = { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: log.length };
  writeFileSync(path(name, "jsonl.br"), brotliCompressSync(log, { params }));
}

export function readGolden(name: string, form: GoldenForm): string {
  return readFileSync(path(name, form), "utf8");
}

export function writeGolden(name: string, golden: Readonly<Record<GoldenForm, string>>): void {
  for (const form of goldenForms) writeFileSync(path(name, form), golden[form]);
}

async function* chunks(text: string): AsyncGenerator<string> {
  yield text;
}

/** What the command line prints for a log, with every gate on and no waiver. */
export async function goldenOf(log: string): Promise<Record<GoldenForm, string>> {
  const { report } = await reportOf(chunks(log));
  const all = GATES.map(([name]) => name);
  const gates = evaluateGates(report, all, [], "2030-01-01");
  return {
    md: renderMarkdown(report, { gates }),
    json: `${JSON.stringify({ ...report, gates, exitCode: gates.exitCode }, null, 2)}\n`,
    txt: renderText(report, gates),
  };
}
