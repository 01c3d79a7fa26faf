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
} from "./args";
export {
  type DockerArgs,
  DockerChannel,
  type ExistingArgs,
  NodeRole,
  type SshArgs,
  type TimeoutArgs,
  VerifyMode,
} from "./argsHost";
export {
  LoadBalancerAlgorithm,
  type LoadBalancerArgs,
  type LoadBalancerHealthCheckArgs,
  LoadBalancerProtocol,
  type LoadBalancerServiceArgs,
} from "./argsLoadBalancer";
export { BeyondLimits, type CloudFirewallArgs, type NetworkArgs, type PlacementGroupArgs } from "./argsNetwork";
export {
  type ContainerPortArgs,
  type IcmpArgs,
  type LogDropsArgs,
  type PolicyArgs,
  type PortArgs,
  PortProtocol,
  type SshPolicyArgs,
  type SshRateLimitArgs,
} from "./argsPolicy";
export type {
  AdoptArgs,
  CloudInitArgs,
  CloudInitFileArgs,
  NodeArgs,
  PoolArgs,
  PrimaryIpArgs,
  PrimaryIpsArgs,
  VolumeArgs,
} from "./argsPools";
export { VolumeFormat } from "./argsPools";
export type { BastionArgs, EgressArgs } from "./argsPrivate";
export { HardenedServer } from "./hardenedServer";
export { HostHardening } from "./hostHardening";
export { InvalidArgumentError } from "./invalidArgument";
export type { ClusterNode, VerificationCheck, VerificationReport } from "./outputs";
export { SwarmCluster } from "./swarmCluster";
