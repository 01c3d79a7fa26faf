import * as pulumi from "@pulumi/pulumi";
import type { SwarmClusterArgs } from "./args/components";
import { completePolicy } from "./args/deferred";
import { deletedInTurn } from "./cloud/deletionOrder";
import { cloudFirewalls } from "./cloud/firewalls";
import {
  cloudFirewallIds,
  numberOf,
  type Owner,
  type PrivateNetwork,
  privateNetwork,
  spreadGroups,
  sshKeyId,
} from "./cloud/infrastructure";
import { loadBalancer, refuseTakenAddress } from "./cloud/loadBalancer";
import { publicNet } from "./cloud/primaryIps";
import { type Policy, policyEntries } from "./firewall";
import { planMaintenance } from "./maintenance/plan";
import { adoptNode, pulumiAlias } from "./nodes/adoptedNode";
import { addressIn, type BootedNode, bootNode, type Reached } from "./nodes/hardenedNode";
import { hiddenSide, jumpOf } from "./nodes/hiddenNodes";
import { announceRotation, type KeyRotation, retireKey, shownRotation } from "./nodes/keyRotation";
import { sshKeys } from "./nodes/sshKeys";
import { nonceOf } from "./nodes/verifiedHost";
import type { ClusterNode, VerificationReport } from "./outputs";
import { publicSwarmWarning, swarmAddress } from "./plan/adoption";
import { type ClusterPlan, clusterLabel, factsOf, givenPolicy, type NodePlan, planCluster } from "./plan/cluster";
import { withBalancer } from "./plan/loadBalancer";
import { exposureTable } from "./plan/policy";
import { sshConfig } from "./remote/sshConfig";
import { makeSwarm } from "./swarm/members";
import { quorumForesight } from "./swarm/quorumForesight";

/**
 * A Docker Swarm on Hetzner Cloud whose published ports are closed unless the policy opens them, verified on every node.
 *
 * ```ts
 * const cluster = new SwarmCluster("prod", {
 *   ssh: { privateKey },
 *   pools: { manager: { role: "manager", count: 1 }, worker: { role: "worker", count: 2 } },
 *   policy: { publishedPorts: [{ port: 80 }, { port: 443 }] },
 * });
 * ```
 */
export class SwarmCluster extends pulumi.ComponentResource {
  /** The nodes by the names that the program knows them by, such as `manager-1`. */
  public readonly nodes: pulumi.Output<Record<string, ClusterNode>>;
  /** The swarm's id, the same for the swarm's whole life. */
  public readonly swarmId: pulumi.Output<string>;
  /** What a worker joins with. A secret. */
  public readonly workerJoinToken: pulumi.Output<string>;
  /** What a manager joins with. A secret. */
  public readonly managerJoinToken: pulumi.Output<string>;
  /**
   * What `docker swarm unlock` wants on a manager whose Docker was started again, where the swarm locks itself; empty where it
   * does not. A secret.
   */
  public readonly unlockKey: pulumi.Output<string>;
  /** The last verification of each node, by the node's name in the program. */
  public readonly reports: pulumi.Output<Record<string, VerificationReport>>;
  /**
   * Everything that the outside can reach: the networks that may dial, by what they may dial, as in `manager-1 tcp/443`, and in
   * `loadBalancer tcp/443` for what a load balancer listens on.
   */
  public readonly exposure: pulumi.Output<Record<string, string[]>>;
  /**
   * Text for a file that `~/.ssh/config` includes: `ssh SERVER` with every host key pinned. It names no private key. Needs OpenSSH 8.5
   * or newer.
   */
  public readonly sshConfig: pulumi.Output<string>;
  /**
   * Makes the local `docker` talk to the first manager over SSH, once `sshConfig` is in place. A context that is there already is changed
   * by `docker context update` instead of `create`.
   */
  public readonly dockerContextCommand: pulumi.Output<string>;
  /** The load balancer's public IPv4 address, where there is one. */
  public readonly loadBalancerIpv4?: pulumi.Output<string>;
  /** The load balancer's public IPv6 address, where there is one. */
  public readonly loadBalancerIpv6?: pulumi.Output<string>;

