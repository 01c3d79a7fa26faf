/**
 * The way out for servers without a public address. Out of the public interface go connections that begin in the private
 * network, with the node's address; back come their replies. Nothing begins from outside.
 */
import type { Family } from "./address";
import { accept, comment, drop, type Head, pass, rule } from "./builders";
import type { EgressFacts, NodeFacts } from "./node";
import type { Chain, Hook, Match, Rule, Table } from "./ruleset";

/** Rules of the chains that all nodes have, each empty on a node that is no way out, and in IPv6. */
export interface WayOutRules {
  /** For raw: addresses of the private network come from there alone. */
  readonly raw: readonly Rule[];
  /** To the metadata service nobody is led, whose user-data it would be: the node's. */
  readonly metadata: readonly Rule[];
  /**
   * Packets of connections that have begun. Docker's policy for FORWARD is to drop, and its rules let back in what its own
   * networks asked for: here, and nowhere else, a packet is accepted for good.
   */
  readonly known: readonly Rule[];
  /** First packets, in the belt and in the filter. */
  readonly belt: readonly Rule[];
  readonly first: readonly Rule[];
}

const nothing: WayOutRules = { raw: [], metadata: [], known: [], belt: [], first: [] };

export function wayOutRules({ egress }: NodeFacts, family: Family, metadataAddress: string): WayOutRules {
  if (egress === undefined || family === "inet6") return nothing;
  const { network, publicInterface } = egress;
  const out: Head = {
    source: network,
    inInterface: { name: publicInterface, negated: true },
    outInterface: publicInterface,
  };
  const back: Head = { destination: network, inInterface: { name: publicInterface, negated: false } };
  return {
    raw: [drop({ source: network }, { kind: "wrongWay" }, comment("not the way to the private network"))],
    metadata: [drop({ source: network, destination: metadataAddress }, comment("metadata service"))],
    known: [out, back].flatMap((head) => [
      accept(head, state("ESTABLISHED")),
      accept({ ...head, protocol: "icmp" }, state("RELATED")),
    ]),
    belt: [pass(out, state("NEW"))],
    first: [accept(out, state("NEW"))],
  };
}

/** The table that translates addresses; none on a node that is no way out. */
export function wayOutTables({ egress }: NodeFacts, family: Family): readonly Table[] {
  return egress === undefined ? [] : [{ name: "nat", chains: [natChain(egress, family)] }];
}

export function wayOutHooks({ egress }: NodeFacts): readonly Hook[] {
  return egress === undefined ? [] : [{ table: "nat", chain: "POSTROUTING", target: "HC-NAT" }];
}

/** A jump is made in both families, so both have the chain. */
function natChain({ network, publicInterface }: EgressFacts, family: Family): Chain {
  const head: Head = { source: network, outInterface: publicInterface };
  return { name: "HC-NAT", rules: family === "inet" ? [rule(head, [], { kind: "masquerade" })] : [] };
}

function state(name: "NEW" | "ESTABLISHED" | "RELATED"): Match {
  return { kind: "state", state: name, negated: false };
}
