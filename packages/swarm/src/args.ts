/**
 * What the components take. Hand-written interfaces, because Pulumi's schema analyzer makes the packages for YAML and
 * Python out of them: no inline unions, aliases, tuples or functions here. `argsSchema.ts` checks them at run time.
 */
import type * as pulumi from "@pulumi/pulumi";
import type { PolicyArgs } from "./argsPolicy";

/** A swarm on Hetzner Cloud. An SSH key and pools are all it needs. */
export interface SwarmClusterArgs {
  /** The key that opens the nodes. */
  ssh: SshArgs;
  /** Groups of nodes by name. Together they have 1, 3, 5 or 7 managers. Node names are unique over all pools. */
  pools: Record<string, PoolArgs>;
  /** In front of every name in Hetzner Cloud and of the nodes' host names. Default: the component's name. */
  clusterName?: string;
  /** Which ports are open. Default: 80/tcp, 443/tcp and SSH for everybody. */
  policy?: PolicyArgs;
  /** The private network. */
  network?: NetworkArgs;
  /** The Hetzner Cloud Firewall in front of the nodes. */
  cloudFirewall?: CloudFirewallArgs;
  /** Spread placement groups. */
  placementGroups?: PlacementGroupArgs;
  /** What holds for the swarm as a whole. */
  swarm?: SwarmArgs;
  /** Upgrades and restarts of the nodes, one after the other. Default: none. */
  maintenance?: MaintenanceArgs;
  /** Docker on the nodes. */
  docker?: DockerArgs;
  /** When nodes are verified. Default: `onChange`. */
  verify?: VerifyMode;
  /** Bounds of what is waited for. */
  timeouts?: TimeoutArgs;
  /** Protects servers and the network from deletion in Hetzner Cloud, by Pulumi too. Default: false. */
  deleteProtection?: boolean;
  /**
   * Hetzner Cloud labels of everything that is made, beside `hcloud-swarm-cluster` (the cluster's name) and, on servers,
   * `hcloud-swarm-pool` and `hcloud-swarm-role`.
   */
  labels?: Record<string, string>;
}

/** One server on Hetzner Cloud with plain Docker. An SSH key is all it needs. */
export interface HardenedServerArgs {
  /** The key that opens the server. */
  ssh: SshArgs;
  /** Its name in Hetzner Cloud and its host name. Default: the component's name. */
  serverName?: string;
  /** Hetzner Cloud server type. Default: `cx23`. Changing it powers the server off. */
  serverType?: string;
  /** Hetzner Cloud location. Default: `fsn1`. Changing it replaces the server. */
  location?: string;
  /** Image name; the host agent is made for Debian. Default: `debian-13`. Changing it replaces the server. */
  image?: string;
  /** A private network to attach it to. Default: none. */
  network?: ExistingArgs;
  /** A placement group to be in. Default: none. A running server cannot change it. */
  placementGroup?: ExistingArgs;
  /** Which ports are open. Default: 80/tcp, 443/tcp and SSH for everybody. */
  policy?: PolicyArgs;
  /** The Hetzner Cloud Firewall in front of the server. */
  cloudFirewall?: CloudFirewallArgs;
  /** Docker on the server. */
  docker?: DockerArgs;
  /** When the server is verified. Default: `onChange`. */
  verify?: VerifyMode;
  /** Bounds of what is waited for. */
  timeouts?: TimeoutArgs;
  /** Protects the server from deletion in Hetzner Cloud, by Pulumi too. Default: false. */
  deleteProtection?: boolean;
  /** Hetzner Cloud labels of everything that is made. */
  labels?: Record<string, string>;
}

/** A Debian host with Docker that is there already, whoever made it. */
export interface HostHardeningArgs {
  /** How the host is reached. */
  connection: HostConnectionArgs;
  /** Which ports are open. Default: 80/tcp, 443/tcp and SSH for everybody. */
  policy?: PolicyArgs;
  /** The host's place in a swarm. Default: it is in none, and swarm's ports are closed. */
  swarm?: HostSwarmArgs;
  /** When the host is verified. Default: `onChange`. */
  verify?: VerifyMode;
  /** Bounds of what is waited for. */
  timeouts?: TimeoutArgs;
  /**
   * Leave the host agent and its rules on the host when the component goes. Default: false, both are taken away over SSH,
   * which fails when the host is gone.
   */
  keepOnRemove?: boolean;
}

/** How a host is reached over SSH. */
export interface HostConnectionArgs {
  /** Name or address. Another one means another host: it gets the agent, and the old one loses it. */
  host: pulumi.Input<string>;
  /** Default: the policy's SSH port. */
  port?: number;
  /** `root`, or a user that may run everything by `sudo` without a password. Default: `root`. */
  user?: string;
  /** Private key as text, without a passphrase. Always treated as a secret. */
  privateKey: pulumi.Input<string>;
  /**
   * The host's public key, of one line; there is no connection to a host that cannot prove to have it. Of several keys that a
   * host has, Pulumi's SSH client asks for ECDSA first, then RSA, then Ed25519: give the first of these that it has.
   */
  hostKey: pulumi.Input<string>;
}

