import { describe, expect, it } from "vitest";
import type { FirewallRule } from "../backend.js";
import { packetFilterText, shrinks } from "./packetFilter.js";

const publicInterface = { mac: "96:00:00:00:00:01", ipv4: "203.0.113.1", ipv6Network: "2001:db8:1:1::/64" };
const ssh: FirewallRule = { direction: "in", protocol: "tcp", port: "22", cidrs: ["192.0.2.0/24", "2001:db8::/32"] };
const web: FirewallRule = { direction: "in", protocol: "tcp", port: "80-85", cidrs: ["0.0.0.0/0"] };
const out: FirewallRule = { direction: "out", protocol: "udp", port: "53", cidrs: ["0.0.0.0/0"] };

const textFor = (rules: readonly FirewallRule[] | undefined) =>
  packetFilterText([{ serverId: 1001, publicInterface, rules }]);

describe("packetFilterText", () => {
  it("only checks sources when no firewall is applied", () => {
    const text = textFor(undefined);
    expect(text).toContain('iifname "prt" ip saddr != 203.0.113.1 drop');
    expect(text).toContain('iifname "prt" ip6 saddr != { 2001:db8:1:1::/64, fe80::/10 } drop');
    expect(text).not.toContain("jump");
  });

  it("drops what no rule of an empty list allows", () => {
    const text = textFor([]);
    expect(text).toMatch(/chain in-1001 \{\n {4}ct state established,related accept\n {4}drop\n {2}\}/);
    expect(text).toContain('oifname "prt" jump in-1001');
  });

  it("keeps families apart and writes ranges as nft does", () => {
    const text = textFor([ssh, web]);
    expect(text).toContain("ip saddr 192.0.2.0/24 tcp dport 22 accept");
    expect(text).toContain("ip6 saddr 2001:db8::/32 tcp dport 22 accept");
    expect(text).toContain("ip saddr 0.0.0.0/0 tcp dport 80-85 accept");
    expect(text).not.toContain("ip6 saddr 0.0.0.0/0");
  });

  it("filters what leaves only when there are rules for it", () => {
    expect(textFor([ssh])).not.toContain("out-1001");
    const text = textFor([ssh, out]);
    expect(text).toContain('iifname "prt" jump out-1001');
    expect(text).toContain("ip daddr 0.0.0.0/0 udp dport 53 return");
  });

  it("drops every IPv4 packet of a server without IPv4", () => {
    const text = packetFilterText([
      { serverId: 1001, publicInterface: { mac: "96:00:00:00:00:01", ipv6Network: "2001:db8:1:1::/64" }, rules: [] },
    ]);
    expect(text).toContain('iifname "prt" meta nfproto ipv4 drop');
  });

  it("replaces the table in one transaction", () => {
    expect(textFor([]).split("\n").slice(0, 3)).toEqual([
      "table inet region {}",
      "delete table inet region",
      "table inet region {",
    ]);
  });
});

describe("shrinks", () => {
  it.each([
    ["nothing to something", undefined, [ssh], true],
    ["something to nothing", [ssh], undefined, false],
    ["a rule more", [ssh], [ssh, web], false],
    ["a rule less", [ssh, web], [ssh], true],
    ["a source less", [ssh], [{ ...ssh, cidrs: ["192.0.2.0/24"] }], true],
    ["first rule for leaving", [ssh], [ssh, out], true],
    ["last rule for leaving goes", [ssh, out], [ssh], false],
    ["the same", [ssh], [ssh], false],
  ] as const)("%s", (_name, before, after, expected) => {
    expect(shrinks(before, after)).toBe(expected);
  });
});
