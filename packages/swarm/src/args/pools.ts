/** Pools and their nodes, as the cluster takes them: `poolsSchema.ts` checks them. */
import type * as pulumi from "@pulumi/pulumi";
import type { DockerArgs, ExistingArgs, NodeRole } from "./host";

/** A named group of nodes of one shape. Exactly one of `count` and `nodes` is given. */
export interface PoolArgs {
  /** What its nodes are in the swarm. */
  role: NodeRole;
  /** Number of nodes, named `POOL-1`, `POOL-2` and so on. From 1 to 100. */
  count?: number;
  /**
   * Nodes by name, for pools in which any node may go, not only the last: up to 20 small letters, digits and `-`, a letter first and
   * no `-` at the end. A pool of `count: 2` named `worker` may become `nodes: { "worker-2": {} }` without touching `worker-2`.
   */
  nodes?: Record<string, NodeArgs>;
  /**
   * Hetzner Cloud server type. Default: `cx23`. A server that is up keeps its own: raise the `replacement` of the nodes that are to
   * have another, and fresh ones join first. That of a lone manager is changed in place, which powers it off.
   */
  serverType?: string;
  /**
   * Hetzner Cloud location, in the zone of the network. Default: `fsn1`. A server that is up stays where it is: raise the
   * `replacement` of the nodes that are to move.
   */
  location?: string;
  /**
   * Image name; the host agent is made for Debian. Default: `debian-13`. A server that is up keeps its own: raise the
   * `replacement` of the nodes that are to have it.
   */
  image?: string;
  /** Hetzner Cloud labels of the servers, added to the cluster's. */
  labels?: Record<string, string>;
  /**
   * Labels of the nodes in the swarm, for placement constraints such as `node.labels.disk == ssd`. A change of them reaches nodes
   * that are up at once, over one SSH session to a manager. Labels that somebody else has set are let be, unless they are named
   * here. Keys of up to 128 letters, digits and `._-`, not beginning with `hcloud-swarm.`; values of up to 255 letters, digits and
   * `:._/-`. No secrets: every manager lists them. Default: none.
   */
  nodeLabels?: Record<string, string>;
  /** Docker on the pool's nodes, over the cluster's: options of `daemonOptions` by their names. Default: the cluster's. */
  docker?: DockerArgs;
  /** What its servers do beside their own setup at their first boot. Default: nothing. */
  cloudInit?: CloudInitArgs;
  /**
   * Volumes that each node has, by name: up to 20 small letters, digits and `-`, a letter first and no `-` at the end. In Hetzner Cloud
   * they are called CLUSTER-NODE-NAME, which has at most 64 characters. They are attached and mounted over SSH,
   * also to nodes that are up, and outlast the node's servers: a replacement gets them when the server before it has left the swarm.
   * They are detached from that one without its help, dead or alive, 45 s after its last task has ended, by when its system has
   * written what programs have written; containers outside of the swarm that still write lose that. A volume that the program no
   * longer has, or whose node it no longer has, is deleted with all data, unless it is protected. Up to 16. Default: none.
   */
  volumes?: Record<string, VolumeArgs>;
  /**
   * A placement group that is there, for the pool's servers: at most 10. A replacement needs a place in it beside the server that it
   * replaces, so that with 10 no node can be replaced. Default: the component's own groups.
   */
  placementGroup?: ExistingArgs;
  /**
   * Servers without a public address: SSH comes over `bastion`, and they reach the internet by `network.egress`. A server that is
   * up stays as it is: raise the `replacement` of the nodes that are to change. Default: false.
   */
  privateOnly?: boolean;
  /**
   * Protects its servers from deletion in Hetzner Cloud, by Pulumi too, and from being rebuilt. A node whose server is protected cannot
   * leave: unprotect it with a deployment of its own first. Default: the cluster's `deleteProtection`.
   */
  deleteProtection?: boolean;
}

/** File systems that Hetzner Cloud puts on a volume. */
export const VolumeFormat = {
  /** Every Debian has its tools. */
  Ext4: "ext4",
  /** Its tools are installed on the node, to let the file system grow. */
  Xfs: "xfs",
} as const;
export type VolumeFormat = (typeof VolumeFormat)[keyof typeof VolumeFormat];

/** A volume of each node of a pool. It is where its node's server was made; a location in the program that is another is refused. */
export interface VolumeArgs {
  /** GB, from 10 to 10240. Raised, it grows with its file system while it is in use; Hetzner Cloud makes none smaller. */
  size: number;
  /** What it is formatted with when it is made. One that is there keeps what it has. Default: `ext4`. */
  format?: VolumeFormat;
  /**
   * Where it is mounted: an absolute path of letters, digits and `._-`, no directory of the system. Before the volume is there the
   * directory is not, so that a task that binds it waits, and while it is not mounted nobody can write into it. Default: `/mnt/NAME`.
   */
  mountPath?: string;
  /** Protects it from deletion in Hetzner Cloud, by Pulumi too. Default: the cluster's `deleteProtection`. */
  deleteProtection?: boolean;
}

/**
 * What servers do beside their own setup, at their first boot only: servers that are up stay as they are, raise the `replacement` of
 * the nodes that are to have something new. It is a part of the server's user-data, of which Hetzner Cloud takes 32 KiB. Where it does
 * not fit otherwise all of user-data is packed, which leaves some one and a half KiB for it, packed: three of ordinary text. What is
 * too long is refused with the number of bytes.
 *
 * No secrets: user-data is readable to everybody who may read the project in Hetzner Cloud, and to root on the server.
 */
