/** Lists of names, short: `worker-1 … worker-98`. Pure text; the caller escapes. */

interface Part {
  text: string;
  names: number;
}

/** Names in natural order, runs of three and more consecutive numbers as one. */
export function compressNames(names: readonly string[]): Part[] {
  const sorted = [...new Set(names)].sort(natural);
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
  const [left, right] = [/^(.*?)(\d{1,9})$/.exec(a), /^(.*?)(\d{1,9})$/.exec(b)];
  return left !== null && right !== null && left[1] === right[1] && Number(right[2]) === Number(left[2]) + 1;
}

const collator = new Intl.Collator("en", { numeric: true });
const natural = (a: string, b: string): number => collator.compare(a, b);