  /** @throws InvalidArgumentError before anything is made. */
  constructor(name: string, args: SwarmClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    const plan = planCluster(name, args);
    const { loadBalancer: balancerPlan } = plan;
    const given = completePolicy(plan.component, givenPolicy(args), plan.policy);
    const policy = balancerPlan ? given.apply((complete) => withBalancer(complete, balancerPlan)) : given;
    const { privateKey, publicKey, rotation } = sshKeys(plan.component, plan.ssh);
    const foresight = quorumForesight(plan, name);
    super("hcloud-swarm:index:SwarmCluster", name, shownInputs(plan, policy, rotation), foresight.optionsOf(opts));

    const { timeouts, network: networkPlan } = plan;
    const owner: Owner = { ...plan, component: this, name };
    const sshPort = plan.policy.ssh.port;
    const selector = `${clusterLabel}=${plan.prefix}`;

    // What stands around servers that are made; those that are adopted have it.
    const makesServers = plan.nodes.some((node) => node.adopt === undefined);
    const sshKey = makesServers ? sshKeyId(owner, publicKey, plan.ssh.existing, rotation !== undefined) : "";
    const hasNetwork = makesServers || networkPlan.existing !== undefined || networkPlan.existingSubnet !== undefined;
    const network = hasNetwork ? privateNetwork(plan.component, owner, networkPlan) : undefined;
    const firewallIds = makesServers ? cloudFirewallIds(owner, cloudFirewalls(plan, given, selector)) : [];
    const groups = spreadGroups(
      owner,
      plan.nodes.flatMap((node) => node.placementGroup ?? []),
    );
    const managers = plan.nodes.filter((node) => node.role === "manager");
    type Surroundings = readonly [network: PrivateNetwork | undefined, reached?: Reached];
    const bootAfter = (after: readonly pulumi.Resource[], node: NodePlan, [here, reached]: Surroundings) => {
      const common = {
        ...plan,
        ...node,
        after,
        suffix: `-${node.resource}`,
        facts: factsOf(node, plan),
        privateKey,
        rotation,
        policy,
        sshPort,
      };
      const { adopt, existingGroup, primaryIps, serverName } = node;
      const path = `pools.${node.pool}.nodes.${node.name}`;
      if (adopt !== undefined) {
        const adopted = { ...node, ...adoptNode(owner, { ...common, adopt, path }) };
        return { ...adopted, privateIp: privateIpOf(adopted, network) };
      }
      const placementGroup = existingGroup ? numberOf(existingGroup.id) : groups.get(node.placementGroup ?? "");
      const replaces = node.replaces === undefined ? undefined : pulumiAlias(node.replaces);
      const staysPut = !replaces;
      // Nobody could take a lone manager's place, so that one is changed where it stands.
      const keepsType = managers.length > 1 || node.role === "worker";
      const foresees = node.role === "manager" ? { beforeCreate: foresight.onServer } : {};
      const upkeep = staysPut ? { keepsType, ...(plan.maintenance && { maintained: plan.maintenance.number }) } : {};
      const around = { placementGroup, network: here, sshKey, firewallIds, reached };
      const pinned = { name: serverName, argument: `${path}.hostKey`, inDoubt: "raise the node's 'replacement'" };
      const addresses = primaryIps && { publicNet: publicNet(owner, { ...common, path, primaryIps }) };
      const more = { ...upkeep, ...addresses, ...foresees };
      const made = bootNode(owner, { ...common, ...around, pinned, replaces, staysPut, ...more });
      const booted = { ...node, ...made };
      return { ...booted, privateIp: privateIpOf(booted, network) };
    };
    // Those that are reached over another node come last, as they depend on it.
    const inTurn = deletedInTurn();
    const boot = (node: NodePlan, ...around: Surroundings) =>
      node.role === "manager" ? inTurn((after) => bootAfter(after, node, around)) : bootAfter([], node, around);
    const open = plan.nodes.filter((node) => !node.privateOnly).map((node) => boot(node, network));
    const hidden = network && hiddenSide(owner, plan, network, open, privateKey);
    const nodes = plan.nodes.map(
      (node) => open.find(({ name: known }) => known === node.name) ?? boot(node, hidden?.network, hidden?.reached),
    );
    pulumi.all(nodes.flatMap((node) => (node.adopt === undefined ? [] : [node.privateIp]))).apply((addresses) => {
      const warning = publicSwarmWarning(addresses);
      if (warning !== undefined) void pulumi.log.warn(`${plan.component}: ${warning}`, this);
    });
    const swarm = makeSwarm(nodes, {
      component: plan.component,
      owner,
      selector,
      overlayRange: networkPlan.overlayRange,
      swarm: plan.swarm,
      timeouts,
      maintenance: plan.maintenance,
      ...nonceOf(plan.verify),
    });

    if (rotation !== undefined) {
      const [adopted, made] = [true, false].map((is) => nodes.filter((node) => (node.adopt !== undefined) === is));
      announceRotation(
        plan.component,
        this,
        rotation,
        (adopted ?? []).map((node) => node.serverName),
      );
      for (const node of made ?? []) retireKey(node.place, rotation, swarm.lastSteps);
    }

    if (balancerPlan !== undefined && network !== undefined) {
      refuseTakenAddress(owner, plan.component, balancerPlan, nodes);
      const { ipv4, ipv6 } = loadBalancer(owner, balancerPlan, { network, nodes });
      this.loadBalancerIpv4 = ipv4;
      this.loadBalancerIpv6 = ipv6;
    }

    this.nodes = pulumi.output(Object.fromEntries(nodes.map((node) => [node.name, clusterNode(node)])));
    this.swarmId = swarm.id;
    this.workerJoinToken = swarm.workerToken;
    this.managerJoinToken = swarm.managerToken;
    this.unlockKey = swarm.unlockKey;
    this.reports = pulumi.output(swarm.reports);
    this.exposure = policy.apply((complete) =>
      exposureTable(
        complete,
        plan.nodes.filter((node) => !node.privateOnly),
        balancerPlan?.services,
      ),
    );
    const { jump, added } = jumpOf(plan, hidden?.reached);
    this.sshConfig = pulumi
      .all([
        ...nodes.map(({ serverName, place, hostKey, privateOnly }) => {
          const { host: address, user } = place.target;
          const over = privateOnly && jump !== undefined ? { jump } : {};
          return pulumi.output({ name: serverName, address, user, hostKey, port: sshPort, ...over });
        }),
        ...added,
      ])
      .apply(sshConfig);
    this.dockerContextCommand = pulumi.output(
      `docker context create ${plan.prefix} --docker host=ssh://${managers[0]?.serverName}`,
    );
    this.registerOutputs({
      nodes: this.nodes,
      swarmId: this.swarmId,
      workerJoinToken: this.workerJoinToken,
      managerJoinToken: this.managerJoinToken,
      unlockKey: this.unlockKey,
      reports: this.reports,
      exposure: this.exposure,
      sshConfig: this.sshConfig,
      dockerContextCommand: this.dockerContextCommand,
      ...(balancerPlan && { loadBalancerIpv4: this.loadBalancerIpv4, loadBalancerIpv6: this.loadBalancerIpv6 }),
    });
  }
}

