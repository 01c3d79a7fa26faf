/** A server from its first boot to its policy: what SwarmCluster and HardenedServer have in common. */
import * as pulumi from "@pulumi/pulumi";
import { type Owner, type ServerPlan, server } from "../cloud/infrastructure";
import { type NodeFacts, type Policy, renderBundle } from "../firewall";
import { type Additions, bootstrapProgram, claimCommand, userData, type WayOut } from "../host";
import { bornWith } from "../maintenance/nodeProgram";
import { digestOf, onlySsh, payloadOf } from "../plan/policy";
import { RefusedChangeError } from "../refusedChange";
import type { PinnedHost, ProxyTarget } from "../remote/connection";
import { bootstrapHostKey } from "../remote/sshKey";
import { bootstrapStep, firstKeyOf, hostKeyFrom, type PolicyStep, policyStep, type StepPlace } from "../remote/steps";
import { hostKeyInForce } from "./acceptedKey";
import { type KeyRotation, upgradeStep } from "./keyRotation";

export interface HardenedNodePlan extends Omit<ServerPlan, "userData"> {
  /** For messages: `SwarmCluster "prod"`. */
  readonly component: string;
  readonly facts: NodeFacts;
  /** Tells its first host key from that of every other server of the owner. Default: the node's name. */
  readonly resource?: string;
  /** The SSH private key, as a secret. */
  readonly privateKey: pulumi.Output<string>;
  /** Where that key takes the place of another one. */
  readonly rotation?: KeyRotation | undefined;
  readonly policy: pulumi.Output<Policy>;
  readonly sshPort: number;
  /** Host key of the server that is up, where somebody changed it. Default: the one from its first contact. */
  readonly acceptedKey?: string | undefined;
  readonly pinned: PinnedHost;
  readonly docker: { readonly channel: "debian" | "docker"; readonly daemonOptions: Record<string, unknown> };
  /** What the user adds to the first boot. Default: nothing. */
  readonly additions?: Additions | undefined;
  /** Number of the maintenance that a server which is made now has had. Default: 0. */
  readonly maintained?: number;
  readonly timeouts: { readonly boot: number; readonly cloudInit: number; readonly probation: number };
  /** For a server without a public address. Default: it has one. */
  readonly reached?: Reached | undefined;
}

/** How a server without a public address is reached, and reaches others. */
export interface Reached {
  readonly proxy: ProxyTarget;
  /** What is to be there before the proxy lets anybody through. */
  readonly dependsOn: readonly pulumi.Resource[];
  readonly wayOut: WayOut;
}

/** What is known of a node's server, whether the component owns it or only looked it up. */
export interface NodeServer {
  readonly id: pulumi.Output<string>;
  readonly name: pulumi.Output<string>;
  readonly ipv4Address: pulumi.Output<string>;
  readonly ipv6Address: pulumi.Output<string>;
  readonly networks: pulumi.Output<readonly { readonly networkId?: number; readonly ip: string }[] | undefined>;
}

/** A server that runs hardened from its first boot or gets hardened now, and whose own host key is known. */
export interface BootedNode {
  readonly server: NodeServer;
  /** Where its further steps run. */
  readonly place: StepPlace;
  readonly hostKey: pulumi.Output<string>;
  readonly payload: pulumi.Output<string>;
  /** Of the payload; what its last step confirms. */
  readonly digest: pulumi.Output<string>;
  /** A command to run before a policy is applied, on the same connection. */
  readonly before?: string;
  /** Whether a policy that would cut off a node of the swarm that it is in is refused. Default: false. */
  readonly keepSwarm?: boolean;
  /** Shell text between the confirmation of the policy and the verification. Default: none. */
  readonly afterConfirmation?: string;
}

