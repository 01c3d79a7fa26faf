/**
 * On the way from one policy to another: whatever part of it the agent has committed, no packet is let in that neither of the two
 * lets in. On random policies and packets, by the agent's own shell and the packet evaluator, which shares no code with it.
 */
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { compileRuleset, normalizePolicy, type PolicyInput, renderPayload } from "../firewall";
import type { NodeFacts } from "../firewall/node";
import { nodes, packets, peers, policies } from "../firewall/testing/arbitraries";
import { evaluate, type Packet, readBundle } from "../testing/evaluator";
import { type Step, transitions } from "./testing/transition";

const { steps, remove } = transitions();
afterAll(remove);

/** Fields that may be changed without the others: services of the host must keep clear of SSH's port. */
const parts: readonly (readonly (keyof PolicyInput)[])[] = [
  ["publishedPorts"],
  ["ssh", "hostServices"],
  ["icmp"],
  ["trustedInterfaces"],
  ["metadataAccess"],
  ["containerToHost"],
];

const networks = ["10.0.0.0/8", "10.0.0.0/24", "192.0.2.0/24", "192.0.2.7", "203.0.113.9", "198.51.100.1"] as const;
const networks6 = ["2001:db8::/32", "2001:db8:1::7", "2001:db9::1", "fd00::/8"] as const;
/** Sources for SSH and for every other entry: enough for sets. */
const lists = fc.array(fc.uniqueArray(fc.constantFrom(...networks, ...networks6), { minLength: 3, maxLength: 6 }), {
  minLength: 3,
  maxLength: 3,
});

/** Two policies that have something in common, and sets of the same names with other content. */
const changes = fc
  .record({
    old: policies,
    other: policies,
    kept: fc.subarray([...parts]),
    sources: fc.tuple(lists, lists),
    sshPorts: fc.constantFrom([22, 22], [22, 2222], [2222, 22]),
    node: nodes,
    laterNode: fc.option(nodes, { freq: 1 }),
  })
  .map(({ old, other, kept, sources, sshPorts, node, laterNode }) => {
    const next = { ...other, ...Object.fromEntries(kept.flat().map((field) => [field, old[field]])) };
    const [before, after] = [old, next].map((policy, i) => withSources(policy, sources[i] ?? [], sshPorts[i] ?? 22));
    return { old: before ?? old, next: after ?? next, nodes: [node, laterNode ?? node] as const };
  });

function withSources(policy: PolicyInput, [ssh, ...rest]: readonly string[][], port: number): PolicyInput {
  const listed = <T extends object>(entries: readonly T[] | undefined) =>
    entries?.map((entry, i) => {
      const sources = rest[i % 4];
      return sources === undefined ? entry : { ...entry, sources };
    });
  return {
    ...policy,
    publishedPorts: listed(policy.publishedPorts),
    hostServices: listed(policy.hostServices),
    ssh: { ...policy.ssh, port, ...(ssh !== undefined && { sources: ssh }) },
  };
}

/** Any; most of them as somebody outside sends them who dials in, for whom the sets are; some with a private address by a wrong way. */
const sent = fc
  .record({
    any: fc.array(packets, { minLength: 60, maxLength: 60 }),
    dialing: fc.array(packets, { minLength: 200, maxLength: 200 }),
    astray: fc.array(packets, { minLength: 40, maxLength: 40 }),
  })
  .map(({ any, dialing, astray }): readonly Packet[] => [
    ...any,
    ...dialing.map((packet): Packet => {
      const led = packet.path === "forward";
      const dialedPort = dialed[packet.dialedPort % dialed.length] ?? 22;
      return {
        ...packet,
        ...first,
        dialedPort,
        ...(!led && { destination: packet.dialedAddress, destinationPort: dialedPort }),
        protocol: packet.protocol === "udp" ? "udp" : "tcp",
        inInterface: packet.inInterface === "appnet0" ? "appnet0" : "eth0",
        translated: led,
        wrongWay: false,
      };
    }),
    ...astray.map((packet): Packet => {
      const source = packet.family === "inet" ? "10.0.0.3" : "fd00:1::3";
      return { ...packet, ...first, source, inInterface: "enp7s0", outInterface: "eth0", wrongWay: true };
    }),
  ]);
const dialed = [22, 2222, 80, 443] as const;
const first = { state: "NEW", direction: "ORIGINAL", syn: true } as const;

