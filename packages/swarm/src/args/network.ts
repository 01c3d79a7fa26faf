/** What stands around the servers, as the components take it: `networkSchema.ts` checks it. */
import type { ExistingArgs } from "./host";
import type { EgressArgs } from "./privateNodes";

/** The private network that the swarm runs on. */
export interface NetworkArgs {
  /**
   * IPv4 range of the network, its host bits zero. Default: `10.0.0.0/16`. Choose it once: another one is refused, by the preview already
   * and before a server or a host is touched. One that is larger and begins where this one does, such as `10.0.0.0/15`, can be had by
   * hand, as the refusal says.
   */
  ipRange?: string;
  /**
   * IPv4 range of the subnet that the nodes are in, within `ipRange`, its host bits zero. Default: the first /24 of `ipRange`. Choose it
   * once: another one is refused as that of `ipRange` is.
   */
  subnetRange?: string;
  /** Network zone. Default: `eu-central`. It counts when the subnet is made: another one is refused. */
  zone?: string;
  /** A network that is there. `ipRange` then says what its range is; a subnet is made only if `subnetRange` is given. */
  existing?: ExistingArgs;
  /**
   * A subnet that is there, by its id, such as `4711-10.0.1.0/24`: nodes are made when it is. It stands in place of
   * `subnetRange` and needs no `existing` beside it, for its id names the network.
   */
  existingSubnet?: ExistingArgs;
  /**
   * IPv4 range that swarm cuts its overlay networks from, in /24 pieces: a /16 or larger, its host bits zero. It must not overlap with `ipRange`: containers
   * could not reach that part of the private network. Default: `10.128.0.0/9`. Counts when the swarm is started.
   */
  overlayRange?: string;
  /** The way out for nodes without a public address. Default: none. */
  egress?: EgressArgs;
}

/** What to do when the policy says more than a Hetzner Cloud Firewall can. */
export const BeyondLimits = {
  /** The deployment fails and says what is too much. */
  Refuse: "refuse",
  /**
   * The cloud firewall lets that port pass for everybody, and the hosts alone filter it. SCTP, which it has no rules for, is
   * open to the private network alone. A warning says so.
   */
  Pass: "pass",
} as const;
export type BeyondLimits = (typeof BeyondLimits)[keyof typeof BeyondLimits];

/** The Hetzner Cloud Firewall in front of the nodes, made from the policy. The host firewall does not depend on it. */
export interface CloudFirewallArgs {
  /** Default: true. */
  enabled?: boolean;
  /** A firewall to put the servers behind instead of making one; its rules are yours to keep in step. */
  existing?: ExistingArgs;
  /**
   * What to do with more networks than a Hetzner Cloud Firewall takes, and with SCTP, which it drops. Default: `refuse`.
   */
  beyondLimits?: BeyondLimits;
}

/** Spread placement groups, which keep servers on different physical hosts; at most 10 servers each. */
export interface PlacementGroupArgs {
  /** Default: true. */
  enabled?: boolean;
}
