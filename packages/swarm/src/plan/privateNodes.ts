/** Nodes without a public address, checked and planned. Plain data in, plain data out. */

import type { Issue } from "../args/invalidArgument";
import type { BastionInput } from "../args/privateNodesSchema";
import type { WayOut } from "../host";
import { gatewayOf } from "./network";

/** A node as far as it matters here. */
export interface PlannedNode {
  readonly name: string;
  readonly pool: string;
  readonly role: "manager" | "worker";
  readonly privateOnly?: boolean | undefined;
  readonly adopt?: unknown;
  readonly primaryIps?: unknown;
  /** Present where the pool names its nodes. */
  readonly nodes?: unknown;
}

interface Ways {
  readonly egress: { readonly node: string } | undefined;
  readonly bastion: BastionInput | undefined;
  /** There is a network beside the one that is made with servers. */
  readonly hasNetwork: boolean;
}

/** Everything that keeps private-only nodes from being made, joined or reached. */
export function privateProblems(
  nodes: readonly PlannedNode[],
  { egress, bastion, hasNetwork }: Ways,
): readonly Issue[] {
  const hidden = nodes.filter((node) => node.privateOnly);
  return [
    ...hidden.flatMap((node) => foreignProblems(node)),
    ...(egress === undefined ? wayOutProblems(hidden) : egressProblems(nodes, hidden, egress)),
    ...(egress !== undefined && !hasNetwork && nodes.every((node) => node.adopt !== undefined) ? [noNetwork] : []),
    ...(bastion === undefined ? [] : bastionProblems(nodes, bastion)),
  ];
}

/** Where all servers are adopted, none is made. */
const noNetwork: Issue = {
  path: ["network", "existing"],
  message: "the network that the way out is for, because all servers are adopted",
  given: "nothing, beside network.egress",
};

function foreignProblems(node: PlannedNode): readonly Issue[] {
  const { adopt, primaryIps } = node;
  const path = pathOf(node);
  const kept = "nothing beside adopt: a server that is there keeps the addresses that it has";
  const none = "nothing beside primaryIps: a server without a public address has none of them";
  return [
    ...(adopt === undefined ? [] : [{ path, message: kept, given: "true" }]),
    ...(primaryIps === undefined ? [] : [{ path, message: none, given: "true" }]),
  ];
}

function wayOutProblems([first]: readonly PlannedNode[]): readonly Issue[] {
  if (first === undefined) return [];
  const message = `the way out of nodes without a public address, such as { node: "manager-1" }`;
  return [{ path: ["network", "egress"], message, given: `nothing, and node ${first.name} is private-only` }];
}

function egressProblems(
  nodes: readonly PlannedNode[],
  hidden: readonly PlannedNode[],
  egress: { readonly node: string },
): readonly Issue[] {
  const path = ["network", "egress", "node"];
  const problems = publicNodeProblems(nodes, egress.node, path);
  if (problems.length > 0) return problems;
  const gateway = nodes.find((node) => node.name === egress.node);
  const manager = hidden.find((node) => node.role === "manager");
  if (manager === undefined || gateway?.role === "manager") return [];
  // Workers get their policies once the managers have theirs, and the manager would wait for the way out.
  const message = `a manager, because manager ${manager.name} is private-only`;
  return [{ path, message, given: `worker ${egress.node}` }];
}

function bastionProblems(nodes: readonly PlannedNode[], bastion: BastionInput): readonly Issue[] {
  const at = (key: string) => ["bastion", key];
  const { node, host, hostKey, ...rest } = bastion;
  if ((node === undefined) === (host === undefined)) {
    const message = "a node of the cluster or a host, one of the two";
    return [{ path: at("node"), message, given: node === undefined ? "none of them" : "node and host" }];
  }
  if (node === undefined) {
    if (hostKey !== undefined) return [];
    return [{ path: at("hostKey"), message: "the public key that the host proves to have", given: "nothing" }];
  }
  const foreign = Object.entries({ hostKey, ...rest }).filter(([, value]) => value !== undefined);
  return [
    ...publicNodeProblems(nodes, node, at("node")),
    ...foreign.map(([key]) => ({
      path: at(key),
      message: "nothing beside node: the component knows how a node is reached",
      given: key === "privateKey" ? "[secret]" : "a value",
    })),
  ];
}

function publicNodeProblems(nodes: readonly PlannedNode[], name: string, path: string[]): readonly Issue[] {
  const found = nodes.find((node) => node.name === name);
  const choice = nodes.filter((node) => !node.privateOnly).map((node) => node.name);
  const message = choice.length === 0 ? "a node that is not private-only" : `one of ${choice.join(", ")}`;
  if (found === undefined) return [{ path, message, given: `${name}, which is no node` }];
  return found.privateOnly ? [{ path, message, given: `${name}, which is private-only itself` }] : [];
}

function pathOf({ pool, name, nodes }: PlannedNode): string[] {
  return nodes === undefined ? ["pools", pool, "privateOnly"] : ["pools", pool, "nodes", name, "privateOnly"];
}

interface LedNetwork {
  readonly ipRange: string;
  readonly egress?: { readonly resolvers: readonly string[] } | undefined;
}

/** What a server without a public address has to know of its way out. */
export function wayOutOf({ ipRange, egress }: LedNetwork): WayOut | undefined {
  return egress && { gateway: gatewayOf(ipRange), resolvers: egress.resolvers };
}

/** The node over which private-only nodes are reached: the way out, where nobody says otherwise; none for a host that is given. */
export function bastionNodeOf(
  bastion: Pick<BastionInput, "node" | "host"> | undefined,
  egress: { readonly node: string } | undefined,
): string | undefined {
  return bastion === undefined ? egress?.node : bastion.node;
}
