/** The Hetzner Cloud resources under the components, each made by one function. */
import { createHash } from "node:crypto";
import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";
import { attemptOf } from "../interrupted/attempt";
import { tellsTakenKey } from "../interrupted/takenKey";
import type { CloudRules } from "./firewalls";
import { refuseOther } from "./keptNetwork";

/** What every child of a component has in common. */
export interface Owner {
  readonly component: pulumi.Resource;
  /** The component's name, in front of every child's. */
  readonly name: string;
  /** In front of every name in Hetzner Cloud, where names are unique in a project. */
  readonly prefix: string;
  readonly labels: Record<string, string>;
  readonly deleteProtection: boolean;
}

/** Labels and options of a resource that has a name of its own in Hetzner Cloud. */
export function named({ component: parent, labels }: Owner) {
  const { labels: attempt, ...options } = attemptOf(parent);
  return { labels: { ...labels, ...attempt }, options: { parent, ...options } };
}

export interface Existing {
  readonly id: pulumi.Input<string>;
}

/**
 * Id, as the provider's `sshKeys` takes it. A key that takes the place of another one is there beside it until the deployment
 * ends, under another name: names are unique in a project. Deleted before, the old one would take the servers with it.
 */
export function sshKeyId(
  owner: Owner,
  publicKey: pulumi.Input<string>,
  existing: Existing | undefined,
  rotates: boolean,
): pulumi.Input<string> {
  if (existing !== undefined) return existing.id;
  const { name: component, prefix } = owner;
  const { labels, options } = named(owner);
  const name = rotates ? pulumi.output(publicKey).apply((key) => `${prefix}-${shortDigest(key)}`) : prefix;
  const beforeCreate = [...(options.hooks?.beforeCreate ?? []), ...tellsTakenKey(owner.component)];
  const hooks = { ...options.hooks, ...(beforeCreate.length > 0 && { beforeCreate }) };
  return new hcloud.SshKey(`${component}-ssh-key`, { name, publicKey, labels }, { ...options, hooks }).id;
}

function shortDigest(publicKey: string): string {
  const [, key = ""] = publicKey.split(" ");
  return createHash("sha256").update(key).digest("hex").slice(0, 8);
}

export interface PrivateNetwork {
  readonly id: pulumi.Input<number>;
  /** Subnets, and what else is to be there before a server is attached. */
  readonly subnets: readonly pulumi.Resource[];
}

/** A network that is there, with its subnets. */
export function networkOf(existing: Existing): PrivateNetwork {
  return { id: numberOf(existing.id), subnets: [] };
}

export interface NetworkPlan {
  readonly ipRange: string;
  readonly zone: string;
  readonly subnetRange?: string | undefined;
  readonly existing?: Existing | undefined;
  /** A subnet that is there; its id begins with the network's. */
  readonly existingSubnet?: Existing | undefined;
}

/** The network and its subnet. No server comes to know of one that is there and is another one than the plan's: it is refused. */
export function privateNetwork(component: string, owner: Owner, plan: NetworkPlan): PrivateNetwork {
  if (plan.existingSubnet !== undefined) return networkOfSubnet(plan.existingSubnet, plan.existing);
  const { existing, subnetRange, zone } = plan;
  const network = existing === undefined ? madeNetwork(component, owner, plan) : numberOf(existing.id);
  if (subnetRange === undefined) return { id: network, subnets: [] };
  const subnet = new hcloud.NetworkSubnet(
    `${owner.name}-subnet`,
    { networkId: network, type: "cloud", networkZone: zone, ipRange: subnetRange },
    { parent: owner.component, ignoreChanges: ["ipRange", "networkZone"] },
  );
  const id = pulumi.all([network, subnet.ipRange, subnet.networkZone]).apply(([known, range, foundZone]) => {
    refuseOther(component, existing === undefined ? owner.prefix : String(known), {
      subnetRange: { found: range, asked: subnetRange },
      zone: { found: foundZone, asked: zone },
    });
    return known;
  });
  return { id, subnets: [subnet] };
}

