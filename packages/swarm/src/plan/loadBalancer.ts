/** A cluster's load balancer as plain data: its address, what it makes of the policy, and what is wrong with it. */

import { contains, formatAddress4, formatRange4, lastOf, parseAddress4, parseRange4, type Range4 } from "../args/cidr";
import { serverDefaults } from "../args/hostSchema";
import type { Issue } from "../args/invalidArgument";
import { balancerLimits, type LoadBalancerInput } from "../args/loadBalancerSchema";
import { mergeEntries, type Policy, type PolicyEntry, swarmPorts } from "../firewall";
import { gatewayOf } from "./network";

/** The arguments of a cluster, as far as its load balancer depends on them. */
export interface BalancedCluster {
  readonly pools: Readonly<Record<string, BalancedPool>>;
  readonly network: {
    readonly ipRange: string;
    readonly zone: string;
    readonly subnetRange?: string | undefined;
    readonly existing?: unknown;
    readonly existingSubnet?: { readonly id: unknown } | undefined;
  };
  readonly policy: Policy;
}

interface BalancedPool {
  readonly count?: number | undefined;
  readonly nodes?: Readonly<Record<string, { readonly adopt?: Adopted | undefined }>> | undefined;
}

interface Adopted {
  readonly mayReplace: boolean;
  readonly address?: unknown;
}

export interface LoadBalancerPlan extends Omit<LoadBalancerInput, "privateIp" | "location"> {
  /** Its private address. */
  readonly privateIp: string;
  readonly location: string;
}

/** Of the location where nobody names one. */
const defaultZone = "eu-central";

/** @throws Error for what `balancerIssues` finds something wrong with. */
export function planBalancer(input: LoadBalancerInput, cluster: BalancedCluster): LoadBalancerPlan {
  const privateIp = input.privateIp ?? lastFree(cluster);
  if (privateIp === undefined) throw new Error("no private address for the load balancer");
  return { ...input, privateIp, location: input.location ?? serverDefaults.location };
}

/** Everything that is wrong with a load balancer in front of the cluster. */
export function balancerIssues(input: LoadBalancerInput, cluster: BalancedCluster): readonly Issue[] {
  const { zone, existing, existingSubnet } = cluster.network;
  const isMade = (pool: BalancedPool) =>
    Object.values(pool.nodes ?? { any: {} }).some(({ adopt }) => adopt?.mayReplace ?? true);
  if ((existing ?? existingSubnet) === undefined && !Object.values(cluster.pools).some(isMade))
    return [{ path: [], message: "nothing, or the network that the adopted servers are in as network.existing" }];
  const farAway = input.location === undefined && zone !== defaultZone;
  return [
    ...(farAway ? [{ path: ["location"], message: `a location in the network's zone ${zone}` }] : []),
    ...addressIssues(input, cluster),
    ...poolIssues(input, cluster),
    ...portIssues(input, cluster),
  ];
}

function addressIssues({ privateIp }: LoadBalancerInput, cluster: BalancedCluster): readonly Issue[] {
  const path = ["privateIp"];
  const subnet = subnetOf(cluster);
  if (privateIp === undefined) {
    if (subnet === undefined)
      return [{ path, message: "a free address of the nodes' subnet, which is not known from the start" }];
    if (lastFree(cluster) !== undefined) return [];
    return [{ path, message: "an address, but there is no free one in the subnet" }];
  }
  const range = subnet ?? parseRange4(cluster.network.ipRange);
  if (range === undefined || !isUsable(privateIp, range, cluster))
    return [{ path, message: `an address of ${range ? formatRange4(range) : "the subnet"} that a node could have` }];
  return takenIn(cluster).includes(privateIp) ? [{ path, message: "an address that no node has" }] : [];
}

