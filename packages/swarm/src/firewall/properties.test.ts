import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Bundle, evaluate, isMasqueraded, readBundle } from "../testing/evaluator";
import { compileRuleset } from "./compile";
import type { NodeFacts } from "./node";
import { parsePayload, renderPayload } from "./payload";
import { normalizePolicy } from "./policy";
import { policyEntries } from "./policyEntries";
import { nodes, packets, peers, policies } from "./testing/arbitraries";
import { isAccepted, isOpen, isOpenInBelt, isWayOut } from "./testing/meaning";
import { payloadOf } from "./testing/payloadOf";
import { shadowedRules } from "./testing/shadow";

const runs = { numRuns: 200 };

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
