import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  canonicalCidr,
  contains,
  firstFreeAddress,
  firstFreeRange,
  freePublicIpv4,
  freePublicIpv6,
  gatewayOf,
  hostOfIpv6Network,
  inIpv6Network,
  isPrivateRange,
  knownRange,
  linkLocalOf,
  overlaps,
  parseIpv4,
  parseRange,
  plainAddress,
  printIpv4,
  printRange,
  privateMac,
  publicMac,
} from "./addresses.js";

const address = fc.integer({ min: 0, max: 0xffffffff });
const range = fc.tuple(address, fc.integer({ min: 8, max: 30 })).map(([ip, bits]) => {
  const size = 2 ** (32 - bits);
  const first = Math.floor(ip / size) * size;
  return { first, last: first + size - 1, bits };
});

describe("IPv4", () => {
  test("addresses and ranges survive printing and parsing", () => {
    fc.assert(fc.property(address, (ip) => parseIpv4(printIpv4(ip)) === ip));
    fc.assert(
      fc.property(range, (item) => {
        expect(parseRange(printRange(item))).toEqual(item);
      }),
    );
  });

  test.each(["1", "0x7f.1", "1.2.3", "256.1.1.1", "1.2.3.4 ", "", "::1"])("%j is no address", (text) => {
    expect(parseIpv4(text)).toBeUndefined();
  });

  test.each(["10.0.0.1/16", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8", "::/0"])(
    "%j is no range",
    (text) => {
      expect(parseRange(text)).toBeUndefined();
    },
  );

  test("overlap is symmetric and follows from containment", () => {
    fc.assert(
      fc.property(range, range, (a, b) => {
        expect(overlaps(a, b)).toBe(overlaps(b, a));
        if (contains(a, b)) expect(overlaps(a, b)).toBe(true);
      }),
    );
  });

  test("only RFC 1918 is private", () => {
    expect(isPrivateRange(knownRange("172.16.0.0/12"))).toBe(true);
    expect(isPrivateRange(knownRange("172.0.0.0/8"))).toBe(false);
    expect(isPrivateRange(knownRange("100.64.0.0/10"))).toBe(false);
  });
});

describe("what comes next", () => {
  test("a free range overlaps nothing that is taken and lies inside", () => {
    const outer = knownRange("10.0.0.0/20");
    const inside = fc.integer({ min: 0, max: 15 }).map((index) => knownRange(`10.0.${index}.0/24`));
    fc.assert(
      fc.property(fc.array(inside, { maxLength: 15 }), (taken) => {
        const free = firstFreeRange(outer, 24, taken);
        if (!free) throw new Error("there is room for one more");
        expect(contains(outer, free)).toBe(true);
        expect(taken.some((other) => overlaps(other, free))).toBe(false);
      }),
    );
    expect(firstFreeRange(knownRange("10.0.0.0/24"), 24, [knownRange("10.0.0.128/25")])).toBeUndefined();
  });

  test("servers get the first address that is neither network, broadcast nor a gateway", () => {
    const network = knownRange("10.0.0.0/16");
    const next = (subnet: string, taken: string[] = []) => {
      const free = firstFreeAddress(knownRange(subnet), network, new Set(taken.map((ip) => parseIpv4(ip) ?? 0)));
      return free === undefined ? undefined : printIpv4(free);
    };
    expect(next("10.0.0.0/24")).toBe("10.0.0.2");
    expect(next("10.0.1.0/24")).toBe("10.0.1.1");
    expect(next("10.0.1.0/30", ["10.0.1.1"])).toBe("10.0.1.2");
    expect(next("10.0.1.0/30", ["10.0.1.1", "10.0.1.2"])).toBeUndefined();
    expect(firstFreeAddress(knownRange("172.31.1.0/30"), knownRange("172.31.0.0/16"), new Set())).toBe(
      parseIpv4("172.31.1.2"),
    );
    expect(gatewayOf("10.0.0.0/16")).toBe("10.0.0.1");
  });

  test("public addresses go through both documentation ranges and then end", () => {
    const taken = new Set<string>();
    for (let free = freePublicIpv4(taken); free !== undefined; free = freePublicIpv4(taken)) taken.add(free);
    expect(taken.size).toBe(2 * 254);
    expect([...taken][0]).toBe("203.0.113.1");
    expect([...taken].at(-1)).toBe("198.51.100.254");
    expect(freePublicIpv6(new Set(["2001:db8:1:1::/64"]))).toBe("2001:db8:1:2::/64");
  });
});

describe("IPv6 and CIDRs of both families", () => {
  test.each([
    ["2001:0DB8:0000:0000:0000:0000:0000:0001/128", "2001:db8::1/128"],
    ["::/0", "::/0"],
    ["2001:db8:ff00:42::/64", "2001:db8:ff00:42::/64"],
    ["10.0.1.0/24", "10.0.1.0/24"],
    ["0.0.0.0/0", "0.0.0.0/0"],
  ])("%s is %s", (given, canonical) => {
    expect(canonicalCidr(given)).toBe(canonical);
  });

  test.each(["2001:db8::1/64", "10.0.0.1/24", "2001:db8::1", "fe80::1%eth0/128", "2001:db8::/129", "x"])(
    "%s is refused",
    (text) => {
      expect(canonicalCidr(text)).toBeUndefined();
    },
  );

  test("membership of a /64", () => {
    expect(hostOfIpv6Network("2001:db8:1:a::/64")).toBe("2001:db8:1:a::1");
    expect(inIpv6Network("2001:db8:1:a:ffff::2", "2001:db8:1:a::/64")).toBe(true);
    expect(inIpv6Network("2001:db8:1:b::1", "2001:db8:1:a::/64")).toBe(false);
    expect(inIpv6Network("10.0.0.1", "2001:db8:1:a::/64")).toBe(false);
  });

  test("a dual-stack listener's wrapping and zones go away", () => {
    expect(plainAddress("::ffff:203.0.113.7")).toBe("203.0.113.7");
    expect(plainAddress("fe80::1%tap0")).toBe("fe80::1");
  });
});

test("MAC addresses carry the id, and link-local addresses the MAC", () => {
  expect(publicMac(0x0a1b2c)).toBe("96:00:00:0a:1b:2c");
  expect(privateMac(1)).toBe("86:00:00:00:00:01");
  expect(linkLocalOf("96:00:00:0a:1b:2c")).toBe("fe80::9400:ff:fe0a:1b2c");
});
