import { describe, expect, it } from "vitest";
import { type CloudFirewall, type CloudFirewallOptions, compileCloudFirewall } from "./cloudFirewall";
import { normalizePolicy, type PolicyInput } from "./policy";

const any = ["0.0.0.0/0", "::/0"];

function compile(input: PolicyInput, options?: CloudFirewallOptions): CloudFirewall {
  return compileCloudFirewall(normalizePolicy(input), options);
}

function networks(count: number, first = 10): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${first}.${index >> 8}.${index & 255}.0/24`);
}

describe("the cloud firewall", () => {
  it("opens ping, SSH, 80 and 443 by default", () => {
    expect(compile({})).toEqual({
      rules: [
        { direction: "in", protocol: "icmp", sourceIps: any, description: "icmp" },
        { direction: "in", protocol: "tcp", port: "22", sourceIps: any, description: "ssh 22/tcp" },
        { direction: "in", protocol: "tcp", port: "80", sourceIps: any, description: "published 80/tcp" },
        { direction: "in", protocol: "tcp", port: "443", sourceIps: any, description: "published 443/tcp" },
      ],
      gaps: [],
    });
  });

  it("gains one rule, behind the others, with a higher port", () => {
    const before = compile({}).rules;
    const after = compile({ publishedPorts: [{ port: 8443 }, { port: 443 }, { port: 80 }] }).rules;
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after.slice(before.length)).toEqual([
      { direction: "in", protocol: "tcp", port: "8443", sourceIps: any, description: "published 8443/tcp" },
    ]);
  });

  it("has no swarm ports and nothing for containers", () => {
    const { rules } = compile({ containerToHost: [{ port: 53, protocol: "udp" }], icmp: { echo: false } });
    expect(rules.map(({ port }) => port)).toEqual(["22", "80", "443"]);
  });

  it("refuses SCTP, or says when told that the private network alone reaches it", () => {
    const policy: PolicyInput = { publishedPorts: [{ port: 5000, endPort: 5010, protocol: "sctp" }] };
    const gap = { entry: "published 5000-5010/sctp", reason: "protocol" };
    const told = "published 5000-5010/sctp: Hetzner Cloud Firewalls have no SCTP and drop it";
    expect(compile(policy)).toEqual({ rules: [], gaps: [{ ...gap, outcome: "refused", message: told }] });
    const { rules, gaps } = compile(policy, { beyondLimits: "pass" });
    expect(rules.map(({ port }) => port)).toEqual([undefined, "22"]);
    const message = `${told}; nobody reaches it on the public path, the private network alone does`;
    expect(gaps).toEqual([{ ...gap, outcome: "closed", message }]);
  });

  it("splits long lists of sources", () => {
    const { rules, gaps } = compile({ publishedPorts: [{ port: 443, sources: networks(250) }] });
    expect(gaps).toEqual([]);
    expect(rules.slice(2).map(({ description, sourceIps }) => [description, sourceIps.length])).toEqual([
      ["published 443/tcp (1 of 3)", 100],
      ["published 443/tcp (2 of 3)", 100],
      ["published 443/tcp (3 of 3)", 50],
    ]);
  });

  it("refuses what it cannot hold, or leaves the longest lists to the host when told", () => {
    const policy: PolicyInput = {
      publishedPorts: [
        { port: 443, sources: networks(10_000) },
        { port: 80, sources: networks(200, 11) },
      ],
    };
    const gap = { entry: "published 443/tcp", reason: "networks" };
    const told =
      "published 443/tcp: 10000 networks are too many for a Hetzner Cloud Firewall, which has 50 rules over 500 networks in all";
    expect(compile(policy)).toEqual({ rules: [], gaps: [{ ...gap, outcome: "refused", message: told }] });
    const passed = compile(policy, { beyondLimits: "pass" });
    const message = `${told}; the cloud lets it pass for everybody, the host alone filters it`;
    expect(passed.gaps).toEqual([{ ...gap, outcome: "hostOnly", message }]);
    expect(passed.rules.map(({ port, sourceIps }) => `${port} ${sourceIps.length}`)).toEqual([
      "undefined 2",
      "22 2",
      "80 100",
      "80 100",
      "443 2",
    ]);
  });

  it("refuses more entries than it has rules", () => {
    const publishedPorts = Array.from({ length: 49 }, (_, index) => ({ port: 1000 + 2 * index }));
    expect(compile({ publishedPorts: publishedPorts.slice(1) }).rules).toHaveLength(50);
    for (const beyondLimits of ["refuse", "pass"] as const) {
      const { rules, gaps } = compile({ publishedPorts }, { beyondLimits });
      expect(rules).toEqual([]);
      expect(gaps).toEqual([
        { entry: "policy", reason: "rules", outcome: "refused", message: expect.stringContaining("51 rules") },
      ]);
    }
  });

  it("leaves out what is limited to nodes that are not behind it", () => {
    const policy: PolicyInput = {
      publishedPorts: [
        { port: 80, pools: ["web"] },
        { port: 443, nodes: ["db-1"] },
      ],
    };
    expect(compile(policy, { nodes: [{ name: "web-1", pool: "web" }] }).rules.map(({ port }) => port)).toEqual([
      undefined,
      "22",
      "80",
    ]);
    expect(compile(policy).rules.map(({ port }) => port)).toEqual([undefined, "22", "80", "443"]);
  });
});
