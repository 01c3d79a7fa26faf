/** The public face of hcloud-swarm. */
export {
  BeyondLimits,
  type CloudFirewallArgs,
  type DockerArgs,
  DockerChannel,
  type ExistingArgs,
  type NetworkArgs,
  type NodeArgs,
  NodeRole,
  type PlacementGroupArgs,
  type PoolArgs,
  type SshArgs,
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
export { InvalidArgumentError } from "./invalidArgument";
export type { ClusterNode, ExposureEntry, VerificationCheck, VerificationReport } from "./outputs";
export { SwarmCluster } from "./swarmCluster";
