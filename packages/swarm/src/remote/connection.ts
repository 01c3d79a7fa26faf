/** How a host is reached over SSH: always with its key pinned, always with an end to the trying. */
import type * as command from "@pulumi/command";
import type * as pulumi from "@pulumi/pulumi";

export interface SshTarget {
  readonly host: pulumi.Input<string>;
  readonly port: number;
  readonly user: string;
  readonly privateKey: pulumi.Input<string>;
  /** The one public key that the host must prove to have, `ssh-ed25519 AAAA…`. There is no connection without. */
  readonly hostKey: pulumi.Input<string>;
  /** How long to keep dialling, at most, in seconds. */
  readonly dialSeconds: number;
}

/** One attempt to connect ends after this many seconds. */
const perDialTimeout = 10;
/** The Command provider waits up to this many seconds between two attempts. */
const pauseBetweenDials = 5;

/**
 * The provider counts attempts, not time: as many as fit when each one runs into its timeout. A host that refuses at
 * once is therefore given up sooner, after about a third of `dialSeconds`. With SSH_AUTH_SOCK set the provider dials
 * that agent as well, and fails when it cannot; no argument turns this off.
 */
export function connection(
  target: Omit<SshTarget, "user"> & { readonly user: pulumi.Input<string> },
): command.types.input.remote.ConnectionArgs {
  return {
    host: target.host,
    port: target.port,
    user: target.user,
    privateKey: target.privateKey,
    hostKey: target.hostKey,
    perDialTimeout,
    dialErrorLimit: Math.max(1, Math.floor(target.dialSeconds / (perDialTimeout + pauseBetweenDials))),
  };
}
