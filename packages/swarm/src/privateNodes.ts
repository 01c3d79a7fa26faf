/** Nodes without a public address, checked and planned. Plain data in, plain data out. */
import * as z from "zod";
import { address, hostKeySchema, plainName, privateKeySchema, user } from "./argsHostSchema";
import { parseRange4 } from "./cidr";
import type { WayOut } from "./host";
import { inputOf, strict, text, whole } from "./invalidArgument";

/** Resolvers that Hetzner gives its customers. */
const hetznerResolvers = ["185.12.64.1", "185.12.64.2"];

const address4 = z
  .string({ error: "an IPv4 address" })
  .refine((value) => parseRange4(`${value}/32`) !== undefined, { error: "an IPv4 address" });

export const egressSchema = strict({
  node: plainName,
  publicInterface: text(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,14}$/, "a network interface, such as eth0").default("eth0"),
  resolvers: z
    .array(address4, { error: "a list of IPv4 addresses" })
    .min(1, { error: "at least one IPv4 address" })
    .default(hetznerResolvers),
});

export const bastionSchema = strict({
  node: plainName.optional(),
  host: address.optional(),
  port: whole(1, 65535, "a port").optional(),
  user: user.unwrap().optional(),
  privateKey: inputOf(privateKeySchema).optional(),
  hostKey: inputOf(hostKeySchema).optional(),
});

type BastionPlan = z.output<typeof bastionSchema>;

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
  readonly bastion: BastionPlan | undefined;
  /** There is a network beside the one that is made with servers. */
  readonly hasNetwork: boolean;
}

export interface PrivateProblem {
  readonly path: string[];
  readonly message: string;
  readonly given: string;
}

/** Everything that keeps private-only nodes from being made, joined or reached. */
export function privateProblems(
  nodes: readonly PlannedNode[],
  { egress, bastion, hasNetwork }: Ways,
): readonly PrivateProblem[] {
  const hidden = nodes.filter((node) => node.privateOnly);
  return [
    ...hidden.flatMap((node) => foreignProblems(node)),
    ...(egress === undefined ? wayOutProblems(hidden) : egressProblems(nodes, hidden, egress)),
    ...(egress !== undefined && !hasNetwork && nodes.every((node) => node.adopt !== undefined) ? [noNetwork] : []),
    ...(bastion === undefined ? [] : bastionProblems(nodes, bastion)),
  ];
}

/** Where all servers are adopted, none is made. */
const noNetwork: PrivateProblem = {
  path: ["network", "existing"],
  message: "the network that the way out is for, because all servers are adopted",
  given: "nothing, beside network.egress",
};

function foreignProblems(node: PlannedNode): readonly PrivateProblem[] {
  const { adopt, primaryIps } = node;
  const path = pathOf(node);
  const kept = "nothing beside adopt: a server that is there keeps the addresses that it has";
  const none = "nothing beside primaryIps: a server without a public address has none of them";
  return [
    ...(adopt === undefined ? [] : [{ path, message: kept, given: "true" }]),
    ...(primaryIps === undefined ? [] : [{ path, message: none, given: "true" }]),
  ];
}

function wayOutProblems([first]: readonly PlannedNode[]): readonly PrivateProblem[] {
  if (first === undefined) return [];
  const message = `the way out of nodes without a public address, such as { node: "manager-1" }`;
  return [{ path: ["network", "egress"], message, given: `nothing, and node ${first.name} is private-only` }];
}

function egressProblems(
  nodes: readonly PlannedNode[],
  hidden: readonly PlannedNode[],
  egress: { readonly node: string },
): readonly PrivateProblem[] {
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

function bastionProblems(nodes: readonly PlannedNode[], bastion: BastionPlan): readonly PrivateProblem[] {
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

function publicNodeProblems(nodes: readonly PlannedNode[], name: string, path: string[]): readonly PrivateProblem[] {
  const found = nodes.find((node) => node.name === name);
  const choice = nodes.filter((node) => !node.privateOnly).map((node) => node.name);
  const message = choice.length === 0 ? "a node that is not private-only" : `one of ${choice.join(", ")}`;
  if (found === undefined) return [{ path, message, given: `${name}, which is no node` }];
  return found.privateOnly ? [{ path, message, given: `${name}, which is private-only itself` }] : [];
}

function pathOf({ pool, name, nodes }: PlannedNode): string[] {
  return nodes === undefined ? ["pools", pool, "privateOnly"] : ["pools", pool, "nodes", name, "privateOnly"];
}

/** The router of a Hetzner Cloud Network, which hands on by the Network's routes: the first address of its range. */
export function gatewayOf(ipRange: string): string {
  const [network = ""] = ipRange.split("/");
  return network.replace(/\d+$/, (last) => String(Number(last) + 1));
}

interface NetworkPlan {
  readonly ipRange: string;
  readonly subnetRange?: string | undefined;
  readonly existing?: unknown;
  readonly existingSubnet?: unknown;
  readonly egress?: { readonly resolvers: readonly string[] } | undefined;
}

/** Where the nodes are in the network: of one that is there, Hetzner Cloud may choose another subnet for a server. */
export function nodesRange({ ipRange, subnetRange, existing, existingSubnet }: NetworkPlan): string {
  return (existing ?? existingSubnet) === undefined ? (subnetRange ?? ipRange) : ipRange;
}

/** What a server without a public address has to know of its way out. */
export function wayOutOf({ ipRange, egress }: NetworkPlan): WayOut | undefined {
  return egress && { gateway: gatewayOf(ipRange), resolvers: egress.resolvers };
}

/** The node over which private-only nodes are reached: the way out, where nobody says otherwise; none for a host that is given. */
export function bastionNodeOf(
  bastion: Pick<BastionPlan, "node" | "host"> | undefined,
  egress: { readonly node: string } | undefined,
): string | undefined {
  return bastion === undefined ? egress?.node : bastion.node;
}
