import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  containsNetwork,
  formatElement,
  formatNetwork,
  isNetwork,
  type Network,
  parseNetwork,
  simplifyNetworks,
} from "./address";

function network(text: string): Network {
  const parsed = parseNetwork(text);
  if (!isNetwork(parsed)) throw new Error(`${text}: ${parsed.allowed}`);
  return parsed;
}

describe("parseNetwork", () => {
  it.each([
    ["192.0.2.0/24", "192.0.2.0/24", "192.0.2.0/24"],
    ["192.0.2.1", "192.0.2.1/32", "192.0.2.1"],
    ["0.0.0.0/0", "0.0.0.0/0", "0.0.0.0/0"],
    ["2001:DB8:0:0::/32", "2001:db8::/32", "2001:db8::/32"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1/128", "2001:db8:0:1:1:1:1:1"],
    ["::/0", "::/0", "::/0"],
  ])("reads %s", (text, canonical, element) => {
    expect(formatNetwork(network(text))).toBe(canonical);
    expect(formatElement(network(text))).toBe(element);
  });

  it.each([
    ["192.0.2.1/24", "a network without host bits: 192.0.2.0/24"],
    ["2001:db8::1/64", "a network without host bits: 2001:db8::/64"],
    ["192.0.2.0/33", "a prefix of 0 to 32 bits"],
    ["2001:db8::/129", "a prefix of 0 to 128 bits"],
    ["::ffff:192.0.2.1", "an IPv4 network written as IPv4"],
    ["::c000:201", "an IPv4 network written as IPv4"],
    ["010.0.0.1", "such as 192.0.2.0/24"],
    ["10.1", "such as 192.0.2.0/24"],
    ["0x7f.1", "such as 192.0.2.0/24"],
    ["256.0.0.1", "such as 192.0.2.0/24"],
    ["10.0.0.0/08", "such as 192.0.2.0/24"],
    ["10.0.0.0/", "such as 192.0.2.0/24"],
    ["fe80::1%eth0", "such as 192.0.2.0/24"],
    ["example.org", "such as 192.0.2.0/24"],
    ["10.0.0.1\n-j ACCEPT", "such as 192.0.2.0/24"],
    ["", "such as 192.0.2.0/24"],
  ])("refuses %j", (text, allowed) => {
    const parsed = parseNetwork(text);
    expect(isNetwork(parsed)).toBe(false);
    expect(parsed).toMatchObject({ allowed: expect.stringContaining(allowed) });
  });

  it("spells IPv6 as the URL standard does", () => {
    const part = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
    fc.assert(
      fc.property(fc.array(part, { minLength: 8, maxLength: 8 }), (parts) => {
        const text = parts.map((word) => word.toString(16)).join(":");
        fc.pre(parts.slice(0, 5).some((word) => word !== 0));
        expect(`[${network(text).address}]`).toBe(new URL(`http://[${text}]/`).hostname);
      }),
    );
  });
});

describe("simplifyNetworks", () => {
  it("sorts by number, drops repetition and what another contains, and joins no neighbours", () => {
    const texts = [
      "10.0.0.10",
      "10.0.0.9",
      "2001:db8::/32",
      "10.0.0.9/32",
      "192.0.2.0/25",
      "192.0.2.128/25",
      "2001:db8:1::/48",
      "10.0.0.8/31",
    ];
    expect(simplifyNetworks(texts.map(network)).map(formatElement)).toEqual([
      "10.0.0.8/31",
      "10.0.0.10",
      "192.0.2.0/25",
      "192.0.2.128/25",
      "2001:db8::/32",
    ]);
  });

  it("contains by bits, within a family", () => {
    expect(containsNetwork(network("10.0.0.0/9"), network("10.127.255.255"))).toBe(true);
    expect(containsNetwork(network("10.0.0.0/9"), network("10.128.0.0"))).toBe(false);
    expect(containsNetwork(network("::/0"), network("10.0.0.0/8"))).toBe(false);
    expect(containsNetwork(network("2001:db8::/33"), network("2001:db8:7fff::/48"))).toBe(true);
  });
});
