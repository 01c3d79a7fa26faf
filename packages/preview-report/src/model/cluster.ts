/** The components of `hcloud-swarm` as their inputs describe them, before and after. */
import { asRecord, asText, SECRET, UNKNOWN, type Value } from "../values/value.js";
import type { Action, Resource, Side, StackModel } from "./stack.js";

export const SERVER = "hcloud:index/server:Server";
export const COMPONENTS = ["SwarmCluster", "HardenedServer", "HostHardening"].map(
  (name) => `hcloud-swarm:index:${name}`,
);

export interface Member {
  name: string;
  pool: string;
  role: "manager" | "worker" | "unknown" | "none";
  /** True for a host that is there without the component too. */
  adopted: boolean;
}

export interface Cluster {
  resource: Resource;
  /** Members by name; `undefined` where the side does not exist. */
  before: Map<string, Member> | undefined;
  after: Map<string, Member> | undefined;
  /** True where the members of a side cannot be told. */
  doubtful: boolean;
  /** What happens to each member's server, by the member's name. */
  servers: Map<string, Resource>;
}

export function isComponent(type: string): boolean {
  return COMPONENTS.includes(type);
}

export function clustersOf(model: StackModel): Cluster[] {
  const children = new Map<string, Resource[]>();
  for (const resource of model.resources.values()) {
    if (resource.type !== SERVER) continue;
    const list = children.get(resource.parent);
    if (list) list.push(resource);
    else children.set(resource.parent, [resource]);
  }
  const components = [...model.resources.values()].filter((resource) => isComponent(resource.type));
  return components.map((resource) => clusterOf(resource, children.get(resource.urn) ?? []));
}

function clusterOf(resource: Resource, children: Resource[]): Cluster {
  const servers = new Map<string, Resource>();
  const prefix = `${resource.name}-`;
  for (const server of children) {
    servers.set(server.name.startsWith(prefix) ? server.name.slice(prefix.length) : server.name, server);
  }
  const before = membersOf(resource, resource.before, children, "before");
  const after = membersOf(resource, resource.after, children, "after");
  const doubtful = [...(before?.values() ?? []), ...(after?.values() ?? [])].some((it) => it.role === "unknown");
  return { resource, before, after, doubtful, servers };
}

function membersOf(
  resource: Resource,
  side: Side | undefined,
  children: Resource[],
  which: "before" | "after",
): Map<string, Member> | undefined {
  if (!side) return undefined;
  if (resource.type !== "hcloud-swarm:index:SwarmCluster") {
    const adopted = resource.type === "hcloud-swarm:index:HostHardening";
    return new Map([[resource.name, { name: resource.name, pool: "", role: "none", adopted }]]);
  }
  const named = namedMembers(side.inputs.nodes, "") ?? pooledMembers(side.inputs.pools);
  if (named && named.size > 0) return named;
  // Inputs of a form unknown to this version: the servers and their labels still tell who is there.
  const prefix = `${resource.name}-`;
  const found = new Map<string, Member>();
  for (const child of children) {
    const own = child[which];
    if (!own) continue;
    const name = child.name.startsWith(prefix) ? child.name.slice(prefix.length) : child.name;
    const labelled = [...Object.values(own.labels)].map(roleOf).find((role) => role !== "unknown");
    found.set(name, {
      name,
      pool: "",
      adopted: false,
      role: labelled ?? roleOf(/^(manager|worker)\b/.exec(name)?.[0] ?? null),
    });
  }
  return found;
}

function namedMembers(nodes: Value | undefined, pool: string): Map<string, Member> | undefined {
  const entries: [string, Value | undefined][] = Array.isArray(nodes)
    ? nodes.map((node, index) => [asText(asRecord(node)?.name) ?? `node-${index + 1}`, node])
    : Object.entries(asRecord(nodes) ?? {});
  if (entries.length === 0) return undefined;
  return new Map(
    entries.map(([name, node]): [string, Member] => {
      const record = asRecord(node);
      const role = roleOf(record ? record.role : node);
      return [name, { name, pool: asText(record?.pool) ?? pool, role, adopted: record?.adopted === true }];
    }),
  );
}

function pooledMembers(pools: Value | undefined): Map<string, Member> | undefined {
  const record = asRecord(pools);
  if (!record) return undefined;
  const members = new Map<string, Member>();
  for (const pool of Object.keys(record)) {
    const shape = asRecord(record[pool]);
    const role = roleOf(shape?.role);
    const count = typeof shape?.count === "number" ? Math.min(Math.max(0, shape.count), 1000) : 0;
    const names = shape?.nodes ? Object.keys(asRecord(shape.nodes) ?? {}) : numbered(pool, count);
    for (const name of names) members.set(name, { name, pool, role, adopted: false });
  }
  return members;
}

function numbered(pool: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${pool}-${index + 1}`);
}

/** A role as such, or as the first word of a node's description. */
function roleOf(value: Value | undefined): Member["role"] {
  if (value === UNKNOWN || value === SECRET || typeof value !== "string") return "unknown";
  const word = /^(manager|worker)\b/.exec(value)?.[1];
  return word === "manager" || word === "worker" ? word : "unknown";
}

/** True for what takes a server away or off for a while. */
export function interrupts(action: Action): boolean {
  return action === "replace" || action === "delete";
}
