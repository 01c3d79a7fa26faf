import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Bundle, evaluate, isMasqueraded, type Packet, readBundle } from "../testing/evaluator";
import { compileCloudFirewall } from "./cloudFirewall";
import { compileRuleset } from "./compile";
import { exposureOf } from "./exposure";
import type { NodeFacts } from "./node";
import { parsePayload, renderPayload } from "./payload";
import { normalizePolicy, type PolicyInput } from "./policy";
import { policyEntries } from "./policyEntries";
import { nodes, packets, peers, policies } from "./testing/arbitraries";
import { isAccepted, isOpen, isOpenInBelt, isWayOut } from "./testing/meaning";
import { shadowedRules } from "./testing/shadow";

const runs = { numRuns: 200 };

function payloadOf(policy: PolicyInput, node: NodeFacts): string {
  return renderPayload(compileRuleset(normalizePolicy(policy), node));
}

/** With DOCKER-USER emptied, or without the belt: either must be enough for whatever comes in from outside. */
function without(bundle: Bundle, hook: string): Bundle {
  return { ...bundle, hooks: bundle.hooks.filter((line) => line !== hook) };
}

describe("a payload", () => {
  it("lets through exactly what its policy means", () => {
    fc.assert(
      fc.property(policies, nodes, fc.array(packets, { minLength: 40, maxLength: 60 }), (policy, node, sent) => {
        const bundle = readBundle(payloadOf(policy, node), peers);
        for (const packet of sent) {
          const { open, by, accepted } = evaluate(bundle, packet);
          if (open !== isOpen(policy, node, peers, packet))
            throw new Error(`decided by ${by}: ${JSON.stringify(packet)}`);
          expect({ packet, accepted }).toEqual({ packet, accepted: open && isAccepted(policy, node, packet) });
        }
      }),
      runs,
    );
  });

  it("holds for the host with the table filter emptied, and without its belt", () => {
    fc.assert(
      fc.property(policies, nodes, fc.array(packets, { minLength: 40, maxLength: 60 }), (policy, node, sent) => {
        const bundle = readBundle(payloadOf(policy, node), peers);
        const beltOnly = without(bundle, "filter INPUT HC-IN");
        const chainOnly = without(bundle, "mangle INPUT HC-BELTIN");
        for (const packet of sent.filter(({ path }) => path === "input")) {
          expect(evaluate(chainOnly, packet).open).toBe(evaluate(bundle, packet).open);
          expect(evaluate(beltOnly, packet).open).toBe(isOpenInBelt(policy, node, peers, packet));
        }
      }),
      { numRuns: 150 },
    );
  });

  it("holds with DOCKER-USER emptied, and without its belt", () => {
    fc.assert(
      fc.property(policies, nodes, fc.array(packets, { minLength: 40, maxLength: 60 }), (policy, node, sent) => {
        const bundle = readBundle(payloadOf(policy, node), peers);
        const beltOnly = without(bundle, "filter DOCKER-USER HC-FWD");
        const chainOnly = without(bundle, "mangle FORWARD HC-BELT");
        for (const packet of sent) {
          const { open, accepted } = evaluate(bundle, packet);
          expect(evaluate(chainOnly, packet)).toMatchObject({ open, accepted });
          if (packet.path === "forward")
            expect({ packet, open: evaluate(beltOnly, packet).open }).toEqual({
              packet,
              open: isOpenInBelt(policy, node, peers, packet),
            });
        }
      }),
      { numRuns: 150 },
    );
  });

  it("is read back as the ruleset that it was written from", () => {
    fc.assert(
      fc.property(policies, nodes, (policy, node) => {
        const ruleset = compileRuleset(normalizePolicy(policy), node);
        const text = renderPayload(ruleset);
        expect(parsePayload(text)).toEqual(ruleset);
        expect(renderPayload(parsePayload(text))).toBe(text);
      }),
      runs,
    );
  });

  it("has no rule that an earlier one makes useless", () => {
    fc.assert(
      fc.property(policies, nodes, (policy, node) => {
        const ruleset = compileRuleset(normalizePolicy(policy), node);
        const elements = new Map(ruleset.sets.map((set) => [set.name, set.elements] as const));
        expect(shadowedRules(readBundle(renderPayload(ruleset), peers), elements)).toEqual([]);
      }),
      runs,
    );
  });

  it("makes exactly the sets that its rules refer to", () => {
    fc.assert(
      fc.property(policies, nodes, (policy, node) => {
        const text = payloadOf(policy, node);
        const named = [...text.matchAll(/--match-set (\S+)/g)]
          .map(([, name]) => name)
          .filter((name) => !name?.startsWith("hc-peers"));
        const made = [...text.matchAll(/^create (\S+)/gm)].map(([, name]) => name);
        expect(made).toEqual([...new Set(made)]);
        expect(new Set(made)).toEqual(new Set(named));
      }),
      runs,
    );
  });

  it("never changes with the order or repetition of the policy's lists", () => {
    const shuffled = policies.chain((policy) => {
      const shuffle = <T>(list: readonly T[] | undefined): fc.Arbitrary<readonly T[] | undefined> => {
        if (list === undefined) return fc.constant(undefined);
        return fc.shuffledSubarray([...list, ...list.slice(0, 1)], {
          minLength: list.length + Math.min(1, list.length),
        });
      };
      return fc
        .record({
          publishedPorts: shuffle(policy.publishedPorts),
          hostServices: shuffle(policy.hostServices),
          trustedInterfaces: shuffle(policy.trustedInterfaces),
          containerToHost: shuffle(policy.containerToHost),
          open: shuffle(policy.containerEgress?.open),
        })
        .map(({ open, ...lists }) => ({
          policy,
          other: { ...policy, ...lists, containerEgress: open === undefined ? undefined : { open } },
        }));
    });
    fc.assert(
      fc.property(shuffled, nodes, ({ policy, other }, node) => {
        expect(normalizePolicy(other)).toEqual(normalizePolicy(policy));
        expect(payloadOf(other, node)).toBe(payloadOf(policy, node));
      }),
      runs,
    );
  });

  it("only gains lines when a port is opened that nothing else covers", () => {
    fc.assert(
      fc.property(policies, nodes, (policy, node) => {
        const added = { port: 8443, protocol: "tcp" as const };
        const published = policy.publishedPorts ?? [{ port: 80 }, { port: 443 }];
        const around = [...published, ...(policy.hostServices ?? []), ...(policy.containerToHost ?? [])];
        fc.pre(around.every(({ port, endPort = port }) => port > 8443 || endPort < 8443));
        const before = payloadOf({ ...policy, publishedPorts: published }, node).split("\n");
        const after = payloadOf({ ...policy, publishedPorts: [...published, added] }, node).split("\n");
        const rest = [...after];
        // Taking the new lines out leaves the old text: the diff is made of additions alone.
        for (const line of before) {
          while (rest[0] !== line) {
            expect(rest[0]).toContain("8443");
            rest.shift();
          }
          rest.shift();
        }
        expect(rest).toEqual([]);
        expect(after.length).toBeGreaterThan(before.length);
        const entries = (ports: typeof published): string[] =>
          Object.entries(policyEntries(normalizePolicy({ ...policy, publishedPorts: ports }))).map((entry) =>
            entry.join(" "),
          );
        const known = new Set(entries(published));
        expect(entries([...published, added]).filter((entry) => !known.has(entry))).toEqual(["tcp/8443 from anywhere"]);
      }),
      runs,
    );
  });
});

