import { mkdirSync, rmdirSync } from "node:fs";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { liveTestsBlockedBy, load, Namespace, printed, sectionOf } from "../testing/namespace";
import { type Family, families, formatNetwork, isNetwork, parseNetwork } from "./address";
import { compileRuleset } from "./compile";
import type { NodeFacts } from "./node";
import { renderPayload } from "./payload";
import { normalizePolicy, type PolicyInput } from "./policy";
import type { Match, Rule } from "./ruleset";
import { renderRule } from "./ruleText";
import { nodes, policies } from "./testing/arbitraries";
import { broad, broadNode, limited } from "./testing/broad";

const blocked = liveTestsBlockedBy();
const group = `hcfw-${process.pid}.slice`;

function rulesOf(bundle: string, family: "iptables" | "ip6tables"): string {
  return sectionOf(bundle, family)
    .split("\n")
    .filter((line) => line.startsWith("-A "))
    .join("\n");
}

describe.skipIf(blocked !== undefined)(
  `iptables-nft of this machine${blocked === undefined ? "" : ` (skipped: ${blocked})`}`,
  () => {
    let namespace: Namespace;
    let groupFolder: string | undefined;

    beforeAll(() => {
      namespace = new Namespace();
      for (const root of ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"]) {
        try {
          mkdirSync(`${root}/${group}`);
          groupFolder = `${root}/${group}`;
          break;
        } catch {
          // Not where version 2 is mounted, or not writable.
        }
      }
    });
    afterAll(() => {
      namespace.remove();
      if (groupFolder !== undefined) rmdirSync(groupFolder);
    });

    function expectSame(bundle: string): void {
      load(namespace, bundle);
      for (const family of ["iptables", "ip6tables"] as const)
        expect(printed(namespace, bundle, family)).toBe(rulesOf(bundle, family));
    }

    function bundleOf(policy: PolicyInput, node: NodeFacts): string {
      const { cgroupPath: _, ...facts } = node;
      const placed =
        node.cgroupPath === undefined || groupFolder === undefined ? facts : { ...facts, cgroupPath: group };
      return renderPayload(compileRuleset(normalizePolicy(policy), placed));
    }

    it.each([
      ["the default policy on a manager", {}, { name: "a", pool: "a", role: "manager" }],
      ["the default policy on a worker", {}, { name: "a", pool: "a", role: "worker" }],
      ["the default policy outside of a swarm", {}, { name: "a", pool: "a", role: "standalone" }],
      ["a policy with every kind of rule", broad, broadNode],
      ["a policy that limits what containers dial", limited, broadNode],
    ] as const)("prints %s as we write it, also when loaded again", (_, policy, node) => {
      const bundle = bundleOf(policy, node);
      expectSame(bundle);
      expectSame(bundle);
    });

    it("prints random policies as we write them", () => {
      for (const [policy, node] of fc.sample(fc.tuple(policies, nodes), 12)) expectSame(bundleOf(policy, node));
    }, 60_000);

    /** Loads rules into a chain of their own and compares what comes back. */
    function expectSameRules(family: Family, rules: readonly Rule[]): void {
      const command = family === "inet" ? "iptables-nft" : "ip6tables-nft";
      const lines = rules.map((rule) => renderRule("HC-TEST", rule));
      namespace.feed(`*filter\n:HC-TEST - [0:0]\n${lines.join("\n")}\nCOMMIT\n`, `${command}-restore`, "--noflush");
      const found = namespace.run(command, "-S", "HC-TEST").split("\n");
      expect(found.filter((line) => line.startsWith("-A "))).toEqual(lines);
    }

    it.each(["inet", "inet6"] as const)("prints every rate as we write it, %s", (family) => {
      const rates = Array.from({ length: 600 }, (_, index) => index + 1);
      const matches = rates.flatMap((perMinute): readonly Match[] => [
        { kind: "limit", perMinute },
        { kind: "rate", name: `hc-${perMinute}`, family, perMinute, burst: 1 + (perMinute % 7) },
      ]);
      expectSameRules(
        family,
        matches.map((match) => ({ matches: [match], target: { kind: "return" } })),
      );
    });

    it("prints addresses of both families as we write them", () => {
      const part = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
      const byte = fc.integer({ min: 0, max: 255 });
      const ipv6 = fc.tuple(fc.array(part, { minLength: 8, maxLength: 8 }), fc.integer({ min: 1, max: 128 }));
      const ipv4 = fc.tuple(fc.array(byte, { minLength: 4, maxLength: 4 }), fc.integer({ min: 1, max: 32 }));
      const sampled = [
        ...fc.sample(ipv6, 500).map(([parts, bits]) => [
          mask(parts, 16, bits)
            .map((word) => word.toString(16))
            .join(":"),
          bits,
        ]),
        ...fc.sample(ipv4, 500).map(([parts, bits]) => [mask(parts, 8, bits).join("."), bits]),
      ].map((network) => network.join("/"));
      const networks = sampled.map(parseNetwork).filter(isNetwork);
      expect(networks.length).toBeGreaterThan(900);
      for (const family of families) {
        const rules = networks.filter((network) => network.family === family);
        expectSameRules(
          family,
          rules.map((network) => ({ source: formatNetwork(network), matches: [], target: { kind: "drop" } })),
        );
      }
    });

    it("loads 10,000 networks as a set and gives them back as we write them", () => {
      const networks = Array.from(
        { length: 10_000 },
        (_, index) => `10.${index >> 8}.${index & 255}.${index % 2 === 0 ? "0/24" : "9"}`,
      );
      const bundle = bundleOf(
        { publishedPorts: [{ port: 443, sources: networks }] },
        { name: "a", pool: "a", role: "manager" },
      );
      const fresh = new Namespace();
      load(fresh, bundle);
      const saved = fresh
        .run("ipset", "save", "hc-p-tcp-443-4")
        .split("\n")
        .filter((line) => line.startsWith("add "));
      const written = sectionOf(bundle, "sets")
        .split("\n")
        .filter((line) => line.startsWith("add "));
      fresh.remove();
      expect(written).toHaveLength(10_000);
      expect(saved.sort()).toEqual(written.sort());
    }, 60_000);
  },
);

/** The first `bits` bits of a list of numbers of `width` bits each. */
function mask(parts: readonly number[], width: number, bits: number): readonly number[] {
  return parts.map((part, index) => {
    const dropped = Math.max(0, Math.min(width, width * (index + 1) - bits));
    return part & ~((1 << dropped) - 1);
  });
}
