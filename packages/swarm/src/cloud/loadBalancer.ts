/** The Hetzner Cloud Load Balancer of a cluster and its place in the private network. */
import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";
import type { LoadBalancerInput } from "../args/loadBalancerSchema";
import { clusterLabel, poolLabel } from "../plan/cluster";
import type { LoadBalancerPlan } from "../plan/loadBalancer";
import { named, numberOf, type Owner, type PrivateNetwork } from "./infrastructure";

/** What a node is to its load balancer. */
interface BalancedNode {
  readonly name: string;
  readonly pool: string;
  /** There for a server that the component did not make, and does not label. */
  readonly adopt?: object | undefined;
  readonly server: { readonly id: pulumi.Output<string> };
}

/**
 * Makes it, piece after piece: Hetzner Cloud refuses to change a load balancer that it is changing already. Its targets are whatever
 * carries the cluster's label, so that nodes come, go and are replaced without a change here; only adopted servers, whose labels are
 * their own, are named one by one.
 */
export function loadBalancer(
  owner: Owner,
  plan: LoadBalancerPlan,
  { network, nodes }: { readonly network: PrivateNetwork; readonly nodes: readonly BalancedNode[] },
): hcloud.LoadBalancer {
  const { component: parent, prefix, deleteProtection } = owner;
  const { labels, options } = named(owner);
  const name = `${owner.name}-load-balancer`;
  const balancer = new hcloud.LoadBalancer(
    name,
    {
      name: prefix,
      loadBalancerType: plan.type,
      location: plan.location,
      algorithm: { type: plan.algorithm },
      labels,
      deleteProtection,
    },
    // Names are unique in a project.
    { ...options, deleteBeforeReplace: true },
  );
  const loadBalancerId = numberOf(balancer.id);
  let last: pulumi.Resource = new hcloud.LoadBalancerNetwork(
    `${name}-network`,
    { loadBalancerId, networkId: network.id, ip: plan.privateIp },
    // It is in one network at a time, at one address.
    { parent, dependsOn: [...network.subnets], deleteBeforeReplace: true },
  );
  for (const service of plan.services)
    last = new hcloud.LoadBalancerService(
      `${name}-service-${service.listenPort}`,
      { loadBalancerId: balancer.id, ...serviceInputs(service) },
      // A port has one service at a time.
      { parent, dependsOn: [last], deleteBeforeReplace: true },
    );
  for (const [suffix, target] of targetsOf(plan, prefix, nodes))
    last = new hcloud.LoadBalancerTarget(
      `${name}-${suffix}`,
      { loadBalancerId, usePrivateIp: true, ...target },
      { parent, dependsOn: [last], deleteBeforeReplace: true },
    );
  return balancer;
}

function serviceInputs(service: LoadBalancerInput["services"][number]) {
  const { listenPort, publishedPort: destinationPort, protocol, proxyProtocol: proxyprotocol, healthCheck } = service;
  const { path = "/", statusCodes = ["2??", "3??"], domain, response, tls = false, ...check } = healthCheck;
  const http = {
    path,
    statusCodes,
    tls,
    ...(domain === undefined ? {} : { domain }),
    ...(response === undefined ? {} : { response }),
  };
  return {
    listenPort,
    destinationPort,
    protocol,
    proxyprotocol,
    healthCheck: { ...check, ...(check.protocol === "http" ? { http } : {}) },
  };
}

/** Names of the targets' resources, and what makes each of them different. */
function targetsOf({ pools }: LoadBalancerPlan, prefix: string, nodes: readonly BalancedNode[]) {
  const ofCluster = `${clusterLabel}=${prefix}`;
  const selectors = pools?.map((pool) => [`targets-${pool}`, `${ofCluster},${poolLabel}=${pool}`] as const);
  const adopted = nodes.filter(({ adopt, pool }) => adopt !== undefined && (pools?.includes(pool) ?? true));
  return [
    ...(selectors ?? [["targets", ofCluster] as const]).map(
      ([suffix, labelSelector]) => [suffix, { type: "label_selector", labelSelector }] as const,
    ),
    ...adopted.map(
      ({ name, server }) => [`target-${name}`, { type: "server", serverId: numberOf(server.id) }] as const,
    ),
  ];
}

/**
 * Ends the run where a node has the load balancer's address already. Addresses of nodes that are up are known in a preview, and so
 * before anything is made.
 */
export function refuseTakenAddress(
  { component: resource }: Owner,
  component: string,
  { privateIp }: LoadBalancerPlan,
  nodes: readonly { readonly name: string; readonly privateIp: pulumi.Output<string> }[],
): void {
  pulumi.all(nodes.map((node) => node.privateIp)).apply((addresses) => {
    const owner = nodes[addresses.indexOf(privateIp)];
    if (owner === undefined) return;
    const told = `loadBalancer.privateIp: given ${privateIp}; allowed: an address that no node has, and ${owner.name} has it`;
    void pulumi.log.error(`${component}: invalid argument\n  ${told}`, resource);
  });
}
