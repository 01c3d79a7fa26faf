/** What the components give back, in interfaces that Pulumi's schema analyzer understands. */

/** A node that is up. */
export interface ClusterNode {
  /** Its name in Hetzner Cloud and its host name. */
  name: string;
  /** `manager` or `worker`. */
  role: string;
  /** Empty for a private-only node. */
  publicIpv4: string;
  /** Empty for a private-only node. */
  publicIpv6: string;
  /** Its address in the private network, where the swarm runs. */
  privateIp: string;
  /** Its id in Hetzner Cloud. */
  serverId: string;
}

/** The host agent's report on one host. */
export interface VerificationReport {
  /** Of the report's form: 1. */
  version: number;
  /** The host's name. */
  node: string;
  /** Of the payload that was found in force. */
  digest: string;
  /** RFC 3339. */
  time: string;
  passed: boolean;
  checks: VerificationCheck[];
}

/** One named check of a report. */
export interface VerificationCheck {
  name: string;
  passed: boolean;
  expected: string;
  found: string;
}
