/**
 * The whole state of the region's API as one plain, JSON-serializable object. The functions of the resource files work
 * on a draft of it that the engine keeps when they return and drops when they throw; they do no I/O and read no clock.
 */
import { z } from "zod";
import { ApiError, errorCodes, notFound, notUnique } from "./errors.js";

const id = z.number().int().positive();
const labels = z.record(z.string(), z.string());
const named = { id, name: z.string(), labels, created: z.string() };
const deleteProtection = z.object({ delete: z.boolean() });

const actionSchema = z.object({
  id,
  command: z.string(),
  status: z.enum(["running", "success", "error"]),
  progress: z.number().int().min(0).max(100),
  started: z.string(),
  finished: z.string().nullable(),
  resources: z.array(z.object({ id, type: z.string() })),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  /** While it runs, the resources of the action refuse other changes with `locked`. */
  locks: z.boolean(),
});

const sshKeySchema = z.object({ ...named, publicKey: z.string(), fingerprint: z.string() });

const subnetSchema = z.object({
  type: z.enum(["cloud", "server", "vswitch"]),
  ipRange: z.string(),
  networkZone: z.string(),
  vswitchId: z.number().int().nullable(),
});
const routeSchema = z.object({ destination: z.string(), gateway: z.string() });
const networkSchema = z.object({
  ...named,
  ipRange: z.string(),
  subnets: z.array(subnetSchema),
  routes: z.array(routeSchema),
  protection: deleteProtection,
  exposeRoutesToVswitch: z.boolean(),
});

const ruleSchema = z.object({
  direction: z.enum(["in", "out"]),
  protocol: z.enum(["tcp", "udp", "icmp", "esp", "gre"]),
  port: z.string().nullable(),
  sourceIps: z.array(z.string()),
  destinationIps: z.array(z.string()),
  description: z.string().nullable(),
});
const appliedToSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("server"), serverId: id }),
  z.object({ type: z.literal("label_selector"), selector: z.string() }),
]);
const firewallSchema = z.object({ ...named, rules: z.array(ruleSchema), appliedTo: z.array(appliedToSchema) });

const placementGroupSchema = z.object({ ...named, type: z.literal("spread") });

const primaryIpSchema = z.object({
  ...named,
  type: z.enum(["ipv4", "ipv6"]),
  /** An address for ipv4, a /64 in CIDR form for ipv6. */
  ip: z.string(),
  serverId: id.nullable(),
  autoDelete: z.boolean(),
  location: z.string(),
  protection: deleteProtection,
  /** PTR records that were set, by address. */
  dnsPtr: z.array(z.object({ ip: z.string(), dnsPtr: z.string() })),
});

const privateNetSchema = z.object({ networkId: id, mac: z.string(), ip: z.string(), aliasIps: z.array(z.string()) });
const serverSchema = z.object({
  ...named,
  /** Name of the server type. */
  type: z.string(),
  /** GiB; may be smaller than the type's disk after a change of type that kept it. */
  diskSize: z.number(),
  location: z.string(),
  /** Image name. */
  image: z.string(),
  userData: z.string(),
  /** Public keys as they were when the server was made. */
  publicKeys: z.array(z.string()),
  /** Set when the server was made without SSH keys; the metadata service hands it to cloud-init. */
  rootPassword: z.string().nullable(),
  /** MAC of the public interface. */
  mac: z.string(),
  privateNets: z.array(privateNetSchema),
  placementGroupId: id.nullable(),
  protection: z.object({ delete: z.boolean(), rebuild: z.boolean() }),
  /** The machine was made in the backend. */
  provisioned: z.boolean(),
  /** Last known or wanted power state: what a restart of the region brings back. */
  power: z.enum(["running", "off"]),
});

const healthCheckSchema = z.object({
  protocol: z.enum(["tcp", "http"]),
  port: z.number(),
  /** Seconds. */
  interval: z.number(),
  /** Seconds. */
  timeout: z.number(),
  retries: z.number(),
  http: z
    .object({
      domain: z.string().nullable(),
      path: z.string(),
      response: z.string(),
      statusCodes: z.array(z.string()),
      tls: z.boolean(),
    })
    .nullable(),
});
const serviceSchema = z.object({
  protocol: z.enum(["tcp", "http"]),
  listenPort: z.number(),
  destinationPort: z.number(),
  proxyProtocol: z.boolean(),
  /** For protocol http only; the lifetime is in seconds. */
  http: z.object({ stickySessions: z.boolean(), cookieName: z.string(), cookieLifetime: z.number() }).nullable(),
  healthCheck: healthCheckSchema,
});
const targetSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("server"), serverId: id, usePrivateIp: z.boolean() }),
  z.object({ type: z.literal("label_selector"), selector: z.string(), usePrivateIp: z.boolean() }),
]);
const loadBalancerSchema = z.object({
  ...named,
  /** Name of the Load Balancer type. */
  type: z.string(),
  location: z.string(),
  algorithm: z.enum(["round_robin", "least_connections"]),
  publicEnabled: z.boolean(),
  ipv4: z.string(),
  /** A /64 in CIDR form, of which it takes the first address. */
  ipv6: z.string(),
  dnsPtr: z.array(z.object({ ip: z.string(), dnsPtr: z.string() })),
  privateNets: z.array(z.object({ networkId: id, ip: z.string() })),
  services: z.array(serviceSchema),
  targets: z.array(targetSchema),
  protection: deleteProtection,
});