const payloadOf = (policy: PolicyInput, node: NodeFacts) => {
  try {
    return renderPayload(compileRuleset(normalizePolicy(policy), node));
  } catch {
    // A service of the host at a port that has become SSH's, or the swarm's.
    return undefined;
  }
};

/** The steps between two payloads at which a packet gets in; the first is the old payload, the last the new one. */
const openAt = (path: readonly Step[], packet: Packet) =>
  path.flatMap(({ bundles, after }) => (evaluate(bundles[packet.family], packet).open ? [after] : []));

describe("from one policy to another", () => {
  it("no commit lets in what neither lets in, nor ends what both let live", () => {
    let refused = 0;
    let walked = 0;
    fc.assert(
      fc.property(changes, sent, ({ old, next, nodes: [before, after] }, all) => {
        const [first, last] = [payloadOf(old, before), payloadOf(next, after)];
        fc.pre(first !== undefined && last !== undefined);
        const [was, will] = [readBundle(first, peers), readBundle(last, peers)];
        const path = steps(first, last, peers);
        walked += path.length;
        for (const packet of all) {
          const open = path.map(({ bundles }) => evaluate(bundles[packet.family], packet).open);
          const ends = [evaluate(was, packet).open, evaluate(will, packet).open];
          // The interpreter begins and ends where the evaluator does, with each payload alone.
          expect({ packet, ends: [open[0], open.at(-1)] }).toEqual({ packet, ends });
          if (!ends.includes(true)) {
            refused += 1;
            expect({ packet, letInAfter: openAt(path, packet) }).toEqual({ packet, letInAfter: [] });
          } else if (!ends.includes(false) && packet.state === "ESTABLISHED") {
            expect({ packet, lost: open.indexOf(false) }).toEqual({ packet, lost: -1 });
          }
        }
      }),
      // Smaller policies that fail too would take minutes to find.
      { numRuns: 40, endOnFailure: true },
    );
    expect(refused).toBeGreaterThan(1000);
    expect(walked).toBeGreaterThan(300);
  }, 120_000);

  const toSsh: Packet = {
    ...{ family: "inet", path: "input", inInterface: "eth0", outInterface: "", protocol: "tcp", icmpType: 0 },
    ...{ source: "203.0.113.9", destination: "192.0.2.1", dialedAddress: "192.0.2.1", translated: false },
    ...{ sourcePort: 40000, destinationPort: 22, dialedPort: 22, state: "NEW", direction: "ORIGINAL", syn: true },
    ...{ wrongWay: false, overRate: false, cgroup: "system.slice" },
  };
  const worker: NodeFacts = { name: "w", pool: "w", role: "worker" };

  it("SSH that moves and has other sources is open to them where it was at no time", () => {
    const [old, next] = [
      payloadOf({ ssh: { port: 22, sources: ["192.0.2.7", "198.51.100.1"] } }, worker) ?? "",
      payloadOf({ ssh: { port: 2222, sources: ["203.0.113.9", "198.51.100.1"] } }, worker) ?? "",
    ];
    const path = steps(old, next, peers);
    expect(openAt(path, toSsh)).toEqual([]);
    expect(openAt(path, { ...toSsh, destinationPort: 2222, dialedPort: 2222 })).toEqual([path.at(-1)?.after]);
    // Who may before and after may at one of the two all the time, but for the moment between the belt and the filter.
    const known = [22, 2222].flatMap((port) =>
      openAt(path, { ...toSsh, source: "198.51.100.1", destinationPort: port, dialedPort: port }),
    );
    const moment = path.filter(({ after }) => !known.includes(after)).map(({ after }) => after);
    expect(moment).toEqual([expect.stringMatching(/mangle/)]);
  });

  it("a way out that becomes none leads out nobody who comes by a wrong way", () => {
    const way = { ...worker, egress: { network: "10.0.0.0/24", publicInterface: "eth0" } };
    const [old, next] = [payloadOf({}, way) ?? "", payloadOf({}, worker) ?? ""];
    const astray: Packet = {
      ...{ ...toSsh, path: "forward", inInterface: "enp7s0", outInterface: "eth0", source: "10.0.0.9" },
      ...{ dialedPort: 443, destinationPort: 443, wrongWay: true },
    };
    expect(openAt(steps(old, next, peers), astray)).toEqual([]);
    expect(openAt(steps(next, old, peers), astray)).toEqual([]);
    // The control: by the right way it is led out, once the node is a way out.
    expect(openAt(steps(next, old, peers), { ...astray, wrongWay: false })).not.toEqual([]);
  });
});
