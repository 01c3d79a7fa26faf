/** Tells the input's format by itself and hands its events on, one at a time. */
import { isPlainObject } from "../values/value.js";
import { looksLikeEvent, type PreviewEvent, readDigest, readEvent } from "./events.js";
import { type Line, readLines } from "./lines.js";

export type InputFormat = "events" | "digest" | "none";

export interface ReadStatus {
  /** `events`: one JSON a line; `digest`: the document of plain preview --json; `none`: neither was found. */
  format: InputFormat;
  /** False where input ended early or a part of it could not be read: the report then shows what was read. */
  complete: boolean;
  /** What was wrong, as sentences without any text of the input. */
  problems: string[];
  /** Events that were read, of known and unknown type. */
  events: number;
}

/** Called for each event with the JSON that it came from (which secrets are looked for in). */
export type Sink = (event: PreviewEvent, raw: unknown) => void;

/** Lines before the first JSON (a package manager's or a wrapper's chatter) that are skipped. */
const MAX_PREFACE = 10_000;

/** Reads a whole preview. Throws only what the source of `chunks` throws. */
export async function readPreview(chunks: AsyncIterable<Uint8Array | string>, sink: Sink): Promise<ReadStatus> {
  const reader = new Reader(sink);
  for await (const line of readLines(chunks)) reader.take(line);
  return reader.finish();
}

class Reader {
  private format: InputFormat = "none";
  private problems: string[] = [];
  private events = 0;
  private preface = 0;
  private ended = false;
  private strayLines = 0;
  private brokenLines = 0;
  private malformed = new Map<string, number>();
  private cut = false;
  private digest: string[] = [];

  constructor(private readonly sink: Sink) {}

  take(line: Line): void {
    if (line.dropped) {
      this.brokenLines++;
      return;
    }
    if (this.format === "digest") {
      this.digest.push(line.text);
      return;
    }
    const text = line.text.trim();
    if (text === "") return;
    if (this.format === "none") this.detect(line, text);
    else this.takeEvent(line, text);
  }

  private detect(line: Line, text: string): void {
    if (!/^[[{]/.test(text)) {
      if (++this.preface > MAX_PREFACE) this.brokenLines++;
      return;
    }
    const json = parse(text);
    if (looksLikeEvent(json) || /^\{"(sequence|timestamp)":/.test(text)) {
      this.format = "events";
      this.takeEvent(line, text);
    } else {
      // A pretty-printed document starts with a lone brace; a compact one is a whole line.
      this.format = "digest";
      this.digest.push(line.text);
    }
  }

  private takeEvent(line: Line, text: string): void {
    const json = parse(text);
    if (json === undefined) {
      if (!line.ended) this.cut = true;
      else if (text.startsWith("{")) this.brokenLines++;
      else this.strayLines++;
      return;
    }
    this.emit(readEvent(json), json);
  }

  private emit(event: PreviewEvent, raw: unknown): void {
    this.events++;
    if (event.kind === "malformed") {
      // Names outside our own list are text of the input and stay out of the message.
      this.malformed.set(event.name, (this.malformed.get(event.name) ?? 0) + 1);
    }
    if (event.kind === "end" || event.kind === "summary") this.ended = true;
    this.sink(event, raw);
  }

  finish(): ReadStatus {
    if (this.format === "digest") this.finishDigest();
    else if (this.format === "events") this.finishEvents();
    else
      this.problems.push("No preview was found: the input holds neither engine events nor a preview --json document.");
    if (this.brokenLines > 0) this.problems.push(`${count(this.brokenLines, "line")} could not be read as JSON.`);
    for (const [name, times] of this.malformed) {
      this.problems.push(
        `${count(times, "event")} of kind ${name} could not be understood and ${times === 1 ? "is" : "are"} missing here.`,
      );
    }
    const complete = this.problems.length === 0;
    if (this.strayLines > 0)
      this.problems.push(`${count(this.strayLines, "line")} between the events held no JSON (ignored).`);
    return { format: this.format, complete, problems: this.problems, events: this.events };
  }

  private finishEvents(): void {
    if (this.cut) this.problems.push("The input ends in the middle of an event: it is cut off.");
    else if (!this.ended)
      this.problems.push("The input ends before the engine's summary: it is cut off, or the engine was killed.");
  }

  private finishDigest(): void {
    const text = this.digest.join("\n");
    const json = parse(text);
    if (json !== undefined) {
      this.takeDocument(json);
      return;
    }
    const steps = salvageSteps(this.digest);
    for (const event of readDigest({ steps }) ?? []) this.emit(event, undefined);
    for (const step of steps) this.sink({ kind: "ignored" }, step);
    this.problems.push(
      steps.length > 0
        ? `The preview document is cut off or broken: ${count(steps.length, "step")} could be read.`
        : "The input starts like a preview document but is cut off or broken, and no step of it could be read.",
    );
  }

  private takeDocument(json: unknown): void {
    // The service's API answers with the same events in one document.
    const list = Array.isArray(json)
      ? json
      : isPlainObject(json) && Array.isArray(json.events)
        ? json.events
        : undefined;
    if (list?.some(looksLikeEvent)) {
      this.format = "events";
      for (const item of list) this.emit(readEvent(item), item);
      this.finishEvents();
      return;
    }
    const events = readDigest(json);
    if (!events) {
      this.format = "none";
      this.problems.push("The input is JSON, but neither engine events nor a preview --json document.");
      return;
    }
    this.sink({ kind: "ignored" }, json);
    for (const event of events) this.emit(event, undefined);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** The whole steps of a broken document, by the indentation (4 spaces a level) in which the engine prints it. */
function salvageSteps(lines: string[]): unknown[] {
  const steps: unknown[] = [];
  let start = -1;
  for (const [index, line] of lines.entries()) {
    if (line === "        {") start = index;
    else if (start !== -1 && (line === "        }," || line === "        }")) {
      const step = parse(`${lines.slice(start, index).join("\n")}\n}`);
      if (isPlainObject(step) && "op" in step) steps.push(step);
      start = -1;
    }
  }
  return steps;
}