function madeNetwork(component: string, owner: Owner, { ipRange }: NetworkPlan): pulumi.Output<number> {
  const { name, prefix, deleteProtection } = owner;
  const { labels, options } = named(owner);
  const network = new hcloud.Network(
    `${name}-network`,
    { name: prefix, ipRange, labels, deleteProtection },
    { ...options, ignoreChanges: [...options.ignoreChanges, "ipRange"] },
  );
  return pulumi.all([network.id, network.ipRange]).apply(([id, found]) => {
    refuseOther(component, prefix, { ipRange: { found, asked: ipRange } });
    return numberOf(id);
  });
}

/** The network of a subnet that is there. That the id is known means that the subnet is: servers wait for it. */
function networkOfSubnet({ id: subnetId }: Existing, existing?: Existing): PrivateNetwork {
  const id = pulumi.all([subnetId, existing?.id]).apply(([subnet, network]) => {
    const own = /^([1-9]\d*)-/.exec(subnet)?.[1];
    if (own === undefined) throw new Error(`${JSON.stringify(subnet)} is no id of a subnet in Hetzner Cloud`);
    if (network !== undefined && network !== own) throw new Error(`subnet ${subnet} is not of network ${network}`);
    return own;
  });
  return { id: numberOf(id), subnets: [] };
}

/**
 * Sends what the network's servers have for elsewhere to a node that is up. Another one takes its place when that one is up:
 * there is one route at a time.
 */
export function defaultRoute(
  { component: parent, name }: Owner,
  network: PrivateNetwork,
  gateway: pulumi.Input<string>,
  dependsOn: readonly pulumi.Resource[],
): pulumi.Resource {
  return new hcloud.NetworkRoute(
    `${name}-way-out`,
    { networkId: network.id, destination: "0.0.0.0/0", gateway },
    { parent, dependsOn: [...dependsOn], deleteBeforeReplace: true },
  );
}

export interface CloudFirewalls {
  readonly enabled: boolean;
  readonly existing?: Existing | undefined;
  /** Called only where a firewall is made: a policy may say more than one can. */
  readonly rules: () => pulumi.Output<CloudRules>;
  /** Something that changes when who may reach SSH changes, as far as that is known now. */
  readonly sshDigest: string;
  /** Selects the servers by a label. */
  readonly selector: string;
}

/**
 * Makes the cloud firewalls; gives the ids of those for a server to be born behind.
 *
 * SSH has a firewall of its own, named after who may reach it: another list makes a new one beside the old one, and Pulumi
 * deletes the old one last, when every node has confirmed its policy. Changed in place, it would shut this machine out
 * before the nodes could notice, and they could not be asked any more.
 */
export function cloudFirewallIds(owner: Owner, plan: CloudFirewalls): pulumi.Input<number>[] {
  if (plan.existing !== undefined) return [numberOf(plan.existing.id)];
  if (!plan.enabled) return [];
  const made = plan.rules();
  const { name, prefix } = owner;
  const { labels, options } = named(owner);
  const ssh = `ssh-${plan.sshDigest}`;
  new hcloud.Firewall(
    `${name}-firewall-${ssh}`,
    { name: `${prefix}-${ssh}`, rules: made.ssh, labels, applyTos: [{ labelSelector: plan.selector }] },
    options,
  );
  const rules = made.others;
  return [numberOf(new hcloud.Firewall(`${name}-firewall`, { name: prefix, rules, labels }, options).id)];
}

/** Spread groups by name. */
export function spreadGroups(owner: Owner, names: Iterable<string>): ReadonlyMap<string, pulumi.Output<number>> {
  const { name, prefix } = owner;
  const { labels, options } = named(owner);
  const make = (group: string) =>
    new hcloud.PlacementGroup(
      `${name}-${group}-spread`,
      { name: `${prefix}-${group}`, type: "spread", labels },
      options,
    );
  return new Map([...new Set(names)].sort().map((group) => [group, numberOf(make(group).id)]));
}

/** Public addresses as a server is born with them; an id is that of a primary IP. */
export interface PublicNet {
  readonly ipv4Enabled: boolean;
  readonly ipv6Enabled: boolean;
  readonly ipv4?: number;
  readonly ipv6?: number;
}

