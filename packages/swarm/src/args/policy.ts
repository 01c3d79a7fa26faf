/** What opens ports, as the components take it. `firewall/policy.ts` checks it and gives it its meaning. */
import type * as pulumi from "@pulumi/pulumi";

/** Transport protocols that a port is opened for. */
export const PortProtocol = {
  Tcp: "tcp",
  Udp: "udp",
  /**
   * Hetzner Cloud Firewalls have no SCTP and drop it: as a published port or a host service it is refused while the component makes one,
   * unless `cloudFirewall.beyondLimits` is `pass`, which opens it to the private network alone.
   */
  Sctp: "sctp",
} as const;
export type PortProtocol = (typeof PortProtocol)[keyof typeof PortProtocol];

/** Which ports are open, from where, on which nodes. Everything that it does not name is closed. */
export interface PolicyArgs {
  /**
   * Ports that containers publish, through the swarm's ingress, `mode=host` or `docker run -p`. Up to 1000 entries. Default: 80/tcp and
   * 443/tcp for everybody; none behind a `loadBalancer`, which is let in on its own ports.
   */
  publishedPorts?: PortArgs[];
  /**
   * Ports of daemons on the host and of containers on the host's network; not SSH's, which has `ssh`. Up to 1000 entries. Default: none.
   */
  hostServices?: PortArgs[];
  /** Default: port 22 for everybody. */
  ssh?: SshPolicyArgs;
  /** Default: nodes answer ping. */
  icmp?: IcmpArgs;
  /**
   * Interfaces behind which only containers sit, besides Docker's own: bridges with a name of their own. A `+` at the end
   * stands for any ending. Names have up to 15 letters, digits and `._-`; `lo` and network cards (`eth…`, `en…`) are refused. Traffic
   * that they forward is free, their way to the host is not. Default: none.
   */
  trustedInterfaces?: string[];
  /** Whether containers may read the metadata service, the server's user-data with it. Default: false. */
  metadataAccess?: boolean;
  /** Ports of their own host that containers may dial. Up to 1000. Default: none beside what is open to their addresses anyway. */
  containerToHost?: ContainerPortArgs[];
  /**
   * What containers may dial beyond their node. Default: everything but the metadata service and the swarm's own ports of other
   * nodes. Containers on the host's network are not limited by it.
   */
  containerEgress?: ContainerEgressArgs;
  /** Default: refused packets are counted, not logged. */
  logDrops?: LogDropsArgs;
}

/** A port or a range of ports that is open. */
export interface PortArgs {
  /** First or only port as the outside world dials it, 1 to 65535; never the container's port. */
  port: number;
  /** Last port of a range, included. Default: `port`. */
  endPort?: number;
  /** Default: `tcp`. */
  protocol?: PortProtocol;
  /**
   * Networks or addresses of both families that may dial, up to 65,536; a network with host bits (`192.0.2.1/24`) is refused, and so is
   * an empty list. Default: everybody (`0.0.0.0/0` and `::/0`). A family without a network is closed.
   */
  sources?: pulumi.Input<string>[];
  /** Pools of the cluster to open it on; `HardenedServer` and `HostHardening` refuse it. Default, with `nodes` absent too: every node. */
  pools?: string[];
  /** Nodes of the cluster to open it on, beside those of `pools`; `HardenedServer` and `HostHardening` refuse it. */
  nodes?: string[];
}

/** A port of the host that containers may dial. */
export interface ContainerPortArgs {
  /** First or only port, 1 to 65535. */
  port: number;
  /** Last port of a range, included. Default: `port`. */
  endPort?: number;
  /** Default: `tcp`. */
  protocol?: PortProtocol;
}

/**
 * What containers may dial beyond their node; whatever is not named is dropped, and flows that are under way end. Containers go on
 * reaching each other over Docker's bridges, `trustedInterfaces` and the swarm's overlays, on other nodes too; what they answer
 * passes. A name server is named like everything else: `{ destinations: [...], protocol: "udp", port: 53 }` and the same with `tcp`,
 * for the queries of most containers leave by the container's own network. The metadata service stays closed whatever is opened here,
 * but for `metadataAccess`, which opens it by itself; so do the swarm's own ports of other nodes. Not limited: containers on the
 * host's network, and those on macvlan and ipvlan networks, which Docker's rules do not see either.
 */
export interface ContainerEgressArgs {
  /** What containers may dial. An empty list closes everything. Up to 1000 entries. */
  open: EgressOpeningArgs[];
}

/** Something beyond their node that containers may dial. */
export interface EgressOpeningArgs {
  /**
   * Networks or addresses of both families that may be dialed, up to 65,536; a network with host bits (`192.0.2.1/24`) is refused, and
   * so is an empty list. Default: everywhere (`0.0.0.0/0` and `::/0`). A family without a network is closed.
   */
  destinations?: pulumi.Input<string>[];
  /** Default: `tcp` with a `port`; without one every protocol, ICMP included. */
  protocol?: PortProtocol;
  /** First or only port, 1 to 65535. Default: every port of `protocol`. */
  port?: number;
  /** Last port of a range, included. Default: `port`. */
  endPort?: number;
  /** Pools of the cluster to open it on; `HardenedServer` and `HostHardening` refuse it. Default, with `nodes` absent too: every node. */
  pools?: string[];
  /** Nodes of the cluster to open it on, beside those of `pools`; `HardenedServer` and `HostHardening` refuse it. */
  nodes?: string[];
}

/** Who may reach SSH. */
export interface SshPolicyArgs {
  /**
   * The port of the nodes' sshd. Default: 22. It counts at first boot: changed later, it does not move sshd, and nobody
   * reaches the nodes any more.
   */
  port?: number;
  /**
   * Networks or addresses, up to 65,536, without host bits; never an empty list. Default: everybody. The machine that runs Pulumi must be
   * among them.
   */
  sources?: pulumi.Input<string>[];
  /** Default: no limit. */
  rateLimit?: SshRateLimitArgs;
}

/** A limit on new SSH connections from one IPv4 address or one IPv6 /64. */
export interface SshRateLimitArgs {
  /** New connections a minute, 1 to 600. */
  perMinute: number;
  /** New connections at once before the limit bites, 1 to 600. Default: `perMinute`. */
  burst?: number;
}

/** Errors and IPv6 neighbour discovery always pass. */
export interface IcmpArgs {
  /** Whether nodes answer ping. Default: true. */
  echo?: boolean;
}

/** Whether refused packets go to the kernel's log. */
export interface LogDropsArgs {
  /** Default: false. */
  enabled?: boolean;
  /** Lines a minute for each chain, 1 to 600. Default: 6. */
  perMinute?: number;
}
