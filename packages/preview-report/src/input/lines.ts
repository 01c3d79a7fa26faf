/** A stream of bytes or text to lines, without ever holding more than one line. */

/** A line longer than this (in UTF-16 units) is dropped: no event of the engine comes near. Default 64 Mi. */
export const MAX_LINE = 64 * 1024 * 1024;

export interface Line {
  text: string;
  /** False for the last line of input that does not end in a newline: it may have been cut. */
  ended: boolean;
  /** True where the line was too long; `text` is then empty. */
  dropped: boolean;
}

/** Yields each line without its terminator (LF or CRLF). A byte-order mark at the start is removed. */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array | string>,
  maxLine: number = MAX_LINE,
): AsyncGenerator<Line> {
  const decoder = new TextDecoder("utf-8");
  // Parts of the line so far: joined once, as joining at each chunk would be quadratic in a long line's length.
  let parts: string[] = [];
  let length = 0;
  let dropped = false;
  const take = (text: string) => {
    length += text.length;
    if (length > maxLine) {
      dropped = true;
      parts = [];
    } else if (!dropped) {
      parts.push(text);
    }
  };
  const finish = (ended: boolean): Line => {
    const text = dropped ? "" : parts.join("");
    const line = { text: text.endsWith("\r") ? text.slice(0, -1) : text, ended, dropped };
    parts = [];
    length = 0;
    dropped = false;
    return line;
  };
  for await (const chunk of chunks) {
    const text = typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
    let start = 0;
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", start)) {
      take(text.slice(start, end));
      yield finish(true);
      start = end + 1;
    }
    if (start < text.length) take(text.slice(start));
  }
  const rest = decoder.decode();
  if (rest !== "") take(rest);
  if (length > 0) yield finish(false);
}