export interface ServerPlan {
  /** What stands behind the component's name and the prefix; empty for a component that is one server. */
  readonly suffix: string;
  readonly serverName: string;
  readonly serverType: string;
  readonly location: string;
  readonly image: string;
  readonly labels: Record<string, string>;
  readonly sshKey: pulumi.Input<string>;
  readonly firewallIds: pulumi.Input<number>[];
  readonly placementGroup?: pulumi.Input<number> | undefined;
  readonly network?: PrivateNetwork | undefined;
  /** Servers that it is made after, and deleted before. Default: none. */
  readonly after?: readonly pulumi.Resource[] | undefined;
  /** Default: an address of each family that goes with the server. */
  readonly publicNet?: pulumi.Input<PublicNet> | undefined;
  /** Without a public address, and without cloud firewalls: they filter public interfaces alone. Default: false. */
  readonly privateOnly?: boolean | undefined;
  readonly userData: pulumi.Input<string>;
  /** From deletion and rebuild. Default: the owner's. */
  readonly deleteProtection?: boolean;
  /** What Pulumi knew a server as that this one takes the place of; it is replaced, not kept. */
  readonly replaces?: pulumi.Alias | string | undefined;
  /**
   * A changed image, location or primary IP waits for a server of another name, and nothing else replaces it either: before a node of a
   * swarm is deleted it must have left. Default: false.
   */
  readonly staysPut?: boolean;
  /** A changed type waits for another server, too: it would power this one off, and others at the same time. Default: false. */
  readonly keepsType?: boolean;
  /** Hooks beside those of the attempt. Default: none. */
  readonly beforeCreate?: readonly pulumi.ResourceHook[];
}

export function server(owner: Owner, plan: ServerPlan): hcloud.Server {
  const {
    placementGroup,
    network,
    replaces,
    privateOnly,
    after = [],
    deleteProtection = owner.deleteProtection,
  } = plan;
  const addresses = privateOnly ? { ipv4Enabled: false, ipv6Enabled: false } : plan.publicNet;
  const { labels, options } = named({ ...owner, labels: { ...owner.labels, ...plan.labels } });
  return new hcloud.Server(
    `${owner.name}${plan.suffix}`,
    {
      name: plan.serverName,
      serverType: plan.serverType,
      location: plan.location,
      image: plan.image,
      labels,
      sshKeys: [plan.sshKey],
      firewallIds: privateOnly ? [] : plan.firewallIds,
      // SSH's firewall is applied by label; it must not look like drift.
      ignoreRemoteFirewallIds: true,
      userData: plan.userData,
      deleteProtection,
      // Hetzner Cloud wants both or neither.
      rebuildProtection: deleteProtection,
      ...(placementGroup === undefined ? {} : { placementGroupId: placementGroup }),
      // Without `aliasIps` the provider attaches the network again on every update.
      ...(network === undefined ? {} : { networks: [{ networkId: network.id, aliasIps: [] }] }),
      ...(addresses === undefined ? {} : { publicNets: [addresses] }),
    },
    {
      ...options,
      ...(plan.beforeCreate?.length
        ? { hooks: { ...options.hooks, beforeCreate: [...(options.hooks.beforeCreate ?? []), ...plan.beforeCreate] } }
        : {}),
      dependsOn: [...(network?.subnets ?? []), ...after],
      // These would replace the server. Policies and keys reach a running server over SSH.
      ignoreChanges: [
        ...options.ignoreChanges,
        ...(replaces === undefined ? ["userData"] : []),
        "sshKeys",
        // Another address would power it off, and its steps would look for it at the old one. No running server leaves its group,
        // so one that is promoted or demoted stays where it was made.
        ...(plan.staysPut ? ["image", "location", "publicNets", "placementGroupId"] : []),
        ...(plan.keepsType ? ["serverType"] : []),
        // A server that is up with a public address would lose its cloud firewall before anybody refuses.
        ...(privateOnly ? ["firewallIds"] : []),
      ],
      ...(replaces === undefined ? {} : { aliases: [replaces] }),
      // Names are unique in a project.
      deleteBeforeReplace: !plan.staysPut,
    },
  );
}

/** Ids are text in Pulumi and numbers in the provider's references. */
export function numberOf(text: pulumi.Input<string>): pulumi.Output<number> {
  return pulumi.output(text).apply((known) => {
    const id = Number(known);
    if (!Number.isInteger(id)) throw new Error(`${JSON.stringify(known)} is no id in Hetzner Cloud`);
    return id;
  });
}