/** The place of a host in a swarm that something else made. */
export interface HostSwarmArgs {
  /** Managers get port 2377 opened for the peers. */
  role: NodeRole;
  /** Addresses of the swarm's other nodes, as they advertise them. */
  peers: pulumi.Input<string>[];
}

/** What a node is in the swarm. */
export const NodeRole = {
  /** Takes part in the quorum and schedules; runs services as well. */
  Manager: "manager",
  /** Runs services. */
  Worker: "worker",
} as const;
export type NodeRole = (typeof NodeRole)[keyof typeof NodeRole];

/** Where Docker comes from. */
export const DockerChannel = {
  /** The distribution's `docker.io`. */
  Debian: "debian",
  /** Docker's own repository. */
  Docker: "docker",
} as const;
export type DockerChannel = (typeof DockerChannel)[keyof typeof DockerChannel];

/** When nodes are verified. */
export const VerifyMode = {
  /** When something of the node changes. An `up` without changes opens no SSH connection. */
  OnChange: "onChange",
  /** On every `up`: one SSH connection a node; drift fails the deployment with the names of the checks. */
  Always: "always",
} as const;
export type VerifyMode = (typeof VerifyMode)[keyof typeof VerifyMode];

/** Something that is there already and is used as it is. */
export interface ExistingArgs {
  /** Its id in Hetzner Cloud. */
  id: pulumi.Input<string>;
}

/** The key that opens the nodes. */
export interface SshArgs {
  /**
   * Private key as text, without a passphrase, in OpenSSH, PKCS #8 or PKCS #1 form. Always treated as a secret; it stays
   * in Pulumi's state encrypted and is never sent to a node.
   */
  privateKey: pulumi.Input<string>;
  /**
   * The key that `privateKey` takes the place of on servers that are up, and the way to rotate: one deployment with both lets the
   * new key in, proves it and takes the old one away; the next one is without this argument. Adopted servers keep the keys that
   * they have. Always treated as a secret. Default: the servers know `privateKey` already.
   */
  previousPrivateKey?: pulumi.Input<string>;
  /** Public half, as in `authorized_keys`. Default: derived from the private key. */
  publicKey?: pulumi.Input<string>;
  /**
   * The key in Hetzner Cloud, when it is there already (a project refuses the same key twice). Default: it is added.
   */
  existing?: ExistingArgs;
}

/** A named group of nodes of one shape. Exactly one of `count` and `nodes` is given. */
export interface PoolArgs {
  /** What its nodes are in the swarm. */
  role: NodeRole;
  /** Number of nodes, named `POOL-1`, `POOL-2` and so on. From 1 to 100. */
  count?: number;
  /**
   * Nodes by name, for pools in which any node may go, not only the last. A pool of `count: 2` named `worker` may become
   * `nodes: { "worker-2": {} }` without touching `worker-2`.
   */
  nodes?: Record<string, NodeArgs>;
  /** Hetzner Cloud server type. Default: `cx23`. Changing it powers the server off. */
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
  /** A placement group that is there, for the pool's servers: at most 10. Default: the component's own groups. */
  placementGroup?: ExistingArgs;
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
  /**
   * How often the node has been replaced. Raise it to get a fresh server, with another name and address (`POOL-1-r1`), in the
   * place of this one, dead or alive: the new one joins, then the tasks move, then the old one leaves and is deleted. From 0 to
   * 999; default: 0.
   */
  replacement?: number;
}

/**
 * A server that is there already and becomes a node as it is: not replaced, not rebooted, not set up anew, its name, labels,
 * networks and cloud firewalls left alone. It must run Debian with Docker. Exactly one of `id`, `importId` and `alias` says
 * which server it is, and `adopt` stays in the program as long as the node does.
 */
