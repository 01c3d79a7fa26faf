/** The ruleset: what a policy compiles to for one node. Plain data; payload.ts is its text. */
import type { Family } from "./address";
import type { PortProtocol, PortRange } from "./entries";

export type TableName = "nat" | "raw" | "mangle" | "filter";
export type RuleProtocol = PortProtocol | "icmp" | "ipv6-icmp" | "esp";
export type ConnectionState = "NEW" | "ESTABLISHED" | "RELATED" | "INVALID" | "DNAT";

/** One condition of a rule beside addresses, interface and protocol. */
export type Match =
  /** Ports of this very packet, after any address translation. */
  | {
      readonly kind: "ports";
      readonly protocol: "tcp" | "udp";
      readonly source?: PortRange;
      readonly destination?: PortRange;
    }
  /** Any TCP packet but the one that opens a connection. */
  | { readonly kind: "tcpNotSyn" }
  | { readonly kind: "icmpType"; readonly family: Family; readonly type: number }
  | { readonly kind: "state"; readonly state: ConnectionState; readonly negated: boolean }
  /** The first packet of a connection that was dialed at `port`, whatever the port became since. */
  | { readonly kind: "dialed"; readonly port: PortRange }
  | { readonly kind: "set"; readonly name: string; readonly side: "src" | "dst" }
  /** The way back to the source does not leave by the interface that the packet came in by. */
  | { readonly kind: "wrongWay" }
  | { readonly kind: "limit"; readonly perMinute: number }
  /** At most so many a minute from one source: an IPv4 address or an IPv6 /64. */
  | {
      readonly kind: "rate";
      readonly name: string;
      readonly family: Family;
      readonly perMinute: number;
      readonly burst: number;
    }
  /** The sending socket belongs to this control group (version 2) or one below it. */
  | { readonly kind: "cgroup"; readonly path: string }
  | { readonly kind: "comment"; readonly text: string };

export type Target =
  | { readonly kind: "return" }
  /** The packet passes, whatever comes after us in this table: for what Docker's rules would drop, and for nothing else. */
  | { readonly kind: "accept" }
  /** Leaves with the address of the interface that it leaves by; in `nat` only. */
  | { readonly kind: "masquerade" }
  | { readonly kind: "drop" }
  /** Answers with a TCP reset. */
  | { readonly kind: "reset" }
  | { readonly kind: "log"; readonly prefix: string }
  /** Continues there and does not come back: its RETURN is the calling chain's RETURN. */
  | { readonly kind: "goto"; readonly chain: string };

export interface Rule {
  /** Network in canonical spelling with its prefix. */
  readonly source?: string;
  readonly destination?: string;
  /** Interface the packet came in by; a `+` at the end stands for any ending. */
  readonly inInterface?: { readonly name: string; readonly negated: boolean };
  /** Interface the packet leaves by. */
  readonly outInterface?: string;
  readonly protocol?: RuleProtocol;
  readonly matches: readonly Match[];
  readonly target: Target;
}

export interface Chain {
  readonly name: string;
  readonly rules: readonly Rule[];
}

export interface Table {
  readonly name: TableName;
  readonly chains: readonly Chain[];
}

/** A jump that the host agent keeps as the first rule of `chain`, in both families. */
export interface Hook {
  readonly table: TableName;
  readonly chain: string;
  readonly target: string;
}

/** An IP set of the type `hash:net`. */
export interface SourceSet {
  readonly name: string;
  readonly family: Family;
  readonly hashSize: number;
  readonly maxElements: number;
  /** As `ipset save` prints them, sorted. */
  readonly elements: readonly string[];
}

export interface Ruleset {
  readonly hooks: readonly Hook[];
  readonly sets: readonly SourceSet[];
  readonly inet: readonly Table[];
  readonly inet6: readonly Table[];
}

/** The sets of the cluster's own addresses. The host agent makes and fills them; rules only refer to them. */
export const peerSets: Readonly<Record<Family, string>> = { inet: "hc-peers4", inet6: "hc-peers6" };
