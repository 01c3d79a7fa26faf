/** What nodes without a public address need before they boot: the network's route to the way out, and the way in. */
import * as pulumi from "@pulumi/pulumi";
import { hostKeySchema, privateKeySchema } from "../args/hostSchema";
import { defaultRoute, type Owner, type PrivateNetwork } from "../cloud/infrastructure";
import type { ClusterPlan, NodePlan } from "../plan/cluster";
import { bastionNodeOf, wayOutOf } from "../plan/privateNodes";
import type { ReachableHost } from "../remote/sshConfig";
import type { BootedNode, Reached } from "./hardenedNode";
import { checkedLater } from "./sshKeys";

/** A node with a public address, booted. */
export type OpenNode = NodePlan & BootedNode;

export interface HiddenSide {
  /** The network, once it leads out. */
  readonly network: PrivateNetwork;
  /** Absent where every node has a public address. */
  readonly reached?: Reached;
}

/**
 * Makes the route of the network where there is a way out. Servers are attached when the node that is it has booted: it forwards
 * from its first boot on.
 */
export function hiddenSide(
  owner: Owner,
  plan: ClusterPlan,
  network: PrivateNetwork,
  openNodes: readonly (OpenNode & { readonly privateIp: pulumi.Output<string> })[],
  privateKey: pulumi.Output<string>,
): HiddenSide {
  const { egress } = plan.network;
  const wayOut = wayOutOf(plan.network);
  if (egress === undefined || wayOut === undefined) return { network };
  const gateway = must(openNodes, egress.node);
  const route = defaultRoute(owner, network, gateway.privateIp, gateway.place.dependsOn ?? []);
  const led = { ...network, subnets: [...network.subnets, route] };
  if (!plan.nodes.some((node) => node.privateOnly)) return { network: led };
  return { network: led, reached: { ...wayIn(plan, openNodes, privateKey), wayOut } };
}

function wayIn(
  plan: ClusterPlan,
  openNodes: readonly OpenNode[],
  privateKey: pulumi.Output<string>,
): Pick<Reached, "proxy" | "dependsOn"> {
  const { bastion, component } = plan;
  const name = bastionNodeOf(bastion, plan.network.egress);
  if (name !== undefined) {
    const { place, adopt } = must(openNodes, name);
    const { host, port, user, privateKey: key, hostKey, pinned } = place.target;
    const proxy = { host, port, user, privateKey: key, hostKey, pinned, isServer: adopt === undefined };
    return { proxy, dependsOn: place.dependsOn ?? [] };
  }
  const key = bastion?.privateKey;
  const proxy = {
    host: bastion?.host ?? "",
    port: bastion?.port ?? 22,
    user: bastion?.user ?? "root",
    privateKey:
      key === undefined
        ? privateKey
        : checkedLater(component, privateKeySchema, pulumi.secret(key), "bastion.privateKey"),
    hostKey: checkedLater(component, hostKeySchema, bastion?.hostKey ?? "", "bastion.hostKey"),
    pinned: { name: "the bastion", argument: "bastion.hostKey", inDoubt: "leave it pinned" },
    isServer: false,
  };
  return { proxy, dependsOn: [] };
}

/** The bastion in the SSH configuration of a person: a node's own entry, or one that is added for it. */
export function jumpOf(
  { bastion, network, prefix, nodes }: ClusterPlan,
  reached: Reached | undefined,
): { readonly jump?: string; readonly added: readonly pulumi.Output<ReachableHost>[] } {
  if (reached === undefined) return { added: [] };
  const name = bastionNodeOf(bastion, network.egress);
  const node = nodes.find((one) => one.name === name);
  if (node !== undefined) return { jump: node.serverName, added: [] };
  const jump = `${prefix}-bastion`;
  const { host, port, user, hostKey } = reached.proxy;
  const added = pulumi
    .all([host, hostKey])
    .apply(([address, key]) => ({ name: jump, address, port, user, hostKey: key }));
  return { jump, added: [added] };
}

function must<N extends NodePlan>(nodes: readonly N[], name: string): N {
  const found = nodes.find((node) => node.name === name);
  if (found === undefined) throw new Error(`there is no node ${name} with a public address`);
  return found;
}
