import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Bundle, evaluate, type Packet, readBundle } from "../testing/evaluator";
import { compileCloudFirewall } from "./cloudFirewall";
import { exposureOf } from "./exposure";
import { normalizePolicy, type PolicyInput } from "./policy";
import { nodes, packets, policies } from "./testing/arbitraries";
import { isWayOut } from "./testing/meaning";
import { payloadOf } from "./testing/payloadOf";

const runs = { numRuns: 200 };

describe("a policy", () => {
  it("normalizes once and for all", () => {
    fc.assert(
      fc.property(policies, (policy) => {
        const normalized = normalizePolicy(policy);
        expect(normalizePolicy(normalized)).toEqual(normalized);
      }),
      runs,
    );
  });

  it("that opens nothing exposes nothing but SSH, to TCP, UDP and SCTP, in both families", () => {
    const nothing: PolicyInput = { publishedPorts: [], hostServices: [], icmp: { echo: false } };
    fc.assert(
      fc.property(nodes, fc.array(packets, { minLength: 60, maxLength: 80 }), (node, sent) => {
        const bundle = readBundle(payloadOf(nothing, node), []);
        const fromOutside = sent.filter(({ inInterface, state, protocol }) => {
          return (
            ["eth0", "enp7s0"].includes(inInterface) &&
            state === "NEW" &&
            ["tcp", "udp", "sctp", "esp"].includes(protocol)
          );
        });
        const wayOut = (packet: Packet): boolean => packet.path === "forward" && isWayOut(node, packet);
        for (const packet of fromOutside.filter((packet) => packet.path !== "output" && !wayOut(packet))) {
          const ssh = packet.path === "input" && packet.protocol === "tcp" && packet.destinationPort === 22;
          const dhcp =
            packet.protocol === "udp" &&
            [67, 547].includes(packet.sourcePort) &&
            [68, 546].includes(packet.destinationPort);
          if (evaluate(bundle, packet).open)
            expect({ packet, expected: ssh || dhcp }).toMatchObject({ expected: true });
        }
        expect(exposureOf(normalizePolicy(nothing), [node]).map(({ protocol, port }) => `${protocol}/${port}`)).toEqual(
          ["tcp/22", "tcp/22"],
        );
      }),
      runs,
    );
  });

  it("exposes what its payload lets in, and nothing else", () => {
    const dialed = packets.map((packet): Packet => {
      const direct =
        packet.path === "input"
          ? { destinationPort: packet.dialedPort, destination: packet.dialedAddress, translated: false }
          : { translated: true };
      return {
        ...packet,
        ...direct,
        inInterface: "eth0",
        state: "NEW",
        direction: "ORIGINAL",
        syn: true,
        wrongWay: false,
        overRate: false,
      };
    });
    fc.assert(
      fc.property(policies, nodes, fc.array(dialed, { minLength: 60, maxLength: 80 }), (policy, node, sent) => {
        const bundle = readBundle(payloadOf(policy, node), []);
        const rows = exposureOf(normalizePolicy(policy), [node]).map(({ protocol, port, source }) => ({
          protocol,
          port: port.replace("-", ":"),
          source,
        }));
        for (const packet of sent.filter(
          ({ path, protocol }) => path !== "output" && ["tcp", "udp", "sctp"].includes(protocol),
        )) {
          if (
            [packet.source, packet.dialedAddress].some((address) => /^(127|169\.254)\./.test(address)) ||
            [68, 546].includes(packet.dialedPort)
          )
            continue;
          if (/^(127|169\.254)\./.test(packet.destination) || [2377, 7946, 4789, 5789].includes(packet.dialedPort))
            continue;
          const onHost = evaluate(bundle, {
            ...packet,
            path: "input",
            translated: false,
            destination: packet.dialedAddress,
            destinationPort: packet.dialedPort,
          }).open;
          const forwarded = evaluate(bundle, { ...packet, path: "forward", translated: true }).open;
          const exposed = rows.some((row) => evaluateRow(row, packet));
          expect({ packet, open: onHost || forwarded }).toEqual({ packet, open: exposed });
        }
      }),
      runs,
    );
  });

  it("gives a cloud firewall whose rules are among its exposure, within the limits, or says what it cannot", () => {
    fc.assert(
      fc.property(policies, (policy) => {
        const normalized = normalizePolicy(policy);
        const { rules, gaps } = compileCloudFirewall(normalized, { beyondLimits: "pass" });
        expect(rules.length).toBeLessThanOrEqual(50);
        const said = new Set(
          rules.flatMap(({ protocol, port, sourceIps }) => sourceIps.map((source) => `${protocol}/${port} ${source}`)),
        );
        const everywhere = [...normalized.publishedPorts, ...normalized.hostServices];
        expect(gaps.length > 0).toBe(everywhere.some(({ protocol }) => protocol === "sctp"));
        // Merging may join ranges, so look up each end: what is open on some node is let through by some rule.
        for (const { protocol, port, sources } of everywhere.filter((entry) => entry.protocol !== "sctp")) {
          for (const source of sources) expect([...said].some((text) => lets(text, protocol, port, source))).toBe(true);
        }
        // And the other way round: each end of each rule is open to its sources by the policy.
        const { ssh } = normalized;
        const entries = [{ ...ssh, protocol: "tcp", endPort: ssh.port }, ...everywhere];
        for (const { protocol, port, sourceIps } of rules) {
          if (protocol === "icmp") expect(normalized.icmp.echo).toBe(true);
          else
            for (const end of port?.split("-").map(Number) ?? [Number.NaN]) {
              const open = entries.filter((entry) => entry.protocol === protocol && holds(entry, end));
              expect(open.flatMap(({ sources }) => sources)).toEqual(expect.arrayContaining([...sourceIps]));
            }
        }
      }),
      runs,
    );
  });
});

function evaluateRow(row: { protocol: string; port: string; source: string }, packet: Packet): boolean {
  const [first = 0, last = first] = row.port.split(":").map(Number);
  if (row.protocol !== packet.protocol || packet.dialedPort < first || packet.dialedPort > last) return false;
  const line = `-A X -s ${row.source.includes("/") ? row.source : `${row.source}/32`} -j DROP`;
  const probe: Bundle = {
    hooks: ["filter INPUT X"],
    sets: new Map(),
    chains: new Map([[`${packet.family} filter X`, [line]]]),
  };
  return (
    row.source.includes(":") === (packet.family === "inet6") && !evaluate(probe, { ...packet, path: "input" }).open
  );
}

function holds({ port, endPort }: { port: number; endPort: number }, one: number): boolean {
  return port <= one && one <= endPort;
}

function lets(text: string, protocol: string, port: number, source: string): boolean {
  const [, ruleProtocol, first, last = first, network = ""] = /^(\w+)\/(\d+)(?:-(\d+))? (\S+)$/.exec(text) ?? [];
  if (ruleProtocol !== protocol || Number(first) > port || Number(last) < port) return false;
  const [address = "", prefix = ""] = network.split("/");
  const [inner = "", innerPrefix = ""] = source.split("/");
  if (address.includes(":") !== inner.includes(":") || Number(prefix) > Number(innerPrefix)) return false;
  const line = `-A X -s ${network} -j DROP`;
  const family = address.includes(":") ? "inet6" : "inet";
  const bundle: Bundle = {
    hooks: ["filter INPUT X"],
    sets: new Map(),
    chains: new Map([[`${family} filter X`, [line]]]),
  };
  return !evaluate(bundle, { family, path: "input", source: inner } as Packet).open;
}
