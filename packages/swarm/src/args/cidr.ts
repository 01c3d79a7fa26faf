/** The little arithmetic on IPv4 ranges that the private network needs. */

export interface Range4 {
  /** First address, as a number. */
  readonly first: number;
  /** Length of the prefix, 0 to 32. */
  readonly prefix: number;
}

/** Parses `10.0.0.0/16`; undefined when it is no IPv4 range, or has host bits set. */
export function parseRange4(text: string): Range4 | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  if (match === null) return undefined;
  const [a, b, c, d, prefix] = match.slice(1).map(Number) as [number, number, number, number, number];
  if (Math.max(a, b, c, d) > 255 || prefix > 32) return undefined;
  const first = ((a * 256 + b) * 256 + c) * 256 + d;
  return first % size(prefix) === 0 ? { first, prefix } : undefined;
}

export function formatRange4({ first, prefix }: Range4): string {
  return `${[24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join(".")}/${prefix}`;
}

/** Parses `10.0.0.254`, in this one spelling, as a number. */
export function parseAddress4(text: string): number | undefined {
  const range = parseRange4(`${text}/32`);
  return range !== undefined && formatAddress4(range.first) === text ? range.first : undefined;
}

export function formatAddress4(address: number): string {
  return formatRange4({ first: address, prefix: 32 }).slice(0, -"/32".length);
}

/** Its last address, as a number. */
export function lastOf({ first, prefix }: Range4): number {
  return first + size(prefix) - 1;
}

export function contains(outer: Range4, inner: Range4): boolean {
  return inner.prefix >= outer.prefix && inner.first >= outer.first && inner.first < outer.first + size(outer.prefix);
}

export function overlap(a: Range4, b: Range4): boolean {
  return contains(a, b) || contains(b, a);
}

function size(prefix: number): number {
  return 2 ** (32 - prefix);
}
