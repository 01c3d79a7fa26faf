/** Waivers: a checked-in file that lets a gate's finding pass, by name, with a reason, until a day. */
import { parse, YAMLParseError } from "yaml";
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
/** `wrong`: the entry is not as it must be. A waiver that expired was right once. */
export type WaiverState = { counts: true } | { counts: false; why: string; wrong: boolean };

export class WaiverFileError extends Error {
  override readonly name = "WaiverFileError";
}

/** @throws WaiverFileError naming what is wrong; a file that cannot be read as a whole waives nothing. */
export function parseWaivers(text: string, gates: readonly string[]): Waiver[] {
  let data: unknown;
  try {
    // The core schema keeps dates as text.
    data = parse(text, { schema: "core", maxAliasCount: 0 });
  } catch (error) {
    // Where, but not what: the library's message quotes the file.
    const line = error instanceof YAMLParseError ? error.linePos?.[0].line : undefined;
    throw new WaiverFileError(`the waivers file is no YAML${line === undefined ? "" : ` (line ${line})`}`);
  }
  if (data === null || data === undefined) return [];
  const parsed = fileSchema.safeParse(data);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new WaiverFileError(
      `the waivers file is wrong at ${issue?.path.join(".") || "its top"}: ${issue?.message ?? ""}`,
    );
  }
  const seen = new Map<string, number>();
  for (const [index, { gate, resource }] of parsed.data.waivers.entries()) {
    const wrong = (what: string) => new WaiverFileError(`the waivers file is wrong at waivers.${index}.${what}`);
    if (!gates.includes(gate)) throw wrong(`gate: one of ${gates.join(", ")}`);
    // Two dates for the same thing: nobody could tell which is meant.
    const first = seen.get(JSON.stringify([gate, resource ?? "*"]));
    if (first !== undefined) throw wrong(`gate: waivers.${first} is for the same gate and resource`);
    seen.set(JSON.stringify([gate, resource ?? "*"]), index);
  }
  // Reasons are printed: what a terminal or a reader could trip over goes here.
  return parsed.data.waivers.map((it) =>
    it.reason === undefined ? it : { ...it, reason: cleanLine(it.reason).slice(0, 300) },
  );
}

/** @param today `YYYY-MM-DD` in UTC; a waiver counts through the day on which it expires. */
export function waiverState(waiver: Waiver, today: string): WaiverState {
  const wrong = (why: string): WaiverState => ({ counts: false, why, wrong: true });
  if ((waiver.reason ?? "").trim() === "") return wrong("it has no reason");
  if (waiver.expires === undefined) return wrong("it has no date in `expires`");
  if (!isDate(waiver.expires)) return wrong("`expires` is no date of the form YYYY-MM-DD");
  if (waiver.expires < today) return { counts: false, why: `it expired on ${waiver.expires}`, wrong: false };
  return { counts: true };
}

/** Whether it is a day of the calendar, as `YYYY-MM-DD`. */
export function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

export function matches(waiver: Waiver, subject: string): boolean {
  if (waiver.resource === undefined) return true;
  const pattern = waiver.resource.split(/\*+/).map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${pattern.join(".*")}$`, "s").test(subject);
}