export interface AdoptArgs {
  /**
   * Id in Hetzner Cloud of a server that is somebody else's to keep: of another part of the program, of Terraform, of a
   * person. It is looked up, never changed and never deleted.
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

/** What holds for a swarm as a whole. */
export interface SwarmArgs {
  /**
   * How often the join tokens have been rotated. Raise it to rotate both: the old ones are refused from then on, and nodes that
   * are members stay so. The swarm remembers the number, in its label `hcloud-swarm.join-token-rotation`, and a smaller one does
   * nothing. From 0 to 9999; default: 0.
   */
  joinTokenRotation?: number;
  /**
   * Managers keep their keys encrypted at rest. After a restart of its Docker a manager is locked, and takes part again once
   * `docker swarm unlock` on it got the output `unlockKey`. Default: as the swarm has it; a new one does not lock.
   */
  autolock?: boolean;
}

/** The private network that the swarm runs on. */
export interface NetworkArgs {
  /** IPv4 range of the network. Default: `10.0.0.0/16`. */
  ipRange?: string;
  /** IPv4 range of the subnet that the nodes are in, within `ipRange`. Default: the first /24 of `ipRange`. */
  subnetRange?: string;
  /** Network zone. Default: `eu-central`. */
  zone?: string;
  /** A network that is there. `ipRange` then says what its range is; a subnet is made only if `subnetRange` is given. */
  existing?: ExistingArgs;
  /**
   * A subnet that is there, by its id, such as `4711-10.0.1.0/24`: nodes are made when it is. It stands in place of
   * `subnetRange` and needs no `existing` beside it, for its id names the network.
   */
  existingSubnet?: ExistingArgs;
  /**
   * IPv4 range that swarm cuts its overlay networks from, in /24 pieces. It must not overlap with `ipRange`: containers
   * could not reach that part of the private network. Default: `10.128.0.0/9`. Counts when the swarm is started.
   */
  overlayRange?: string;
}

/** What to do when the policy says more than a Hetzner Cloud Firewall can. */
export const BeyondLimits = {
  /** The deployment fails and says what is too much. */
  Refuse: "refuse",
  /** The cloud firewall lets that port pass for everybody, and the hosts alone filter it. */
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
   * What to do with more rules or networks than a Hetzner Cloud Firewall takes. Default: `refuse`.
   */
  beyondLimits?: BeyondLimits;
}

/** Spread placement groups, which keep servers on different physical hosts; at most 10 servers each. */
export interface PlacementGroupArgs {
  /** Default: true. */
  enabled?: boolean;
}

/** Which packages a maintenance upgrades. */
export const MaintenanceUpgrade = {
  /** None. */
  None: "none",
  /** Docker's, to the newest that the nodes' package sources have, within `dockerVersion` where it is given. */
  Docker: "docker",
  /** All of them (`apt-get dist-upgrade`), within the node's release of Debian. */
  All: "all",
} as const;
export type MaintenanceUpgrade = (typeof MaintenanceUpgrade)[keyof typeof MaintenanceUpgrade];

/**
 * Upgrades and restarts of the nodes that are up. Before anything, every node is looked at, and its packages are fetched. Then one
 * node at a time, workers first, is drained, upgraded, restarted, verified and put back to work; a node that fails ends the
 * deployment, and the next deployment goes on with it. Nodes that somebody drained stay drained.
 *
 * With it in the program, servers that are up keep their type, as they keep their image: raise the `replacement` of the nodes
 * that are to have another `serverType`, and the fresh server comes first.
 */
export interface MaintenanceArgs {
  /**
   * How often the nodes have been maintained. Raise it to have it done once more on every node. Nodes remember the highest number
   * that they have had; servers that are made have had that of the program. From 0 to 9999; default: 0, none.
   */
  number?: number;
  /** What a raised number upgrades. Default: `none`. */
  upgrade?: MaintenanceUpgrade;
  /** Whether a raised number restarts the nodes. Default: true. */
  reboot?: boolean;
  /**
   * First parts of the version that Docker is to have on every node, such as `28.5`: nodes with another one get the newest of it
   * that their package sources have, without a higher number and without a restart of the machine, and are kept at it. An older
   * one than a node has is refused. Default: any.
   */
  dockerVersion?: string;
  /** Bound of fetching, and of installing, a node's packages, in seconds. From 60 to 7200; default: 1800. */
  timeout?: number;
}

/** Docker on the nodes. */
export interface DockerArgs {
  /** Default: `debian`. */
  channel?: DockerChannel;
  /**
   * Entries for `daemon.json`, over the component's own. What would undo the firewall (`iptables`, `ip6tables`,
   * `firewall-backend`, `hosts` and the like) is refused. Applied at first boot.
   */
  // biome-ignore lint/suspicious/noExplicitAny: daemon.json has values of every kind, and the analyzer knows no other word.
  daemonOptions?: Record<string, any>;
}

/** Bounds of what is waited for, in seconds. */
export interface TimeoutArgs {
  /** A fresh server answering on SSH. From 30 to 3600; default: 600. */
  boot?: number;
  /** cloud-init ending on a server that answers. From 30 to 3600; default: 900. */
  cloudInit?: number;
  /** Each wait for Docker or the swarm. From 10 to 900; default: 120. */
  swarm?: number;
  /** The tasks of a node that leaves coming up elsewhere; after that it leaves all the same. From 10 to 3600; default: 300. */
  drain?: number;
  /** A new policy waiting for its confirmation before the node takes it back. From 60 to 900; default: 180. */
  probation?: number;
}
