/** What containers may dial beyond their node. A policy that does not speak of it lets them dial everything. */
import * as z from "zod";
import {
  allProtocols,
  type EgressProtocol,
  everyPort,
  mergeEntries,
  type PolicyEntry,
  type PortProtocol,
} from "./entries";
import { endNotBeforeStart, networkList, port, protocol, scope, scopeOf, strict } from "./fields";

/** One thing that containers may dial, as a user writes it. */
export interface EgressOpeningInput {
  /**
   * Networks or single addresses of both families that may be dialed; default: everywhere (`0.0.0.0/0` and `::/0`). A family
   * without a network is closed. Networks with host bits set are refused.
   */
  readonly destinations?: readonly string[] | undefined;
  /** Default: `tcp` with a `port`; without one every protocol, ICMP included. */
  readonly protocol?: PortProtocol | undefined;
  /** First or only port, 1 to 65535; default: every port of `protocol`. */
  readonly port?: number | undefined;
  /** Last port of a range, included, with a `port` before it; default: `port`. */
  readonly endPort?: number | undefined;
  /** Pools to open it on; default, with `nodes` absent too: every node. */
  readonly pools?: readonly string[] | undefined;
  /** Nodes to open it on, beside those of `pools`. */
  readonly nodes?: readonly string[] | undefined;
}

export interface ContainerEgressInput {
  /** All that containers may dial beyond their node; an empty list closes it. */
  readonly open: readonly EgressOpeningInput[];
}

/** An opening with everything said. Without `protocol` and ports it is for every protocol. */
export interface EgressOpening {
  readonly destinations: readonly string[];
  readonly protocol?: PortProtocol;
  readonly port?: number;
  readonly endPort?: number;
  readonly pools?: readonly string[];
  readonly nodes?: readonly string[];
}

/** Sorted, and without duplicates. It is a valid `ContainerEgressInput`. */
export interface ContainerEgress {
  readonly open: readonly EgressOpening[];
}

const opening = strict({
  destinations: networkList("at least one network or address; leave it out for everywhere"),
  protocol: protocol.optional(),
  port: port.optional(),
  endPort: port.optional(),
  ...scope,
})
  .superRefine(endNotBeforeStart)
  .transform((given): PolicyEntry<EgressProtocol> => {
    const { destinations, port: first, endPort } = given;
    const ports = first === undefined ? everyPort : { port: first, endPort: endPort ?? first };
    const whenAbsent = first === undefined ? allProtocols : "tcp";
    return { protocol: given.protocol ?? whenAbsent, ...ports, sources: destinations, ...scopeOf(given) };
  });

export const containerEgressSchema = strict({
  open: z.array(opening, { error: "a list of what containers may dial" }).max(1000, { error: "up to 1000 entries" }),
}).transform(({ open }): ContainerEgress => ({ open: mergeEntries(open).map(openingOf) }));

/** The form that lists of openings are merged in; its sources are the destinations. */
export function egressEntry({ destinations, protocol: named, ...rest }: EgressOpening): PolicyEntry<EgressProtocol> {
  return { ...everyPort, ...rest, protocol: named ?? allProtocols, sources: destinations };
}

function openingOf({
  protocol: named,
  port: first,
  endPort,
  sources,
  ...limits
}: PolicyEntry<EgressProtocol>): EgressOpening {
  const ports = named === allProtocols ? {} : { protocol: named, port: first, endPort };
  return { ...ports, destinations: sources, ...limits };
}
