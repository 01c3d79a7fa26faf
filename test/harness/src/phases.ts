/** Timed phases: what a person sees while a long command works, and the table of times at its end. */

const begin = Date.now();

export interface Phase {
  readonly title: string;
  readonly seconds: number;
}

const finished: Phase[] = [];

/** One line, with the time since the start. */
export function say(text: string): void {
  const total = Math.floor((Date.now() - begin) / 1000);
  process.stdout.write(
    `[${String(Math.floor(total / 60)).padStart(2)}:${String(total % 60).padStart(2, "0")}] ${text}\n`,
  );
}

/** Runs `work` as a phase: said when it begins, while it is silent, and when it ends; its time is kept for {@link phases}. */
export async function phase<T>(title: string, work: () => Promise<T>): Promise<T> {
  const started = Date.now();
  const seconds = () => (Date.now() - started) / 1000;
  say(`${title} …`);
  const heartbeat = setInterval(() => say(`${title}: still at it (${seconds().toFixed(0)} s)`), 30_000);
  try {
    const result = await work();
    finished.push({ title, seconds: seconds() });
    say(`${title}: done in ${seconds().toFixed(1)} s`);
    return result;
  } catch (error) {
    say(`${title}: FAILED after ${seconds().toFixed(1)} s`);
    throw error;
  } finally {
    clearInterval(heartbeat);
  }
}

/** The phases that ended well so far. */
export function phases(): readonly Phase[] {
  return finished;
}

/** A plain-text table, columns padded to their widest cell. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
