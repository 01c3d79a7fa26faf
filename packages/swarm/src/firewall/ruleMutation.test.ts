import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluate, type Packet, readBundle } from "../testing/evaluator";
import { compileRuleset } from "./compile";
import { renderPayload } from "./payload";
import { normalizePolicy, type PolicyInput } from "./policy";
import { packets, peers } from "./testing/arbitraries";
import { broad, broadNode, limited } from "./testing/broad";
import { isAccepted, isOpen, isOpenInBelt } from "./testing/meaning";

describe("the packets of these tests", () => {
  it.each<[string, PolicyInput, RegExp]>([
    ["every rule", broad, /./],
    ["every rule where containers' egress is limited", limited, /HC-(FWD|BELT$|EG)/],
  ])(
    "notice %s that is taken out, turned around or moved to the end of its chain",
    (_, policy, tried) => {
      const bundle = readBundle(renderPayload(compileRuleset(normalizePolicy(policy), broadNode)), peers);
      // Half of the packets dial, or the rarer rules would wait long for a packet that they decide on.
      const dialing = packets.map((packet): Packet => {
        const inInterface = packet.inInterface.replace(/^(lo|enp|veth).*/, "eth0");
        if (packet.path !== "input") return { ...packet, ...first, inInterface, translated: true };
        return { ...packet, ...first, inInterface, ...direct(packet) };
      });
      // What goes from and to the private network is one packet in thousands of the others.
      const hidden = fc.tuple(packets, fc.boolean()).map(([packet, back]): Packet => {
        if (packet.family === "inet6") return packet;
        const forwarded = { ...packet, path: "forward", wrongWay: false } as const;
        if (back) return { ...forwarded, inInterface: "eth0", destination: "10.9.9.9" };
        return { ...forwarded, inInterface: "enp7s0", outInterface: "eth0", source: "10.9.9.9" };
      });
      const leaving = packets.map((packet): Packet => {
        const inInterface = packet.inInterface.replace(/^(lo|eth|enp|veth|app-).*/, "docker0");
        return { ...packet, ...first, path: "forward", inInterface, ...direct(packet) };
      });
      const ofHostNetwork = packets.map((packet): Packet => {
        return { ...packet, path: "output", protocol: "udp", destinationPort: 4789, cgroup: "docker.slice" };
      });
      const kinds = [
        { weight: 5, arbitrary: packets },
        { weight: 10, arbitrary: dialing },
        { weight: 1, arbitrary: hidden },
        { weight: 1, arbitrary: ofHostNetwork },
        { weight: policy.containerEgress === undefined ? 0 : 10, arbitrary: leaving },
      ];
      const sent = fc.sample(fc.oneof(...kinds), { seed: 7, numRuns: 40_000 }).map((packet) => {
        const open = isOpen(policy, broadNode, peers, packet);
        const inBelt = isOpenInBelt(policy, broadNode, peers, packet);
        return { packet, open, inBelt, accepted: open && isAccepted(policy, broadNode, packet) };
      });
      const toContainers = ["HC-FWD", "HC-EGRESS", "HC-BELT", "HC-EGBELT"].map((chain) => [chain, "forward"]);
      const pathOf: Record<string, string> = { ...Object.fromEntries(toContainers), "HC-OUT": "output" };
      const forwarded = { belt: "mangle FORWARD HC-BELT", filter: "filter DOCKER-USER HC-FWD" };
      const received = { belt: "mangle INPUT HC-BELTIN", filter: "filter INPUT HC-IN" };
      const missed: string[] = [];
      for (const [key, lines] of bundle.chains) {
        const [family, table, chain = ""] = key.split(" ");
        // It decides over no packet; what it does to each is told apart from every other in properties.test.ts.
        if (table === "nat" || !tried.test(chain)) continue;
        // Belts and the chains in filter stand in for each other, so each is tried alone.
        const isBelt = table === "mangle";
        const path = pathOf[chain] ?? "input";
        const twins = path === "forward" ? forwarded : received;
        const alone = {
          ...bundle,
          hooks: bundle.hooks.filter((hook) => hook !== (isBelt ? twins.filter : twins.belt)),
        };
        const there = sent.filter(({ packet }) => {
          return packet.family === family && (chain === "HC-RAW" ? packet.path !== "output" : packet.path === path);
        });
        const notices = (changed: readonly string[]): boolean => {
          const mutant = { ...alone, chains: new Map([...alone.chains, [key, changed]]) };
          return there.some(({ packet, open, inBelt, accepted }) => {
            const decision = evaluate(mutant, packet);
            // Without HC-FWD nothing is accepted for good.
            if (isBelt) return decision.open !== inBelt;
            return decision.open !== open || decision.accepted !== accepted;
          });
        };
        expect(notices(lines)).toBe(false);
        lines.forEach((line, index) => {
          if (line.includes("-j LOG")) return;
          const others = lines.filter((_, other) => other !== index);
          // Drops that follow each other may change places.
          const mayMove = index < lines.length - 1 && lines.some((one) => !one.includes("-j DROP"));
          const turned = line.includes("-j DROP")
            ? line.replace("-j DROP", "-j RETURN")
            : line.replace(/-j (RETURN|ACCEPT)/, "-j DROP");
          if (!notices(others)) missed.push(`out: ${line}`);
          if (mayMove && !notices([...others, line])) missed.push(`last: ${line}`);
          if (turned !== line && !notices(lines.map((old) => (old === line ? turned : old))))
            missed.push(`turned: ${line}`);
        });
      }
      expect(missed).toEqual([]);
    },
    180_000,
  );
});

const first = { state: "NEW", direction: "ORIGINAL", wrongWay: false, overRate: false } as const;

/** As it was dialed. */
function direct({ dialedAddress, dialedPort }: Packet): Pick<Packet, "destination" | "destinationPort" | "translated"> {
  return { translated: false, destination: dialedAddress, destinationPort: dialedPort };
}
