/** The public face of hcloud-swarm. */
export {
  type HardenedServerArgs,
  type HostConnectionArgs,
  type HostHardeningArgs,
  type HostSwarmArgs,
  type MaintenanceArgs,
  MaintenanceUpgrade,
  type SwarmArgs,
  type SwarmClusterArgs,
} from "./args/components";
export {
  type DockerArgs,
  DockerChannel,
  type ExistingArgs,
  NodeRole,
  type SshArgs,
  type TimeoutArgs,
  VerifyMode,
} from "./args/host";
export { InvalidArgumentError } from "./args/invalidArgument";
export {
  LoadBalancerAlgorithm,
  type LoadBalancerArgs,
  type LoadBalancerHealthCheckArgs,
  LoadBalancerProtocol,
  type LoadBalancerServiceArgs,
} from "./args/loadBalancer";
export { BeyondLimits, type CloudFirewallArgs, type NetworkArgs, type PlacementGroupArgs } from "./args/network";
export {
  type ContainerEgressArgs,
  type ContainerPortArgs,
  type EgressOpeningArgs,
  type IcmpArgs,
  type LogDropsArgs,
  type PolicyArgs,
  type PortArgs,
  PortProtocol,
  type SshPolicyArgs,
  type SshRateLimitArgs,
} from "./args/policy";
export type {
  AdoptArgs,
  CloudInitArgs,
  CloudInitFileArgs,
  NodeArgs,
  PoolArgs,
  PrimaryIpArgs,
  PrimaryIpsArgs,
  VolumeArgs,
} from "./args/pools";
export { VolumeFormat } from "./args/pools";
export type { BastionArgs, EgressArgs } from "./args/privateNodes";
export { HardenedServer } from "./hardenedServer";
export { HostHardening } from "./hostHardening";
export type { ClusterNode, VerificationCheck, VerificationReport } from "./outputs";
export { SwarmCluster } from "./swarmCluster";