/** What a preview compares: plain, without secrets, one key for each opening and for each node. */
function shownInputs(plan: ClusterPlan, policy: pulumi.Output<Policy>, rotation: KeyRotation | undefined) {
  const nodes = plan.nodes.map((node) => [node.name, shownNode(node, plan.prefix)]);
  const keys =
    rotation && plan.nodes.map(({ name, adopt }) => [name, shownRotation(rotation, adopt !== undefined)] as const);
  const turns = plan.maintenance && planMaintenance(plan.nodes, plan.maintenance);
  const { egress } = plan.network;
  return {
    policy: policy.apply(policyEntries),
    nodes: Object.fromEntries(nodes),
    ...(egress === undefined ? {} : { wayOut: egress.node }),
    ...(keys === undefined ? {} : { sshKeys: Object.fromEntries(keys) }),
    ...(turns === undefined ? {} : { maintenance: Object.fromEntries(turns.map(({ node, text }) => [node, text])) }),
  };
}

function shownNode(node: NodePlan, prefix: string) {
  const { name, serverName, pool, role, serverType, location, image, adopt, nodeLabels, privateOnly, acceptedKey } =
    node;
  return {
    ...(adopt === undefined ? { pool, role, serverType, location, image } : { pool, role, adopted: true }),
    ...(Object.keys(nodeLabels).length === 0 ? {} : { nodeLabels }),
    ...(privateOnly ? { privateOnly } : {}),
    ...(serverName === `${prefix}-${name}` ? {} : { server: serverName }),
    ...(acceptedKey === undefined ? {} : { hostKey: acceptedKey }),
  };
}

function clusterNode({
  serverName,
  role,
  privateOnly,
  server,
  privateIp,
}: NodePlan & BootedNode & { privateIp: pulumi.Output<string> }) {
  return {
    name: serverName,
    role,
    ...(privateOnly
      ? { publicIpv4: "", publicIpv6: "" }
      : { publicIpv4: server.ipv4Address, publicIpv6: server.ipv6Address }),
    privateIp,
    serverId: server.id,
  };
}

function privateIpOf(
  { server, serverName, adopt }: NodePlan & BootedNode,
  network: PrivateNetwork | undefined,
): pulumi.Output<string> {
  if (adopt !== undefined)
    return pulumi
      .all([adopt.address, server.networks, network?.id])
      .apply(([named, networks, id]) => swarmAddress(serverName, named, networks ?? [], id));
  return server.networks.apply((networks) => addressIn(serverName, networks));
}