export interface CloudInitArgs {
  /**
   * Packages of the distribution by name, or as `NAME=VERSION`, installed when Docker runs behind its rules. Packages that bring a
   * firewall or another Docker are refused. A port that one listens on is closed until the policy names it in `hostServices`.
   */
  packages?: string[];
  /** Files, written before anything is installed. Those of the host agent, of SSH and of Docker's service are refused. */
  writeFiles?: CloudInitFileArgs[];
  /**
   * Commands for `sh`, each in a process of its own, in this order, as root, after the packages. One that fails ends the setup: the
   * deployment fails with the end of cloud-init's log, and the server does not join. They must not restart the server. What they do
   * to the firewall is undone, and what else they undo of the hardening is told, by the node's verification.
   */
  runcmd?: string[];
}

/** A file on a server. */
export interface CloudInitFileArgs {
  /** Absolute, of letters, digits and `._@+-` between the slashes. */
  path: string;
  /** Its text. */
  content: string;
  /** In octal. Default: `0644`. It belongs to root. */
  permissions?: string;
}

/** What is different about one node of a pool. */
export interface NodeArgs {
  /** A server that is there already. Then the pool's shape does not count for it, and what is named here must be as it is. */
  adopt?: AdoptArgs;
  /** Default: the pool's. */
  serverType?: string;
  /** Default: the pool's. */
  location?: string;
  /** Default: the pool's. */
  image?: string;
  /** Hetzner Cloud labels, added to the pool's. */
  labels?: Record<string, string>;
  /** Labels of the node in the swarm, added to the pool's; of an adopted node, too. */
  nodeLabels?: Record<string, string>;
  /** Public addresses that outlast the node's server. Default: it has addresses of its own, which go with it. */
  primaryIps?: PrimaryIpsArgs;
  /** Default: the pool's. */
  privateOnly?: boolean;
  /** Of a server that the component makes. Default: the pool's. */
  deleteProtection?: boolean;
  /**
   * The host's public key, `ssh-ed25519 AAAA…`, where somebody changed it on a server that is up: the text of
   * `/etc/ssh/ssh_host_ed25519_key.pub`, read on the server's console. It counts for the server that is up when it is given, after its
   * first contact, and stays in the program as long as that server does; one that takes its place has a key of its own again. Not
   * beside `adopt`, which has its own. Default: the key that the server made at its first contact.
   */
  hostKey?: string;
  /**
   * How often the node has been replaced. Raise it to get a fresh server, with another name and address (`POOL-1-r1`), in the
   * place of this one, dead or alive: the new one joins, then the tasks move, then the old one leaves and is deleted. From 0 to
   * 999; default: 0.
   */
  replacement?: number;
}

/**
 * Primary IPs of a node: a server that is deleted in Hetzner Cloud and made anew has the same addresses. A server that is up keeps
 * the addresses that it has. An address is at one server at a time, and a replacement comes up before the old server goes, so that a
 * node with primary IPs is replaced in two deployments: raise its `replacement` with `spare: true`, then raise it once more without.
 * One that is at another server is refused, in the preview too.
 */
export interface PrimaryIpsArgs {
  /** Default: an address that goes with the server. */
  ipv4?: PrimaryIpArgs;
  /** Default: a network that goes with the server. */
  ipv6?: PrimaryIpArgs;
}

/** A primary IP of a node. */
export interface PrimaryIpArgs {
  /**
   * A primary IP that is there, in the node's location, at no server or at this node's. Default: the component makes one, called
   * CLUSTER-NODE-ipv4 or CLUSTER-NODE-ipv6, and deletes it when the node goes.
   */
  existing?: ExistingArgs;
  /** Kept, and not given to a server that is made. Default: false. */
  spare?: boolean;
}

/**
 * A server that is there already and becomes a node as it is: not replaced, not rebooted, not set up anew, its name, labels,
 * networks and cloud firewalls left alone. It must run Debian with Docker. Exactly one of `id`, `importId` and `alias` says
 * which server it is, and `adopt` stays in the program as long as the node does.
 */
export interface AdoptArgs {
  /**
   * Id in Hetzner Cloud of a server that is somebody else's to keep: of another part of the program, of Terraform, of a
   * person. It is looked up, never changed and never deleted; when the node goes, it leaves the swarm.
   */
  id?: pulumi.Input<string>;
  /** Id in Hetzner Cloud of a server that no program knows. Pulumi imports it, and deletes it when the node goes. */
  importId?: string;
  /**
   * How this stack knows the server so far: the name of an `hcloud.Server` at the top level of the program, or a whole URN.
   * It moves under the component, and is deleted when the node goes.
   */
  alias?: string;
  /** The host's public key, of one line; which of several it has to be is told at `HostConnectionArgs.hostKey`. */
  hostKey: pulumi.Input<string>;
  /** Its host name, by which the swarm knows it. Default: as a server of the component would be called, CLUSTER-NODE. */
  hostName?: string;
  /** Name or address for SSH. Default: the server's public IPv4 address. */
  host?: pulumi.Input<string>;
  /** `root`, or a user that may run everything by `sudo` without a password. Default: `root`. */
  user?: string;
  /**
   * The address that the node advertises in the swarm, or shall advertise. Default: its address in the cluster's network. A
   * swarm that runs over public addresses is kept by naming them.
   */
  address?: pulumi.Input<string>;
  /**
   * Lets the node's `serverType` change the server, which powers it off. With `importId`: in deployments after the one that
   * imports it. Default: false, such a program is refused.
   */
  mayReboot?: boolean;
  /**
   * Replaces the server by a fresh one where `image`, `location` or user-data differ, as they do in most cases; with `alias`
   * only. Take `adopt` out in the next deployment: while it is there, a changed policy replaces the server again. Default:
   * false, such a program is refused.
   */
  mayReplace?: boolean;
  /** Leave the host agent and its rules on a server of `id` when the node goes. Default: false, they are taken away over SSH. */
  keepOnRemove?: boolean;
}
