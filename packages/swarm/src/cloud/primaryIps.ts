/**
 * Public addresses of nodes that outlast their servers. An address is at one server at a time, and a replacement comes up before the
 * server that it replaces goes: an address that is at another server is refused, with the way that there is.
 */
import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";
import { RefusedChangeError } from "../refusedChange";
import { type Existing, named, numberOf, type Owner, type PublicNet } from "./infrastructure";

export interface PrimaryIpPlan {
  readonly existing?: Existing | undefined;
  /** It stays at no server. */
  readonly spare: boolean;
}

export interface AddressedNode {
  /** For messages: `SwarmCluster "prod"`. */
  readonly component: string;
  /** Where the node stands among the arguments, for messages: `pools.worker.nodes.w1`. */
  readonly path: string;
  /** Its key in the program: its addresses are named after it, whichever server it has. */
  readonly name: string;
  readonly serverName: string;
  readonly location: string;
  readonly primaryIps: { readonly ipv4?: PrimaryIpPlan | undefined; readonly ipv6?: PrimaryIpPlan | undefined };
}

type Family = "ipv4" | "ipv6";

/** What a server of the node is born with; addresses that are not named here it gets anew, and loses when it is deleted. */
export function publicNet(owner: Owner, node: AddressedNode): pulumi.Output<PublicNet> {
  const [ipv4, ipv6] = (["ipv4", "ipv6"] as const).map((family) => addressId(owner, node, family));
  return pulumi.all([ipv4, ipv6]).apply(([four, six]) => ({
    ipv4Enabled: true,
    ipv6Enabled: true,
    ...(four === undefined ? {} : { ipv4: four }),
    ...(six === undefined ? {} : { ipv6: six }),
  }));
}

function addressId(owner: Owner, node: AddressedNode, family: Family): pulumi.Output<number> | undefined {
  const plan = node.primaryIps[family];
  if (plan === undefined) return undefined;
  const id = numberOf(plan.existing?.id ?? madeAddress(owner, node, family).id);
  return plan.spare ? undefined : whereItMayBe(owner, node, family, id);
}

function madeAddress(owner: Owner, { name, location }: AddressedNode, type: Family): hcloud.PrimaryIp {
  const { prefix, deleteProtection } = owner;
  const { labels, options } = named(owner);
  return new hcloud.PrimaryIp(
    `${owner.name}-${name}-${type}`,
    {
      name: `${prefix}-${name}-${type}`,
      type,
      location,
      assigneeType: "server",
      // Or it would go with the server.
      autoDelete: false,
      deleteProtection,
      labels,
    },
    // It would be another address. Which server has it is the servers' to say.
    { ...options, ignoreChanges: [...options.ignoreChanges, "location", "assigneeId"] },
  );
}

/** The id, where the address is at no server or at this one. */
function whereItMayBe(
  { component: parent }: Owner,
  node: AddressedNode,
  family: Family,
  id: pulumi.Output<number>,
): pulumi.Output<number> {
  const found = hcloud.getPrimaryIpOutput({ id }, { parent });
  const holder = found.assigneeId.apply((server) =>
    server ? hcloud.getServerOutput({ id: server }, { parent }).name : pulumi.output(""),
  );
  return pulumi
    .all([id, found.type, found.ipAddress, found.location, holder])
    .apply(([known, type, address, location, server]) => {
      refuseElsewhere(node, family, { id: known, type, address: address ?? "", location, holder: server });
      return known;
    });
}

/** A primary IP as Hetzner Cloud tells it; `holder` is the name of the server that has it, or empty. */
export interface FoundAddress {
  readonly id: number;
  readonly type: string;
  readonly address: string;
  readonly location: string;
  readonly holder: string;
}

/** @throws RefusedChangeError where the node's server could not be made with the address, and does not have it yet */
export function refuseElsewhere(
  { component, path, serverName, location }: Omit<AddressedNode, "primaryIps" | "name">,
  family: Family,
  found: FoundAddress,
): void {
  const refuse = (reason: string): never => {
    throw new RefusedChangeError(component, `${path}.primaryIps.${family}: ${found.address} (${found.id}) ${reason}`);
  };
  if (found.type !== family) refuse(`is an ${found.type} address`);
  if (found.holder === serverName) return;
  if (found.holder !== "")
    refuse(
      `is at the server ${found.holder}, and ${serverName} comes up before that one goes. In two deployments: raise the node's ` +
        `'replacement' with primaryIps.${family}.spare: true, then raise it once more without`,
    );
  if (found.location !== location) refuse(`is in ${found.location}, and a server in ${location} cannot have it`);
}
