import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import type { Owner } from "../cloud/infrastructure";
import { RefusedChangeError } from "../refusedChange";
import type { PinnedHost } from "../remote/connection";
import { firstValue } from "../remote/steps";

export interface AcceptedKey {
  /** For messages: `SwarmCluster "prod"`. */
  readonly component: string;
  /** What the key is remembered by, whichever server is there: the node's name. */
  readonly name: string;
  /** The key of a server that is up, which somebody changed; `ssh-ed25519 AAAA…`. */
  readonly hostKey: string | undefined;
  readonly pinned: PinnedHost;
}

/** What is known of a server's host key. */
export interface KnownKeys {
  readonly serverId: string;
  /** The server that the accepted key was given for. */
  readonly givenFor: string;
  /** Made by the server itself at its first contact. */
  readonly own: string;
  /** Of its first boot; its private half is in user-data. */
  readonly oneUse: string | undefined;
}

/**
 * The host key of a server: its own from the first contact, or the one that a person accepted since. That one counts for the server
 * that it was given for. Whatever comes in its place makes a key of its own, which nobody could know before.
 */
export function hostKeyInForce(
  owner: Pick<Owner, "component" | "name">,
  accepted: AcceptedKey,
  keys: { readonly [K in Exclude<keyof KnownKeys, "givenFor">]: pulumi.Output<KnownKeys[K]> },
): pulumi.Output<string> {
  const { component, name, hostKey, pinned } = accepted;
  if (hostKey === undefined) return keys.own;
  // Another key is another resource, which remembers anew.
  const digest = createHash("sha256").update(hostKey).digest("hex").slice(0, 8);
  const mark = firstValue(`${owner.name}-${name}-host-key-${digest}`, owner.component, keys.serverId, []);
  return pulumi.all([keys.serverId, mark, keys.own, keys.oneUse]).apply(([serverId, givenFor, own, oneUse]) => {
    if (givenFor !== serverId) {
      const old = `${pinned.argument} is of a server that ${pinned.name} has taken the place of, and counts no more: take it out`;
      void pulumi.log.warn(`${component}: ${old}`, owner.component);
    }
    return keyInForce(accepted, hostKey, { serverId, givenFor, own, oneUse });
  });
}

/** @throws RefusedChangeError for the one-use key */
export function keyInForce(
  { component, pinned }: Pick<AcceptedKey, "component" | "pinned">,
  hostKey: string,
  { serverId, givenFor, own, oneUse }: KnownKeys,
): string {
  if (givenFor !== serverId) return own;
  if (hostKey !== oneUse) return hostKey;
  const why =
    "given the one-use key of the first boot, whose private half is in user-data. The server is to be made anew";
  throw new RefusedChangeError(component, `${pinned.argument}: ${why}: ${pinned.inDoubt}`);
}