const volumeSchema = z.object({
  ...named,
  /** GB. */
  size: z.number().int().positive(),
  /** What it was formatted with when it was made. */
  format: z.enum(["ext4", "xfs"]).nullable(),
  location: z.string(),
  serverId: id.nullable(),
  protection: deleteProtection,
  /** Its disk was made in the backend. */
  available: z.boolean(),
});

export const faultSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("unavailable"),
    serverType: z.string().optional(),
    location: z.string().optional(),
  }),
  z.object({
    kind: z.literal("error"),
    operation: z.string(),
    code: z.enum(errorCodes),
    message: z.string(),
    times: z.number().int().positive().optional(),
  }),
]);

const stateSchema = z.object({
  version: z.literal(1),
  nextId: id,
  nextActionId: id,
  actions: z.array(actionSchema),
  sshKeys: z.array(sshKeySchema),
  networks: z.array(networkSchema),
  firewalls: z.array(firewallSchema),
  placementGroups: z.array(placementGroupSchema),
  primaryIps: z.array(primaryIpSchema),
  servers: z.array(serverSchema),
  /** States of before there were any lack them. */
  loadBalancers: z.array(loadBalancerSchema).default([]),
  volumes: z.array(volumeSchema).default([]),
  faults: z.array(faultSchema),
});

export type State = z.infer<typeof stateSchema>;
export type Action = z.infer<typeof actionSchema>;
export type SshKey = z.infer<typeof sshKeySchema>;
export type Network = z.infer<typeof networkSchema>;
export type Subnet = z.infer<typeof subnetSchema>;
export type Route = z.infer<typeof routeSchema>;
export type Firewall = z.infer<typeof firewallSchema>;
export type Rule = z.infer<typeof ruleSchema>;
export type AppliedTo = z.infer<typeof appliedToSchema>;
export type PlacementGroup = z.infer<typeof placementGroupSchema>;
export type PrimaryIp = z.infer<typeof primaryIpSchema>;
export type Server = z.infer<typeof serverSchema>;
export type PrivateNet = z.infer<typeof privateNetSchema>;
export type LoadBalancer = z.infer<typeof loadBalancerSchema>;
export type Service = z.infer<typeof serviceSchema>;
export type Target = z.infer<typeof targetSchema>;
export type Volume = z.infer<typeof volumeSchema>;
export type Fault = z.infer<typeof faultSchema>;

/** Ids start here so that they are not mistaken for a count, and stay short enough for interface names. */
const FIRST_ID = 1001;

export function emptyState(): State {
  return {
    version: 1,
    nextId: FIRST_ID,
    nextActionId: FIRST_ID,
    actions: [],
    sshKeys: [],
    networks: [],
    firewalls: [],
    placementGroups: [],
    primaryIps: [],
    servers: [],
    loadBalancers: [],
    volumes: [],
    faults: [],
  };
}

/** Reads a state written by {@link printState}. Throws an Error that names what is wrong with it. */
export function parseState(text: string): State {
  const result = stateSchema.safeParse(JSON.parse(text));
  if (!result.success) throw new Error(`the state of the hcloud API is not readable: ${z.prettifyError(result.error)}`);
  return result.data;
}

export function printState(state: State): string {
  return `${JSON.stringify(state, null, 1)}\n`;
}

/** A new id, unique among all resources of the region. */
export function takeId(state: State): number {
  const taken = state.nextId;
  state.nextId += 1;
  return taken;
}

/** The element with `wanted` as its id; throws `not_found`. */
export function byId<T extends { readonly id: number }>(list: readonly T[], wanted: number, kind: string): T {
  const found = list.find((item) => item.id === wanted);
  if (!found) throw notFound(kind, wanted);
  return found;
}

/** The element whose id or name is `wanted` (the API accepts either in one field); an id wins over a name. */
export function byIdOrName<T extends { readonly id: number; readonly name: string }>(
  list: readonly T[],
  wanted: string,
): T | undefined {
  return list.find((item) => String(item.id) === wanted) ?? list.find((item) => item.name === wanted);
}

/** Throws `uniqueness_error` when another element of `list` has this name. Names are unique per project and kind. */
export function assertNameFree(
  list: readonly { readonly id: number; readonly name: string }[],
  name: string,
  kind: string,
  except?: number,
): void {
  if (list.some((item) => item.name === name && item.id !== except)) throw notUnique(kind);
}

/** Gives an element a new name, new labels, or both; throws `not_found` or `uniqueness_error`. */
export function rename<T extends { readonly id: number; name: string; labels: Record<string, string> }>(
  list: readonly T[],
  wanted: number,
  kind: string,
  to: { readonly name?: string | undefined; readonly labels?: Record<string, string> | undefined },
): T {
  const found = byId(list, wanted, kind);
  if (to.name !== undefined) {
    assertNameFree(list, to.name, kind, wanted);
    found.name = to.name;
  }
  if (to.labels) found.labels = to.labels;
  return found;
}

/** Removes the element with this id from `list`. */
export function removeById(list: { readonly id: number }[], unwanted: number): void {
  const index = list.findIndex((item) => item.id === unwanted);
  if (index >= 0) list.splice(index, 1);
}

/** Throws `locked` while an action that locks the resource runs. */
export function assertUnlocked(state: State, type: string, resourceId: number): void {
  if (isLocked(state, type, resourceId)) throw new ApiError("locked", `${type} is locked: an action is running`);
}

export function isLocked(state: State, type: string, resourceId: number): boolean {
  return state.actions.some(
    (action) => action.locks && action.status === "running" && concerns(action, type, resourceId),
  );
}

export function concerns(action: Action, type: string, resourceId: number): boolean {
  return action.resources.some((resource) => resource.type === type && resource.id === resourceId);
}