describe("egress of containers", () => {
  it("leaves everything else as it is: a policy without it has the same payload but for its chains", () => {
    fc.assert(
      fc.property(policies, nodes, (policy, node) => {
        const limited = { ...policy, containerEgress: { open: [] } };
        const rest = payloadOf(limited, node)
          .split("\n")
          .filter((line) => !/^(:|-A )HC-EG(RESS|BELT) /.test(line))
          .join("\n")
          .replaceAll(/-g HC-EG(RESS|BELT)$/gm, "-j RETURN");
        expect(rest).toBe(payloadOf({ ...policy, containerEgress: undefined }, node));
      }),
      runs,
    );
  });

  it("opens nothing that is closed without it", () => {
    fc.assert(
      fc.property(policies, nodes, fc.array(packets, { minLength: 40, maxLength: 60 }), (policy, node, sent) => {
        const limited = readBundle(payloadOf(policy, node), peers);
        const free = readBundle(payloadOf({ ...policy, containerEgress: undefined }, node), peers);
        for (const packet of sent)
          if (evaluate(limited, packet).open)
            expect({ packet, open: evaluate(free, packet).open }).toEqual({ packet, open: true });
      }),
      runs,
    );
  });
});

describe("a way out", () => {
  const network = "10.0.0.0/24";
  const way: NodeFacts = { name: "w", pool: "w", role: "worker", egress: { network, publicInterface: "eth0" } };
  const { egress: _, ...shut } = way;

  it("lets nothing more in from outside than a node that is none", () => {
    fc.assert(
      fc.property(policies, fc.array(packets, { minLength: 60, maxLength: 80 }), (policy, sent) => {
        const [open, closed] = [way, shut].map((node) => readBundle(payloadOf(policy, node), peers));
        if (open === undefined || closed === undefined) throw new Error("two bundles");
        for (const packet of sent) {
          const outside = packet.path === "input" || packet.inInterface === "eth0" || packet.inInterface === "enp7s0";
          const first = packet.state === "NEW" && !(packet.path === "forward" && isWayOut(way, packet));
          if (outside && first && evaluate(open, packet).open)
            expect({ packet, open: evaluate(closed, packet).open }).toEqual({ packet, open: true });
        }
      }),
      runs,
    );
  });

  it("gives its address to what comes from the private network and leaves by the public interface, and to nothing else", () => {
    fc.assert(
      fc.property(policies, nodes, fc.array(packets, { minLength: 40, maxLength: 60 }), (policy, node, sent) => {
        const bundle = readBundle(payloadOf(policy, node), peers);
        for (const packet of sent) {
          const { source, outInterface } = packet;
          const leaves = /^10\.0\.0\.\d+$/.test(source) && outInterface === "eth0" && node.egress !== undefined;
          expect({ packet, masqueraded: isMasqueraded(bundle, packet) }).toEqual({ packet, masqueraded: leaves });
        }
      }),
      runs,
    );
  });

  it("changes nothing else: a node that is none has the same payload but for lines of its own", () => {
    fc.assert(
      fc.property(policies, (policy) => {
        // A network that no policy of these tests names.
        const other = { ...way, egress: { network: "10.77.0.0/16", publicInterface: "eth0" } };
        const rest = payloadOf(policy, other)
          .split("\n")
          .filter((line) => !/ 10\.77\.0\.0\/16 |HC-NAT|^\*nat$/.test(line))
          .join("\n")
          .replaceAll(/^(### ip6?tables\n)COMMIT\n/gm, "$1");
        expect(rest).toBe(payloadOf(policy, shut));
      }),
      runs,
    );
  });
});

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
