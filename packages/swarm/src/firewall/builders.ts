/** Short words for rules, so that a chain reads like its text. */
import type { Family } from "./address";
import type { PortRange } from "./entries";
import { type Match, peerSets, type Rule } from "./ruleset";

/** What a rule says of the packet before its matches. */
export type Head = Omit<Rule, "matches" | "target">;

export function rule(head: Head, matches: readonly Match[], target: Rule["target"]): Rule {
  return { ...head, matches, target };
}

export function pass(head: Head, ...matches: readonly Match[]): Rule {
  return rule(head, matches, { kind: "return" });
}

export function accept(head: Head, ...matches: readonly Match[]): Rule {
  return rule(head, matches, { kind: "accept" });
}

export function drop(head: Head, ...matches: readonly Match[]): Rule {
  return rule(head, matches, { kind: "drop" });
}

export function comment(text: string): Match {
  return { kind: "comment", text };
}

export function fromPeers(family: Family): Match {
  return { kind: "set", name: peerSets[family], side: "src" };
}

export function toPeers(family: Family): Match {
  return { kind: "set", name: peerSets[family], side: "dst" };
}

export function single(port: number): PortRange {
  return { port, endPort: port };
}

export function icmpOf(family: Family): "icmp" | "ipv6-icmp" {
  return family === "inet" ? "icmp" : "ipv6-icmp";
}
