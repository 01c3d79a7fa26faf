import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluate, type Packet, readBundle } from "../testing/evaluator";
import { compileRuleset } from "./compile";
import { renderPayload } from "./payload";
import { normalizePolicy } from "./policy";
import { packets, peers } from "./testing/arbitraries";
import { broad, broadNode } from "./testing/broad";
import { isAccepted, isOpen } from "./testing/meaning";

describe("the packets of these tests", () => {
  it("notice every rule that is taken out, turned around or moved to the end of its chain", () => {
    const bundle = readBundle(renderPayload(compileRuleset(normalizePolicy(broad), broadNode)), peers);
    // Half of the packets dial, or the rarer rules would wait long for a packet that they decide on.
    const dialing = packets.map((packet): Packet => {
      const inInterface = packet.inInterface.replace(/^(lo|enp|veth).*/, "eth0");
      const first = {
        ...packet,
        inInterface,
        state: "NEW",
        direction: "ORIGINAL",
        wrongWay: false,
        overRate: false,
      } as const;
      if (packet.path !== "input") return { ...first, translated: true };
      return { ...first, translated: false, destinationPort: packet.dialedPort, destination: packet.dialedAddress };
    });
    // What goes from and to the private network is one packet in thousands of the others.
    const hidden = fc.tuple(packets, fc.boolean()).map(([packet, back]): Packet => {
      if (packet.family === "inet6") return packet;
      const forwarded = { ...packet, path: "forward", wrongWay: false } as const;
      if (back) return { ...forwarded, inInterface: "eth0", destination: "10.9.9.9" };
      return { ...forwarded, inInterface: "enp7s0", outInterface: "eth0", source: "10.9.9.9" };
    });
    const kinds = [
      { weight: 5, arbitrary: packets },
      { weight: 10, arbitrary: dialing },
      { weight: 1, arbitrary: hidden },
    ];
    const sent = fc
      .sample(fc.oneof(...kinds), {
        seed: 7,
        numRuns: 40_000,
      })
      .map((packet) => {
        const open = isOpen(broad, broadNode, peers, packet);
        return { packet, open, accepted: open && isAccepted(broad, broadNode, packet) };
      });
    const twins: Record<string, string> = {
      "HC-FWD": "mangle FORWARD HC-BELT",
      "HC-BELT": "filter DOCKER-USER HC-FWD",
      ...{ "HC-IN": "mangle INPUT HC-BELTIN", "HC-CTR": "mangle INPUT HC-BELTIN" },
      ...{ "HC-BELTIN": "filter INPUT HC-IN", "HC-BELTCTR": "filter INPUT HC-IN" },
    };
    const pathOf = { "HC-FWD": "forward", "HC-BELT": "forward", "HC-OUT": "output" } as Record<string, string>;
    const missed: string[] = [];
    for (const [key, lines] of bundle.chains) {
      const [family, table, chain = ""] = key.split(" ");
      // It decides over no packet; what it does to each is told apart from every other in properties.test.ts.
      if (table === "nat") continue;
      // Belts and the chains in filter stand in for each other, so each is tried alone.
      const hook = twins[chain];
      const alone = hook === undefined ? bundle : { ...bundle, hooks: bundle.hooks.filter((other) => other !== hook) };
      const there = sent.filter(({ packet }) => {
        const stray = chain === "HC-BELT" && packet.protocol === "tcp" && packet.state === "NEW" && !packet.syn;
        const onPath = chain === "HC-RAW" ? packet.path !== "output" : packet.path === (pathOf[chain] ?? "input");
        return packet.family === family && onPath && !stray;
      });
      const notices = (changed: readonly string[]): boolean => {
        const mutant = { ...alone, chains: new Map([...alone.chains, [key, changed]]) };
        return there.some(({ packet, open, accepted }) => {
          const decision = evaluate(mutant, packet);
          // Without HC-FWD nothing is accepted for good.
          return decision.open !== open || (chain !== "HC-BELT" && decision.accepted !== accepted);
        });
      };
      expect(notices(lines)).toBe(false);
      lines.forEach((line, index) => {
        if (line.includes("-j LOG")) return;
        const others = lines.filter((_, other) => other !== index);
        // Drops that follow each other may change places.
        const mayMove = chain !== "HC-RAW" && index < lines.length - 1;
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
  }, 120_000);
});
