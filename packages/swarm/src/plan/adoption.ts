/**
 * What may be done to a server that is there already and becomes a node. Plain data in, plain data out: neither Pulumi nor
 * Hetzner Cloud is asked here.
 */

import * as ipaddr from "ipaddr.js";

/** What a server is made of, as Hetzner Cloud tells it. */
export interface ServerShape {
  readonly serverType: string;
  readonly location: string;
  /** Name of its image; its id where it was made of a snapshot. */
  readonly image: string;
}

/** What the program names of it; what it does not name stays as it is. */
export type WantedShape = { readonly [K in keyof ServerShape]?: string | undefined };

export interface Adoption {
  /** How the server is known: `id` looks it up and owns nothing, the others make it the component's own. */
  readonly way: "id" | "importId" | "alias";
  readonly mayReboot: boolean;
  readonly mayReplace: boolean;
}

/** Something that the program wants and that the server is not. */
export interface Refusal {
  readonly property: keyof ServerShape;
  readonly wanted: string;
  readonly actual: string;
  readonly consequence: "rebooted" | "replaced";
}

const consequences = { serverType: "rebooted", location: "replaced", image: "replaced" } as const;
const shapeProperties = ["serverType", "location", "image"] as const;

/** What would have to happen to the server, and is not allowed; empty where it can be adopted as it is. */
export function refusals(wanted: WantedShape, actual: ServerShape, adoption: Adoption): readonly Refusal[] {
  return shapeProperties.flatMap((property) => {
    const value = wanted[property];
    if (value === undefined || value === actual[property]) return [];
    const consequence = consequences[property];
    const allowed = consequence === "rebooted" ? adoption.mayReboot : adoption.mayReplace;
    return allowed ? [] : [{ property, wanted: value, actual: actual[property], consequence }];
  });
}

/** The refusals as one message: what, why, and what to do. `path` is the node's among the arguments. */
export function refusalText(path: string, refused: readonly Refusal[], { way }: Adoption): string {
  const lines = refused.map(({ property, wanted, actual, consequence }) => {
    const becomes = `${JSON.stringify(actual)} to ${JSON.stringify(wanted)} means that it is ${meaning[consequence]}`;
    return `  ${path}.${property}: from ${becomes}. ${advice(way, consequence)}`;
  });
  return `an adopted server stays as it is\n${lines.join("\n")}`;
}

const meaning = {
  rebooted: "powered off, changed and started again",
  replaced: "deleted, and another one made in its place",
} as const;

function advice(way: Adoption["way"], consequence: Refusal["consequence"]): string {
  const leave = "Leave the argument out to keep the server as it is";
  if (way === "id") return `${leave}; whoever owns the server may change it`;
  if (consequence === "rebooted") return `${leave}, or say adopt.mayReboot: true`;
  return way === "alias" ? `${leave}, or say adopt.mayReplace: true` : `${leave}, or add a node and take this one away`;
}

/**
 * Every argument of `hcloud.Server`. Some replace the server when they change, some power it off, some are not read back by an
 * import, and the rest belongs to whoever made the server.
 */
export const serverProperties = [
  "allowDeprecatedImages",
  "backups",
  "datacenter",
  "deleteProtection",
  "firewallIds",
  "ignoreRemoteFirewallIds",
  "image",
  "iso",
  "keepDisk",
  "labels",
  "location",
  "name",
  "networks",
  "placementGroupId",
  "publicNets",
  "rebuildProtection",
  "rescue",
  "serverType",
  "shutdownBeforeDeletion",
  "sshKeys",
  "userData",
] as const;

/** What Pulumi is to ignore of an adopted server that the component owns: all, but for what the program may change. */
export function ignoredProperties(wanted: WantedShape, adoption: Adoption): readonly string[] {
  const changed = adoption.mayReboot && wanted.serverType !== undefined ? ["serverType"] : [];
  return serverProperties.filter((property) => !changed.includes(property));
}

/** How Pulumi finds the server under its former name: a whole URN, or a name at the top level of the program. */
export function aliasOf(former: string): { readonly urn: string } | { readonly topLevelName: string } {
  return former.startsWith("urn:pulumi:") ? { urn: former } : { topLevelName: former };
}

/** A network that the server is in, as Hetzner Cloud tells it. */
export interface Attachment {
  readonly networkId?: number | undefined;
  readonly ip: string;
}

/**
 * The address that the node has in the swarm: what the program names, else that in the cluster's network.
 * @throws Error naming the ways out, where there is none
 */
export function swarmAddress(
  server: string,
  named: string | undefined,
  attachments: readonly Attachment[],
  networkId: number | undefined,
): string {
  const found =
    named ??
    attachments.find((attachment) => attachment.networkId !== undefined && attachment.networkId === networkId)?.ip;
  if (found !== undefined) return found;
  const others = attachments.map((attachment) => String(attachment.networkId)).join(", ");
  throw new Error(
    `server ${server} has no address in ${networkId === undefined ? "a" : "the"} network of the cluster` +
      ` (it is in ${others === "" ? "none" : `network ${others}`}${networkId === undefined ? "" : `, not in ${networkId}`}): ` +
      "name the cluster's network with network.existing, attach the server to it, or name its address with adopt.address",
  );
}

/** What is to be known of a swarm that runs over public addresses; undefined for one that does not. */
export function publicSwarmWarning(addresses: readonly string[]): string | undefined {
  const shown = addresses.filter((address) => ipaddr.isValid(address) && !inside(ipaddr.parse(address).range()));
  if (shown.length === 0) return undefined;
  return (
    `the swarm runs over public addresses (${shown.join(", ")}): its ports are open to its own nodes' addresses only, but what ` +
    "containers send each other crosses the Internet in the clear, except on networks made with --opt encrypted"
  );
}

function inside(range: string): boolean {
  return ["private", "uniqueLocal", "carrierGradeNat", "loopback", "linkLocal"].includes(range);
}
