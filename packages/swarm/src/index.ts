/** The public face of hcloud-swarm. */
export {
  type AdoptArgs,
  BeyondLimits,
  type CloudFirewallArgs,
  type DockerArgs,
  DockerChannel,
  type ExistingArgs,
  type HardenedServerArgs,
  type HostConnectionArgs,
  type HostHardeningArgs,
  type HostSwarmArgs,
  type MaintenanceArgs,
  MaintenanceUpgrade,
  type NetworkArgs,
  type NodeArgs,
  NodeRole,
  type PlacementGroupArgs,
  type PoolArgs,
  type SshArgs,
  type SwarmArgs,
  type SwarmClusterArgs,
  type TimeoutArgs,
  VerifyMode,
} from "./args";
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
export { HardenedServer } from "./hardenedServer";
export { HostHardening } from "./hostHardening";
export { InvalidArgumentError } from "./invalidArgument";
export type { ClusterNode, VerificationCheck, VerificationReport } from "./outputs";
export { SwarmCluster } from "./swarmCluster";
