/** Waivers: a checked-in file that lets a gate's finding pass, by name, with a reason, until a day. */
import { parse } from "yaml";
import * as z from "zod";
import { cleanLine } from "../secrets/clean.js";

const entrySchema = z.strictObject({
  gate: z.string(),
  /** Glob (`*` for any run of characters) of the names it covers. Default: all. */
  resource: z.string().optional(),
  reason: z.string().optional(),
  /** `YYYY-MM-DD`, the last day on which it counts, in UTC. */
  expires: z.string().optional(),
});
const fileSchema = z.strictObject({ waivers: z.array(entrySchema) });

export type Waiver = z.infer<typeof entrySchema>;
export type WaiverState = { counts: true } | { counts: false; why: string };

export class WaiverFileError extends Error {
  override readonly name = "WaiverFileError";
}

/** @throws WaiverFileError naming what is wrong; a file that cannot be read as a whole waives nothing. */
export function parseWaivers(text: string, gates: readonly string[]): Waiver[] {
  let data: unknown;
  try {
    // The core schema keeps dates as text.
    data = parse(text, { schema: "core", maxAliasCount: 0 });
  } catch {
    throw new WaiverFileError("the waivers file is no YAML");
  }
  if (data === null || data === undefined) return [];
  const parsed = fileSchema.safeParse(data);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new WaiverFileError(
      `the waivers file is wrong at ${issue?.path.join(".") || "its top"}: ${issue?.message ?? ""}`,
    );
  }
  for (const [index, { gate }] of parsed.data.waivers.entries()) {
    if (!gates.includes(gate)) {
      throw new WaiverFileError(`the waivers file is wrong at waivers.${index}.gate: one of ${gates.join(", ")}`);
    }
  }
  // Reasons are printed: what a terminal or a reader could trip over goes here.
  return parsed.data.waivers.map((it) =>
    it.reason === undefined ? it : { ...it, reason: cleanLine(it.reason).slice(0, 300) },
  );
}

export function waiverState(waiver: Waiver, today: string): WaiverState {
  if ((waiver.reason ?? "").trim() === "") return { counts: false, why: "it has no reason" };
  if (waiver.expires === undefined) return { counts: false, why: "it has no date in `expires`" };
  if (!isDate(waiver.expires)) return { counts: false, why: "`expires` is no date of the form YYYY-MM-DD" };
  return waiver.expires < today ? { counts: false, why: `it expired on ${waiver.expires}` } : { counts: true };
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

export function matches(waiver: Waiver, subject: string): boolean {
  if (waiver.resource === undefined) return true;
  const pattern = waiver.resource.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${pattern.join(".*")}$`, "s").test(subject);
}