export function bootNode(owner: Owner, plan: HardenedNodePlan): BootedNode {
  const { component, facts, privateKey, docker, sshPort, timeouts, additions, reached, pinned } = plan;
  const payload = plan.policy.apply((policy) => payloadOf(component, policy, facts));
  const smallPayload = plan.policy.apply((policy) => payloadOf(component, onlySsh(policy), facts));
  const firstKey = privateKey.apply((key) => bootstrapHostKey(key, owner.prefix, plan.resource ?? facts.name));
  const born = { ...bornWith(plan.maintained), additions, wayOut: reached?.wayOut };
  const made = server(owner, {
    ...plan,
    privateOnly: reached !== undefined,
    userData: pulumi
      .all([firstKey, payload, smallPayload])
      .apply(([hostKey, full, small]) =>
        userData({ hostKey, payload: full, smallPayload: small, sshPort, docker, ...born }),
      ),
  });
  if (plan.keepsType)
    made.serverType.apply((type) => {
      if (type !== plan.serverType)
        void pulumi.log.warn(
          `${component}: ${plan.serverName} is a ${type} and stays one. For a ${plan.serverType} raise its 'replacement': a fresh ` +
            "server joins, then this one is drained and leaves",
          owner.component,
        );
    });
  const way =
    reached === undefined
      ? {
          host: pulumi
            .all([made.ipv4Address, made.publicNets])
            .apply(([address, nets]) => openAddress(plan, address, nets)),
        }
      : {
          host: pulumi
            .all([made.networks, made.ipv4Address, made.ipv6Address])
            .apply(([networks, ...addresses]) => hiddenAddress(plan, networks, addresses)),
          proxy: reached.proxy,
        };
  const target = { ...way, port: sshPort, user: "root", privateKey };
  const place = {
    ...{ name: `${owner.name}${plan.suffix}`, parent: owner.component, server: made, identity: made.id },
    ...(reached === undefined ? {} : { dependsOn: reached.dependsOn }),
  };
  const { name: serverName, inDoubt } = pinned;
  const fresh = { ...target, hostKey: firstKey.publicKey, pinned: { name: serverName, inDoubt } };
  const bootstrap = bootstrapStep(
    { ...place, target: { ...fresh, dialSeconds: timeouts.boot } },
    bootstrapProgram({ cloudInitSeconds: timeouts.cloudInit }),
    timeouts.cloudInit,
  );
  const key = { component, name: facts.name, hostKey: plan.acceptedKey, pinned };
  const hostKey = hostKeyInForce(owner, key, {
    ...{ serverId: made.id, own: hostKeyFrom(bootstrap), oneUse: firstKeyOf(bootstrap) },
  });
  // A policy that shuts this machine out ends when the node takes it back: dialling goes on until then, so that the last
  // step can say so.
  const dialSeconds = timeouts.probation + 60;
  const settled = { ...place, target: { ...target, hostKey, pinned, dialSeconds } };
  return {
    server: made,
    place: { ...settled, dependsOn: [upgradeStep(settled, plan.rotation)] },
    hostKey,
    payload,
    digest: payload.apply(digestOf),
    before: claimCommand,
  };
}

type Named = Pick<HardenedNodePlan, "component" | "serverName">;
type PublicNets = readonly { readonly ipv4Enabled?: boolean }[] | undefined;
type Networks = readonly { readonly ip: string }[] | undefined;

/**
 * The public address of a server.
 * @throws RefusedChangeError where it is up without one: it stays so.
 */
export function openAddress({ component, serverName }: Named, address: string, publicNets: PublicNets): string {
  if (publicNets?.[0]?.ipv4Enabled !== false) return address;
  throw new RefusedChangeError(
    component,
    `${serverName} has no public address and stays without. For a node with one raise its 'replacement': a fresh server joins, then ` +
      "this one is drained and leaves",
  );
}

/**
 * The address in the Network of a server without public ones.
 * @throws RefusedChangeError where it is up with one, and must not pass for a server that nobody reaches.
 */
export function hiddenAddress(
  { component, serverName }: Named,
  networks: Networks,
  addresses: readonly (string | undefined)[],
): string {
  const shown = addresses.filter(Boolean);
  if (shown.length === 0) return addressIn(serverName, networks);
  throw new RefusedChangeError(
    component,
    `${serverName} has public addresses (${shown.join(", ")}) and keeps them. For a node without raise its 'replacement': a fresh ` +
      "server joins, then this one is drained and leaves",
  );
}

/** The address of a server in the one Network that it was made in. */
export function addressIn(serverName: string, networks: Networks): string {
  const ip = networks?.[0]?.ip;
  if (ip === undefined) throw new Error(`server ${serverName} has no address in the private network`);
  return ip;
}

export interface PolicyApplication {
  readonly probationSeconds: number;
  /** Peers that left the list and are alive in the swarm stay until `peersStep`. Default: false. */
  readonly keepLivePeers?: boolean;
  /** Shell text for the same session; its output is the step's. */
  readonly afterwards?: pulumi.Input<string>;
  readonly dependsOn?: readonly pulumi.Resource[];
}

/** Applies the node's policy, with the addresses of the other nodes. */
export function applyPolicy(
  node: BootedNode,
  peers: pulumi.Input<string[]>,
  { dependsOn, ...inputs }: PolicyApplication,
): AppliedPolicy {
  const bundle = pulumi
    .all([node.payload, peers])
    .apply(([payload, addresses]) => renderBundle({ payload, peers: addresses }));
  const { place, before, keepSwarm } = node;
  const step = policyStep(
    { ...place, dependsOn: [...(place.dependsOn ?? []), ...(dependsOn ?? [])] },
    {
      bundle,
      ...inputs,
      ...(before === undefined ? {} : { before }),
      ...(keepSwarm === undefined ? {} : { keepSwarm }),
    },
  );
  return { step, place: { ...node.place, dependsOn: [step] } };
}

export interface AppliedPolicy {
  readonly step: PolicyStep;
  /** Of the node's last step. */
  readonly place: StepPlace;
}
