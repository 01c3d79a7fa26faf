/** What a SwarmCluster is going to make: its arguments, checked, with every default filled in. */
import type * as z from "zod";
import type { SwarmClusterArgs } from "../args/components";
import { hasDeferred, knownNow } from "../args/deferred";
import type { NodeRole } from "../args/host";
import { serverDefaults } from "../args/hostSchema";
import { InvalidArgumentError, isDeferred, type Problem, parseArgument } from "../args/invalidArgument";
import type { PolicyArgs } from "../args/policy";
import { type AdoptPlan, nodeNames } from "../args/poolsSchema";
import { swarmClusterSchema } from "../args/schema";
import type { Existing } from "../cloud/infrastructure";
import type { AddressedNode } from "../cloud/primaryIps";
import type { NodeFacts } from "../firewall";
import { type Additions, containerSlice, userDataBytes, userDataLimit } from "../host";
import { bornWith } from "../maintenance/nodeProgram";
import { bootstrapHostKey } from "../remote/sshKey";
import type { WantedShape } from "./adoption";
import { refuseBeyondCloud } from "./cloudFirewall";
import { type LoadBalancerPlan, planBalancer, withBalancer } from "./loadBalancer";
import { nodesRange } from "./network";
import { placementGroups } from "./placement";
import { onlySsh, payloadOf } from "./policy";
import { wayOutOf } from "./privateNodes";
import { type VolumePlan, volumeName } from "./volumes";

/** Label of everything of a cluster in Hetzner Cloud; SSH's firewall finds the servers by it. */
export const clusterLabel = "hcloud-swarm-cluster";
/** Label of the servers of a pool. */
export const poolLabel = "hcloud-swarm-pool";

export interface NodePlan {
  /** Its key in the program, such as `manager-1`. */
  readonly name: string;
  /** What its resources are named after: its key, and for a replacement which one it is, such as `manager-1-r2`. */
  readonly resource: string;
  /** Its name in Hetzner Cloud and its host name, such as `prod-manager-1`. */
  readonly serverName: string;
  readonly pool: string;
  readonly role: NodeRole;
  readonly serverType: string;
  readonly location: string;
  readonly image: string;
  readonly labels: Record<string, string>;
  /** In the swarm, where services find it by them. */
  readonly nodeLabels: Readonly<Record<string, string>>;
  readonly docker: { readonly channel: "debian" | "docker"; readonly daemonOptions: Record<string, unknown> };
  /** What its server does beside its own setup at its first boot. */
  readonly additions?: Additions;
  /** Name of the component's own spread group. */
  readonly placementGroup?: string;
  /** A placement group that is there. */
  readonly existingGroup?: Existing;
  /** How the server that is there is adopted; none for a server that is made. */
  readonly adopt?: AdoptPlan;
  /** What the program names of an adopted server; the rest of the shape above does not count then. */
  readonly wanted: WantedShape;
  /** Disks that outlast its servers. */
  readonly volumes: readonly VolumePlan[];
  /** Public addresses that outlast its servers. */
  readonly primaryIps?: AddressedNode["primaryIps"];
  /** It has no public address. */
  readonly privateOnly?: true;
  /** Whether its server is protected from deletion and rebuild. */
  readonly deleteProtection: boolean;
  /** Host key of its server that is up, where somebody changed it. */
  readonly acceptedKey?: string;
  /** What Pulumi knows the server as that this node's is to replace. */
  readonly replaces?: string;
}

export interface ClusterPlan
  extends Omit<z.output<typeof swarmClusterSchema>, "pools" | "clusterName" | "loadBalancer"> {
  /** For messages: `SwarmCluster "prod"`. */
  readonly component: string;
  readonly prefix: string;
  readonly nodes: readonly NodePlan[];
  readonly loadBalancer?: LoadBalancerPlan;
}

