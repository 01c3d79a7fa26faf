/** How a host is reached over SSH: always with its key pinned, always with an end to the trying. */
import type * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

/** A host as a message tells of it. */
export interface PinnedHost {
  readonly name: string;
  /** The argument that says its key. Default: its key is not the program's to say. */
  readonly argument?: string;
  /** What to do in doubt. */
  readonly inDoubt: string;
}

interface SshHost {
  readonly host: pulumi.Input<string>;
  readonly port: number;
  readonly user: string;
  readonly privateKey: pulumi.Input<string>;
  /** The one public key that the host must prove to have, `ssh-ed25519 AAAA…`. There is no connection without. */
  readonly hostKey: pulumi.Input<string>;
  /** What is said of it where it shows another key. */
  readonly pinned: PinnedHost;
}

export interface SshTarget extends SshHost {
  /** How long to keep dialling, at most, in seconds. */
  readonly dialSeconds: number;
  /** A host between, over which the host is reached. Default: none. */
  readonly proxy?: ProxyTarget;
}

/** A bastion. */
export interface ProxyTarget extends SshHost {
  /** It is a server of the component, whose SSH key changes when the component's does. */
  readonly isServer: boolean;
}

type ProxyConnection = command.types.input.remote.ProxyConnectionArgs;
/** Known from the start, or only when it is known which host is dialled; then it may be none. */
type AnyProxy = ProxyTarget | pulumi.Output<ProxyTarget | undefined>;

/** A host of which it is known later which one it is. */
export type LaterTarget = Omit<SshTarget, "user" | "pinned" | "proxy"> & {
  readonly user: pulumi.Input<string>;
  readonly pinned: pulumi.Input<PinnedHost>;
  readonly proxy?: AnyProxy;
};

/** One attempt to connect ends after this many seconds. */
const perDialTimeout = 10;
/** The Command provider waits up to this many seconds between two attempts. */
const pauseBetweenDials = 5;
/** After this many seconds a bastion's kernel gives up where nobody answers. */
const bastionDialTimeout = 130;

/**
 * The provider counts attempts, not time: as many as fit when each one runs into its timeout. A host that refuses at
 * once is therefore given up sooner, after about a third of `dialSeconds`. With SSH_AUTH_SOCK set the provider dials
 * that agent as well, and fails when it cannot; no argument turns this off.
 */
export function connection(target: LaterTarget): command.types.input.remote.ConnectionArgs {
  const { proxy, dialSeconds } = target;
  return {
    host: target.host,
    port: target.port,
    user: target.user,
    privateKey: target.privateKey,
    hostKey: target.hostKey,
    ...patience(dialSeconds),
    ...(proxy === undefined ? {} : { proxy: proxyConnection(proxy, dialSeconds) }),
  };
}

/**
 * An attempt through the bastion ends when the bastion's own kernel gives up, after about two minutes where nobody answers:
 * then dialling may take longer than `dialSeconds`, but not longer than its number of attempts.
 */
function proxyConnection(proxy: AnyProxy, dialSeconds: number): pulumi.Input<ProxyConnection> {
  const told = ({ host, port, user, privateKey, hostKey }: ProxyTarget) => {
    return { host, port, user, privateKey, hostKey, ...patience(dialSeconds) };
  };
  if (!pulumi.Output.isInstance(proxy)) return told(proxy);
  // Without a value there is no proxy; the provider's types do not say that this may be known later.
  return proxy.apply((known) => known && told(known)) as pulumi.Output<ProxyConnection>;
}

/** At most how long dialling takes, in seconds. */
export function longestDial({ proxy, dialSeconds }: Pick<LaterTarget, "proxy" | "dialSeconds">): number {
  // The provider gives up when more than its limit have failed.
  const attempts = patience(dialSeconds).dialErrorLimit + 1;
  const direct = attempts * (perDialTimeout + pauseBetweenDials);
  return proxy === undefined ? direct : direct + attempts * (bastionDialTimeout + pauseBetweenDials);
}

function patience(dialSeconds: number): { readonly perDialTimeout: number; readonly dialErrorLimit: number } {
  return {
    perDialTimeout,
    dialErrorLimit: Math.max(1, Math.floor(dialSeconds / (perDialTimeout + pauseBetweenDials))),
  };
}
