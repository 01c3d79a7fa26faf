import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contains, formatRange4, overlap, parseRange4 } from "./cidr";

const range = fc.tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 32 })).map(([n, prefix]) => {
  const size = 2 ** (32 - prefix);
  return { first: Math.floor(n / size) * size, prefix };
});

describe("parseRange4", () => {
  it.each(["", "10.0.0.0", "10.0.0.1/16", "10.0.0.0/33", "256.0.0.0/8", "10.0.0/8", "2001:db8::/32", " 10.0.0.0/8"])(
    "refuses %j",
    (text) => expect(parseRange4(text)).toBeUndefined(),
  );

  it("reads what formatRange4 writes", () => {
    fc.assert(
      fc.property(range, (r) => {
        expect(parseRange4(formatRange4(r))).toEqual(r);
      }),
    );
  });
});

describe("overlap", () => {
  it("is what counting addresses says", () => {
    const last = (r: { first: number; prefix: number }) => r.first + 2 ** (32 - r.prefix) - 1;
    fc.assert(
      fc.property(range, range, (a, b) => {
        expect(overlap(a, b)).toBe(a.first <= last(b) && b.first <= last(a));
        expect(contains(a, b)).toBe(a.first <= b.first && last(b) <= last(a));
      }),
    );
  });
});
