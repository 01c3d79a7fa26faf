/**
 * Makes the engine's events the same in each recording: no path of the machine, no time, no id by chance, and the steps in the order of their resources
 * instead of that in which the engine's workers happened to finish. Pure.
 */
import { canonical } from "./canonical.js";

export interface NormaliseOptions {
  /** What stands in the log, and what is to stand there instead; applied in this order. */
  readonly paths: readonly (readonly [string, string])[];
  /** Debug messages with one of these in them are kept, each once; the others, most of a log, are left out. Default: none. */
  readonly debugWith?: readonly string[];
}

/** Says where the test's engine and providers were found; on a user's machine they are installed plugins. */
const CHATTER = /^using pulumi-(language|resource|analyzer)-\S+ from \$PATH|expected to have version >=/;

type Event = Record<string, unknown>;

/** @param log One JSON a line, as the engine writes it. @returns the same form. */
export function normalise(log: string, { paths, debugWith = [] }: NormaliseOptions): string {
  const text = (value: string): string => paths.reduce((all, [from, to]) => all.replaceAll(from, to), value);
  const visit = (value: unknown, key: string): unknown => {
    if (typeof value === "string") return TIMES.test(key) ? "2030-01-01T00:00:00Z" : text(value);
    if (typeof value === "number") return key === "timestamp" ? 1893456000 : key === "durationSeconds" ? 1 : value;
    if (Array.isArray(value)) {
      const items = value.map((item) => visit(item, ""));
      // The engine takes these out of a map.
      return key === "diffs" || key === "keys" ? items.sort() : items;
    }
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value).filter(([name]) => !PLACES.test(name));
    return Object.fromEntries(entries.map(([name, inner]) => [text(name), visit(inner, name)]));
  };
  const events = log
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Event)
    .filter((event) => !unwanted(event, debugWith));
  const lines = canonical(ordered(events)).map((event, sequence) => JSON.stringify(visit({ ...event, sequence }, "")));
  return `${[...new Set(lines)].join("\n")}\n`;
}

const TIMES = /^(created|modified|time)$/;
/** Where in the program a resource is made. */
const PLACES = /^(sourcePosition|stackTrace)$/;

/** Messages first, as they came; then the steps by resource; then the end. */
function ordered(events: readonly Event[]): Event[] {
  const rank = (event: Event): number =>
    "preludeEvent" in event ? 0 : "diagnosticEvent" in event ? 1 : urnOf(event) === undefined ? 3 : 2;
  return [...events].sort(
    (a, b) => rank(a) - rank(b) || messageOf(a).localeCompare(messageOf(b)) || compare(urnOf(a) ?? "", urnOf(b) ?? ""),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Debug messages come in any order; the others keep theirs. */
function messageOf({ diagnosticEvent }: Event): string {
  const { severity, message } = (diagnosticEvent ?? {}) as { severity?: string; message?: string };
  return severity === "debug" ? String(message) : "";
}

function urnOf(event: Event): string | undefined {
  for (const key of ["resourcePreEvent", "resOutputsEvent", "resOpFailedEvent"]) {
    const body = event[key] as { metadata?: { urn?: string } } | undefined;
    if (body !== undefined) return body.metadata?.urn ?? "";
  }
  return undefined;
}

function unwanted(event: Event, debugWith: readonly string[]): boolean {
  const { severity, message } = (event.diagnosticEvent ?? {}) as { severity?: string; message?: string };
  if (message === undefined) return false;
  if (severity === "debug") return !debugWith.some((secret) => message.includes(secret));
  return CHATTER.test(message);
}