/** @throws InvalidArgumentError naming everything that is wrong. */
export function planCluster(name: string, args: SwarmClusterArgs): ClusterPlan {
  const component = `SwarmCluster ${JSON.stringify(name)}`;
  const known: unknown = args && { ...args, policy: knownNow(givenPolicy(args)) };
  const { pools, clusterName, loadBalancer: balancer, ...rest } = parseArgument(component, swarmClusterSchema, known);
  const loadBalancer = balancer && planBalancer(balancer, { ...rest, pools });
  const prefix = clusterName ?? prefixOf(component, name);
  const shaped = Object.entries(pools).flatMap(([pool, { nodes, count: _, role, ...shape }]) =>
    nodeNames(pool, pools[pool] ?? {}).map((node) => ({ node, pool, role, shape, own: nodes?.[node] ?? {} })),
  );
  const groups = rest.placementGroups.enabled
    ? placementGroups(
        shaped.filter(isMade).map(({ node, pool, role, own }) => ({ name: node, pool, role, ...replacementOf(own) })),
      )
    : new Map<string, string>();
  const nodes = shaped.map(({ node, pool, role, shape, own }): NodePlan => {
    const group = groups.get(node);
    const existingGroup = isMade({ own }) ? shape.placementGroup : undefined;
    const { adopt, serverType, location, image } = own;
    const { replacement } = replacementOf(own);
    const resource = replacement === 0 ? node : `${node}-r${replacement}`;
    return {
      name: node,
      resource,
      serverName: adopt?.hostName ?? `${prefix}-${resource}`,
      pool,
      role,
      serverType: own.serverType ?? shape.serverType ?? serverDefaults.serverType,
      location: own.location ?? shape.location ?? serverDefaults.location,
      image: own.image ?? shape.image ?? serverDefaults.image,
      labels: { ...shape.labels, ...own.labels, [poolLabel]: pool, "hcloud-swarm-role": role },
      nodeLabels: { ...shape.nodeLabels, ...own.nodeLabels },
      docker: {
        channel: shape.docker?.channel ?? rest.docker.channel,
        daemonOptions: { ...rest.docker.daemonOptions, ...shape.docker?.daemonOptions },
      },
      ...(shape.cloudInit === undefined ? {} : { additions: shape.cloudInit }),
      ...(group === undefined || existingGroup !== undefined ? {} : { placementGroup: group }),
      ...(existingGroup === undefined ? {} : { existingGroup }),
      ...(adopt === undefined ? {} : adopt.mayReplace ? { replaces: adopt.alias ?? "" } : { adopt }),
      ...((own.privateOnly ?? shape.privateOnly) ? { privateOnly: true } : {}),
      deleteProtection: own.deleteProtection ?? shape.deleteProtection ?? rest.deleteProtection,
      ...(own.hostKey === undefined ? {} : { acceptedKey: own.hostKey }),
      wanted: { serverType, location, image },
      // An adopted server's location is not the program's to say.
      volumes: adopt === undefined || adopt.mayReplace ? volumesOf(shape.volumes ?? [], rest.deleteProtection) : [],
      ...(own.primaryIps === undefined ? {} : { primaryIps: own.primaryIps }),
    };
  });
  const policy = loadBalancer ? withBalancer(rest.policy, loadBalancer) : rest.policy;
  for (const node of nodes) payloadOf(component, policy, factsOf(node, rest));
  refuseTooMuch(component, prefix, rest, nodes);
  refuseLongNames(component, prefix, nodes);
  const labels = { ...rest.labels, [clusterLabel]: prefix };
  const plan = { ...rest, labels, component, prefix, nodes, ...(loadBalancer && { loadBalancer }) };
  if (!hasDeferred(givenPolicy(args))) refuseBeyondCloud(plan);
  return plan;
}

/** The policy as it was given; behind a load balancer, no port is open to others that it does not name. */
export function givenPolicy({ policy, loadBalancer }: SwarmClusterArgs): PolicyArgs | undefined {
  const isOther = isDeferred(policy) || (policy !== undefined && typeof policy !== "object");
  if (loadBalancer === undefined || isOther || policy?.publishedPorts !== undefined) return policy;
  return { ...policy, publishedPorts: [] };
}

function volumesOf(
  volumes: readonly (Omit<VolumePlan, "deleteProtection"> & { readonly deleteProtection?: boolean | undefined })[],
  deleteProtection: boolean,
): readonly VolumePlan[] {
  return volumes.map((volume) => ({ ...volume, deleteProtection: volume.deleteProtection ?? deleteProtection }));
}

