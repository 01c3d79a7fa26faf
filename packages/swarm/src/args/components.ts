/**
 * What the components take. Hand-written interfaces, because Pulumi's schema analyzer makes the packages for YAML and
 * Python out of them: no inline unions, aliases, tuples or functions here. `schema.ts` checks them at run time.
 */
import type * as pulumi from "@pulumi/pulumi";
import type { DockerArgs, ExistingArgs, NodeRole, SshArgs, TimeoutArgs, VerifyMode } from "./host";
import type { LoadBalancerArgs } from "./loadBalancer";
import type { CloudFirewallArgs, NetworkArgs, PlacementGroupArgs } from "./network";
import type { PolicyArgs } from "./policy";
import type { PoolArgs } from "./pools";
import type { BastionArgs } from "./privateNodes";

/** A swarm on Hetzner Cloud. An SSH key and pools are all it needs. */
export interface SwarmClusterArgs {
  /** The key that opens the nodes. */
  ssh: SshArgs;
  /**
   * Groups of nodes by name: up to 20 small letters, digits and `-`, a letter first and no `-` at the end. Together they have 1, 3, 5
   * or 7 managers. Node names are unique over all pools.
   */
  pools: Record<string, PoolArgs>;
  /**
   * In front of every name in Hetzner Cloud and of the nodes' host names: up to 20 small letters, digits and `-`, a letter first and no
   * `-` at the end. Default: the component's name, which has to be such a name then.
   */
  clusterName?: string;
  /** Which ports are open. Default: 80/tcp, 443/tcp and SSH for everybody. */
  policy?: PolicyArgs;
  /** The private network. */
  network?: NetworkArgs;
  /** A load balancer in front of the nodes. Default: none. */
  loadBalancer?: LoadBalancerArgs;
  /** How nodes without a public address are reached. Default: over the node that is their way out. */
  bastion?: BastionArgs;
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
  /**
   * Protects servers, the network, the load balancer, primary IPs and volumes from deletion in Hetzner Cloud, by Pulumi too, and servers from
   * being rebuilt, which would put a fresh image on their disks. Pools, nodes and volumes may say otherwise. A node whose server is protected
   * does not leave, also for a replacement: take the protection back with a deployment of its own first. Default: false.
   */
  deleteProtection?: boolean;
  /**
   * Hetzner Cloud labels of everything that is made, beside `hcloud-swarm-cluster` (the cluster's name) and, on servers,
   * `hcloud-swarm-pool` and `hcloud-swarm-role`. Values, and keys behind a `PREFIX/`, have up to 63 letters, digits and `._-`.
   */
  labels?: Record<string, string>;
}

/** One server on Hetzner Cloud with plain Docker. An SSH key is all it needs. */
export interface HardenedServerArgs {
  /** The key that opens the server. */
  ssh: SshArgs;
  /**
   * Its name in Hetzner Cloud and its host name: up to 63 small letters, digits and `-`, a letter first and no `-` at the end. Default:
   * the component's name, which has to be such a name then.
   */
  serverName?: string;
  /** Hetzner Cloud server type. Default: `cx23`. Changing it powers the server off. */
  serverType?: string;
  /** Hetzner Cloud location. Default: `fsn1`. Changing it replaces the server. */
  location?: string;
  /** Image name; the host agent is made for Debian. Default: `debian-13`. Changing it replaces the server. */
  image?: string;
  /**
   * The server's public host key, `ssh-ed25519 AAAA…`, where somebody changed it while the server was up: the text of
   * `/etc/ssh/ssh_host_ed25519_key.pub`, read on the server's console. It counts for the server that is up when it is given, after its
   * first contact, and stays in the program as long as that server does. Default: the key that the server made at its first contact.
   */
  hostKey?: string;
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
  /**
   * Protects the server from deletion in Hetzner Cloud, by Pulumi too, and from being rebuilt. What replaces the server fails then: take
   * it back with a deployment of its own first. Default: false.
   */
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
