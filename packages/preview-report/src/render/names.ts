/** Lists of names, short: `worker-1 … worker-98`. Pure text; the caller escapes. */

interface Part {
  text: string;
  names: number;
}

/** Names in natural order, runs of three and more consecutive numbers as one. */
export function compressNames(names: readonly string[]): Part[] {
  const sorted = [...new Set(names)].sort(bySeries);
  const parts: Part[] = [];
  for (let index = 0; index < sorted.length; ) {
    const start = sorted[index] ?? "";
    let end = index;
    while (end + 1 < sorted.length && follows(sorted[end] ?? "", sorted[end + 1] ?? "")) end++;
    const length = end - index + 1;
    if (length >= 3) parts.push({ text: `${start} … ${sorted[end]}`, names: length });
    else for (const name of sorted.slice(index, end + 1)) parts.push({ text: name, names: 1 });
    index = end + 1;
  }
  return parts;
}

/** At most `limit` parts and a count of the names that are left out. */
export function nameList(names: readonly string[], limit: number): string {
  const parts = compressNames(names);
  const shown = parts.slice(0, limit);
  const left = parts.slice(limit).reduce((sum, part) => sum + part.names, 0);
  const list = shown.map((part) => part.text).join(", ");
  return left === 0 ? list : `${list} and ${left} more`;
}

function follows(a: string, b: string): boolean {
  const [left, right] = [split(a), split(b)];
  return left.number !== undefined && left.frame === right.frame && right.number === left.number + 1;
}

/** A name's last number and what stands around it: `web-7-policy` is number 7 of `web-#-policy`. */
function split(name: string): { frame: string; number: number | undefined } {
  const match = /^(.*?)(\d{1,9})([^\d]*)$/.exec(name);
  return match ? { frame: `${match[1]}#${match[3]}`, number: Number(match[2]) } : { frame: name, number: undefined };
}

const collator = new Intl.Collator("en", { numeric: true });
function bySeries(a: string, b: string): number {
  const [left, right] = [split(a), split(b)];
  return (
    collator.compare(left.frame, right.frame) || (left.number ?? 0) - (right.number ?? 0) || collator.compare(a, b)
  );
}
