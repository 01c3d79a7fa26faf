/** What a SwarmCluster is going to make: its arguments, checked, with every default filled in. */
import type * as z from "zod";
import type { NodeRole, SwarmClusterArgs } from "./args";
import { nodeNames, serverDefaults, swarmClusterSchema } from "./argsSchema";
import type { NodeFacts } from "./firewall";
import { containerSlice } from "./host";
import { InvalidArgumentError, parseArgument } from "./invalidArgument";
import { placementGroups } from "./placement";
import { knownNow, payloadOf } from "./policyPlan";

/** Label of everything of a cluster in Hetzner Cloud; SSH's firewall finds the servers by it. */
export const clusterLabel = "hcloud-swarm-cluster";

export interface NodePlan {
  /** Its key in the program, such as `manager-1`. */
  readonly name: string;
  /** Its name in Hetzner Cloud and its host name, such as `prod-manager-1`. */
  readonly serverName: string;
  readonly pool: string;
  readonly role: NodeRole;
  readonly serverType: string;
  readonly location: string;
  readonly image: string;
  readonly labels: Record<string, string>;
  readonly placementGroup?: string;
}

export interface ClusterPlan extends Omit<z.output<typeof swarmClusterSchema>, "pools" | "clusterName"> {
  /** For messages: `SwarmCluster "prod"`. */
  readonly component: string;
  readonly prefix: string;
  readonly nodes: readonly NodePlan[];
}

/** @throws InvalidArgumentError naming everything that is wrong. */
export function planCluster(name: string, args: SwarmClusterArgs): ClusterPlan {
  const component = `SwarmCluster ${JSON.stringify(name)}`;
  const known: unknown = args && { ...args, policy: knownNow(args.policy) };
  const { pools, clusterName, ...rest } = parseArgument(component, swarmClusterSchema, known);
  const prefix = clusterName ?? prefixOf(component, name);
  const shaped = Object.entries(pools).flatMap(([pool, { nodes, count: _, role, ...shape }]) =>
    nodeNames(pool, pools[pool] ?? {}).map((node) => ({ node, pool, role, shape, own: nodes?.[node] ?? {} })),
  );
  const groups = rest.placementGroups.enabled
    ? placementGroups(shaped.map(({ node, pool, role }) => ({ name: node, pool, role })))
    : new Map<string, string>();
  const nodes = shaped.map(({ node, pool, role, shape, own }): NodePlan => {
    const group = groups.get(node);
    return {
      name: node,
      serverName: `${prefix}-${node}`,
      pool,
      role,
      serverType: own.serverType ?? shape.serverType ?? serverDefaults.serverType,
      location: own.location ?? shape.location ?? serverDefaults.location,
      image: own.image ?? shape.image ?? serverDefaults.image,
      labels: { ...shape.labels, ...own.labels, "hcloud-swarm-pool": pool, "hcloud-swarm-role": role },
      ...(group === undefined ? {} : { placementGroup: group }),
    };
  });
  for (const node of nodes) payloadOf(component, rest.policy, factsOf(node));
  return { ...rest, labels: { ...rest.labels, [clusterLabel]: prefix }, component, prefix, nodes };
}

/** What the firewall needs to know of a node. */
export function factsOf(node: NodePlan): NodeFacts {
  return { name: node.name, pool: node.pool, role: node.role, swarm: {}, cgroupPath: containerSlice };
}

function prefixOf(component: string, name: string): string {
  if (/^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$/.test(name)) return name;
  const given = `nothing, and the component's name ${JSON.stringify(name)} is no host name`;
  const allowed = "up to 20 small letters, digits and '-', a letter first";
  throw new InvalidArgumentError(component, [{ path: "clusterName", given, allowed }]);
}
