/** The report as Markdown for a comment, within its size. */
import type { GateOutcome } from "../gates/gates.js";
import type { Report } from "../report/report.js";
import { paragraph, say, serialize } from "./nodes.js";
import { type Section, sections } from "./sections.js";

export interface MarkdownOptions {
  /** Most UTF-16 units; 0 for no limit. Default: 60,000 (GitHub takes 65,536 in a comment). */
  maxChars?: number;
  gates?: GateOutcome | undefined;
}

/** Room for the note on what was cut. */
const RESERVE = 500;

export function renderMarkdown(report: Report, { maxChars = 60_000, gates }: MarkdownOptions = {}): string {
  const all = sections(report, gates);
  const budget = maxChars <= 0 ? Number.POSITIVE_INFINITY : Math.max(0, maxChars - RESERVE);
  const texts = new Map<Section, string>();
  const cut: string[] = [];
  let left = budget;
  for (const section of [...all].sort((a, b) => a.rank - b.rank)) {
    const text = fit(section, left);
    if (text === undefined || text.rows < section.rows) cut.push(section.name);
    if (text === undefined) continue;
    texts.set(section, text.text);
    left -= text.text.length + 1;
  }
  const parts = all.flatMap((section) => texts.get(section) ?? []);
  if (cut.length > 0) {
    parts.push(
      serialize([
        paragraph(
          say(
            `Cut to fit the size of a comment: ${cut.join(", ")}. The command line shows all of it with --max-chars 0.`,
          ),
        ),
      ]),
    );
  }
  const result = parts.join("\n");
  // Smaller than any report can be: rather an honest line than half a table.
  return maxChars > 0 && result.length > maxChars ? "The report does not fit.\n".slice(0, maxChars) : result;
}

/** The section whole, or with as many rows as fit; undefined where not even its frame does. */
function fit(section: Section, room: number): { text: string; rows: number } | undefined {
  const render = (rows: number) => serialize(section.build(rows));
  // What is far too long is not rendered whole first: a row has tens of characters at least.
  let high = Math.min(section.rows, Number.isFinite(room) ? Math.floor(room / 20) : section.rows);
  const whole = render(high);
  if (whole.length < room) return { text: whole, rows: high };
  // Rows are of much the same length: guess from what was rendered, and step down.
  let length = whole.length;
  while (high > 0) {
    high = Math.min(high - 1, Math.floor(high * (room / length) * 0.97));
    const text = render(high);
    if (text.length < room) return { text, rows: high };
    length = text.length;
  }
  return undefined;
}
