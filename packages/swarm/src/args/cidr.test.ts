import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contains, formatAddress4, formatRange4, lastOf, overlap, parseAddress4, parseRange4 } from "./cidr";

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

describe("parseAddress4", () => {
  it.each(["", "10.0.0", "10.0.0.1/32", "10.0.0.256", "10.0.0.01", "::1", " 10.0.0.1"])("refuses %j", (text) =>
    expect(parseAddress4(text)).toBeUndefined(),
  );

  it("reads what formatAddress4 writes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (address) => {
        expect(parseAddress4(formatAddress4(address))).toBe(address);
      }),
    );
  });

  it("reads the last address of a range", () => {
    expect(formatAddress4(lastOf({ first: 0x0a000000, prefix: 24 }))).toBe("10.0.0.255");
  });
});

describe("overlap", () => {
  it("is what counting addresses says", () => {
    fc.assert(
      fc.property(range, range, (a, b) => {
        expect(overlap(a, b)).toBe(a.first <= lastOf(b) && b.first <= lastOf(a));
        expect(contains(a, b)).toBe(a.first <= b.first && lastOf(b) <= lastOf(a));
      }),
    );
  });
});
