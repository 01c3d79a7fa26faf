/** Arguments of nodes without a public address. Hand-written for Pulumi's schema analyzer, as in `components.ts`. */
import type * as pulumi from "@pulumi/pulumi";

/** The way out of the private network, for servers without a public address: IPv4, over one node of the cluster. */
export interface EgressArgs {
  /**
   * The node that is the way out. It has a public address, and is a manager where a manager has none. Connections that begin in the
   * network's `subnetRange`, or in the `ipRange` of a network that is there, leave with its address; nothing begins from outside.
   * The network gets the route 0.0.0.0/0 to it.
   */
  node: string;
  /** The node's interface to the internet. With a wrong one nothing is let through. Default: `eth0`. */
  publicInterface?: string;
  /** IPv4 addresses of name servers for nodes without a public address. Default: Hetzner's, `185.12.64.1` and `185.12.64.2`. */
  resolvers?: string[];
}

/**
 * The host over which nodes without a public address are reached by SSH, at their addresses in the network. Either `node`, or
 * `host` and `hostKey`.
 */
export interface BastionArgs {
  /** A node of the cluster with a public address. */
  node?: string;
  /** Name or address of a host that is there and has the way to the private network. It must allow TCP forwarding. */
  host?: pulumi.Input<string>;
  /** Its SSH port. Default: 22. */
  port?: number;
  /** Who logs in there; no more than forwarding is asked for. Default: `root`. */
  user?: string;
  /** Private key as text, without a passphrase. Always treated as a secret. Default: `ssh.privateKey`. */
  privateKey?: pulumi.Input<string>;
  /** Its public host key, of one line; which of several it has to be is told at `HostConnectionArgs.hostKey`. */
  hostKey?: pulumi.Input<string>;
}