/** A volume's name in Hetzner Cloud has the cluster's and the node's in front. */
function refuseLongNames(component: string, prefix: string, nodes: readonly NodePlan[]): void {
  const problems = nodes.flatMap((node) =>
    node.volumes
      .map(({ name }) => ({ name, full: volumeName(prefix, node.name, name) }))
      .filter(({ full }) => full.length > 64)
      .map(({ name, full }): Problem => {
        const allowed = `a name with which volumes have at most 64 characters: shorten it by ${full.length - 64}`;
        return { path: `pools.${node.pool}.volumes.${name}`, given: full, allowed };
      }),
  );
  if (problems.length > 0) throw new InvalidArgumentError(component, problems);
}

function replacementOf({ replacement = 0 }: { replacement?: number | undefined }) {
  return { replacement };
}

type Ways = Pick<ClusterPlan, "network" | "bastion">;

/** What the firewall needs to know of a node. */
export function factsOf(node: NodePlan, { network, bastion }: Ways): NodeFacts {
  const { name, pool, role, adopt, privateOnly } = node;
  const { egress, ipRange } = network;
  const range = nodesRange(network);
  // A host that the component did not set up keeps its containers where its Docker puts them.
  return {
    ...{ name, pool, role, swarm: {} },
    ...(adopt === undefined ? { cgroupPath: containerSlice } : {}),
    ...(egress?.node === name ? { egress: { network: range, publicInterface: egress.publicInterface } } : {}),
    // A host that is given may be anywhere in the network.
    ...(privateOnly ? { sshNetwork: bastion?.host === undefined ? range : ipRange } : {}),
  };
}

/** What is added to a first boot has to fit beside what the component itself sends along, whatever the policy. */
function refuseTooMuch(
  component: string,
  prefix: string,
  plan: Ways & Pick<ClusterPlan, "policy" | "maintenance">,
  nodes: readonly NodePlan[],
): void {
  const { policy, maintenance, network } = plan;
  const weight = (node: NodePlan) => (node.privateOnly ? 2 : node.name === network.egress?.node ? 1 : 0);
  const added = nodes.filter((node) => node.additions !== undefined);
  // The one of each pool that the component sends most along for.
  const pools = new Map(added.sort((a, b) => weight(a) - weight(b)).map((node) => [node.pool, node]));
  const problems = [...pools].flatMap(([pool, node]): Problem[] => {
    // As long as the real one, which is derived from a key that may be known later.
    const hostKey = bootstrapHostKey("", prefix, node.resource);
    const payload = payloadOf(component, onlySsh(policy), factsOf(node, plan));
    const { docker, additions } = node;
    const wayOut = node.privateOnly ? wayOutOf(network) : undefined;
    const boot = { hostKey, payload, sshPort: policy.ssh.port, docker, wayOut, ...bornWith(maintenance?.number) };
    const [bytes, without] = [userDataBytes({ ...boot, additions }), userDataBytes(boot)];
    if (bytes <= userDataLimit) return [];
    const given = `${bytes} bytes of packed user-data, of which ${bytes - without} are cloudInit's`;
    const allowed = `what Hetzner Cloud takes, ${userDataLimit} bytes: shorten it by ${bytes - userDataLimit}, packed`;
    return [{ path: `pools.${pool}.cloudInit`, given, allowed }];
  });
  if (problems.length > 0) throw new InvalidArgumentError(component, problems);
}

/** Whether the component makes the node's server, and does not find it there. */
function isMade({ own }: { readonly own: { readonly adopt?: AdoptPlan | undefined } }): boolean {
  return own.adopt === undefined || own.adopt.mayReplace;
}

function prefixOf(component: string, name: string): string {
  if (/^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$/.test(name)) return name;
  const given = `nothing, and the component's name ${JSON.stringify(name)} is no host name`;
  const allowed = "up to 20 small letters, digits and '-', a letter first";
  throw new InvalidArgumentError(component, [{ path: "clusterName", given, allowed }]);
}
