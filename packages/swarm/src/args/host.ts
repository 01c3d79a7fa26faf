/** What every host and server takes, as the components take it: `hostSchema.ts` checks it. */
import type * as pulumi from "@pulumi/pulumi";

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

/** Docker on the nodes. */
export interface DockerArgs {
  /** Default: `debian`. */
  channel?: DockerChannel;
  /**
   * Entries for `daemon.json`, over the component's own, which bound the logs (three files of 10 MB a container) and fit overlay
   * networks to the private network. Such as `"registry-mirrors": ["https://mirror.example.com"]`, or `mtu: 1400` for the default
   * bridge. What would undo the firewall (`iptables`, `ip6tables`, `firewall-backend`, `hosts` and the like) is refused. Applied at
   * first boot: raise the `replacement` of the nodes that are to have others.
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