function poolIssues({ pools, type }: LoadBalancerInput, cluster: BalancedCluster): readonly Issue[] {
  const known = Object.keys(cluster.pools);
  const unknown = (pools ?? []).filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    const given = unknown.map((name) => `pool ${name}`).join(", ");
    return [{ path: ["pools"], message: `pools ${known.join(", ")}`, given }];
  }
  const sizes = (pools ?? known).map((name) => {
    const { count, nodes = {} } = cluster.pools[name] ?? {};
    return count ?? Object.keys(nodes).length;
  });
  const nodes = sizes.reduce((sum, size) => sum + size, 0);
  const limit = balancerLimits.get(type)?.targets ?? Number.POSITIVE_INFINITY;
  if (nodes <= limit) return [];
  const message = `a type for ${nodes} nodes, or fewer pools`;
  return [{ path: ["type"], message, given: `${type}, which has at most ${limit} targets` }];
}

function portIssues({ services }: LoadBalancerInput, { policy }: BalancedCluster): readonly Issue[] {
  const closed = new Map<number, string>([
    ...swarmPorts({ name: "", pool: "", role: "manager" }).map(({ port }) => [port, "a port of swarm's"] as const),
    [policy.ssh.port, "SSH's port"],
  ]);
  return services.flatMap(({ publishedPort, listenPort, healthCheck }, index) => {
    const key = publishedPort === listenPort ? ["listenPort"] : ["publishedPort"];
    const dialed = [
      { at: key, port: publishedPort },
      ...(healthCheck.port === publishedPort ? [] : [{ at: ["healthCheck", "port"], port: healthCheck.port }]),
    ];
    return dialed.flatMap(({ at, port }) => {
      const whose = closed.get(port);
      if (whose === undefined) return [];
      const message =
        at === key && publishedPort === listenPort
          ? "a published port, or another one as publishedPort"
          : "a published port";
      return [{ path: ["services", index, ...at], message, given: `${port}, ${whose}` }];
    });
  });
}

/** What the nodes let in beside the policy: the load balancer, on the ports that it dials and checks. */
function balancerEntries({ services, privateIp, pools }: LoadBalancerPlan): readonly PolicyEntry[] {
  const ports = new Set(services.flatMap(({ publishedPort, healthCheck }) => [publishedPort, healthCheck.port]));
  return [...ports].map((port) => ({
    protocol: "tcp",
    port,
    endPort: port,
    sources: [`${privateIp}/32`],
    ...(pools && { pools }),
  }));
}

/** The policy of the nodes. The cloud firewall does not have it: traffic in a private network does not pass it. */
export function withBalancer(policy: Policy, plan: LoadBalancerPlan): Policy {
  return { ...policy, publishedPorts: mergeEntries([...policy.publishedPorts, ...balancerEntries(plan)]) };
}

/** The last one, for servers get their addresses from the front of a subnet. */
function lastFree(cluster: BalancedCluster): string | undefined {
  const subnet = subnetOf(cluster);
  if (subnet === undefined) return undefined;
  const taken = takenIn(cluster);
  for (let address = lastOf(subnet) - 1; address > subnet.first; address -= 1) {
    const text = formatAddress4(address);
    if (isUsable(text, subnet, cluster) && !taken.includes(text)) return text;
  }
  return undefined;
}

/** Whether Hetzner Cloud gives that address away: neither the first or last of the subnet nor the network's gateway. */
function isUsable(text: string, subnet: Range4, { network }: BalancedCluster): boolean {
  const address = parseAddress4(text);
  if (address === undefined || !contains(subnet, { first: address, prefix: 32 })) return false;
  return address !== subnet.first && address !== lastOf(subnet) && text !== gatewayOf(network.ipRange);
}

/** The subnet of the nodes, where it is known from the start: the id of one that is there ends with its range. */
function subnetOf({ network: { subnetRange, existingSubnet } }: BalancedCluster): Range4 | undefined {
  const id = existingSubnet?.id;
  return parseRange4(subnetRange ?? (typeof id === "string" ? id.replace(/^\d+-/, "") : ""));
}

/** Addresses of adopted nodes, where they are named. */
function takenIn({ pools }: BalancedCluster): readonly unknown[] {
  return Object.values(pools).flatMap(({ nodes = {} }) => Object.values(nodes).map(({ adopt }) => adopt?.address));
}
