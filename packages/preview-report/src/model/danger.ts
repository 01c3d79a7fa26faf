/** What hurts: servers that go or stop, data and addresses that go with them, quorum, protection. */
import { sameValue, show, UNKNOWN } from "../values/value.js";
import { type Cluster, interrupts, SERVER } from "./cluster.js";
import type { Resource, Side, StackModel } from "./stack.js";

export const DANGER_KINDS = [
  "delete-server",
  "replace-server",
  "quorum",
  "reboot",
  "data-loss",
  "lost-protection",
] as const;
export type DangerKind = (typeof DANGER_KINDS)[number];

export interface Danger {
  kind: DangerKind;
  /** What happens, in our words; values of the input in it are shown through the redactor. */
  what: string;
  /** Names of the resources that it happens to. */
  subjects: string[];
}

/** A remark on quorum that is no danger in itself. */
export interface QuorumNote {
  cluster: string;
  managersBefore: number | undefined;
  managersAfter: number | undefined;
  text: string;
}

/** Resources that hold data or an address that others rely on. */
const PRECIOUS: Record<string, string> = {
  "hcloud:index/volume:Volume": "volume",
  "hcloud:index/snapshot:Snapshot": "snapshot",
  "hcloud:index/storageBox:StorageBox": "storage box",
  "hcloud:index/primaryIp:PrimaryIp": "primary IP address",
  "hcloud:index/floatingIp:FloatingIp": "floating IP address",
  "hcloud:index/network:Network": "network",
  "hcloud:index/loadBalancer:LoadBalancer": "load balancer",
  "hcloud:index/zone:Zone": "DNS zone",
};

export function dangersOf(model: StackModel, clusters: readonly Cluster[]): { dangers: Danger[]; notes: QuorumNote[] } {
  const found: Danger[] = [];
  const add = (kind: DangerKind, what: string, subject: string) => found.push({ kind, what, subjects: [subject] });
  const successors = successorsOf(clusters);
  for (const resource of model.resources.values()) {
    if (resource.type === SERVER) serverDangers(resource, successors.get(resource.urn), add);
    else if (Object.hasOwn(PRECIOUS, resource.type) && interrupts(resource.action) && !stays(resource)) {
      add("data-loss", `${PRECIOUS[resource.type]} is ${past(resource)}${reasons(resource)}`, resource.name);
    }
    if (resource.type.startsWith("command:") && resource.after && resource.action !== "same") {
      const stops = Object.values(resource.after.inputs).includes("stops");
      if (stops) add("reboot", "a command that runs mentions a reboot or power-off", resource.name);
    }
    protectionDangers(resource, add);
  }
  const notes = clusters.flatMap((cluster) => quorum(cluster, add));
  return { dangers: grouped(found), notes };
}

type Add = (kind: DangerKind, what: string, subject: string) => void;

/** The server that a node has before the update; of a node that has been replaced it is named `NODE-rNUMBER`. */
function serverOf(servers: ReadonlyMap<string, Resource>, node: string): Resource | undefined {
  const own = servers.get(node);
  if (own?.before) return own;
  const later = [...servers].find(([name, it]) => it.before && name.replace(/-r\d+$/, "") === node);
  return later?.[1] ?? own;
}

/** A node's server that goes because another one, named `NODE-rNUMBER`, takes its place: by the URN of the one that goes. */
function successorsOf(clusters: readonly Cluster[]): Map<string, Resource> {
  const found = new Map<string, Resource>();
  for (const { servers } of clusters) {
    const nodeOf = (name: string) => name.replace(/-r\d+$/, "");
    const made = [...servers]
      .filter(([, it]) => it.action === "create")
      .map(([name, it]) => [nodeOf(name), it] as const);
    const byNode = new Map(made);
    for (const [name, server] of servers) {
      const next = server.action === "delete" ? byNode.get(nodeOf(name)) : undefined;
      if (next) found.set(server.urn, next);
    }
  }
  return found;
}

function serverDangers(server: Resource, successor: Resource | undefined, add: Add): void {
  if (server.action === "delete") {
    if (successor) add("replace-server", `server is replaced by ${successor.name}, its disk is lost`, server.name);
    else if (stays(server))
      add("lost-protection", "server leaves the program and stays in Hetzner Cloud, unmanaged", server.name);
    else add("delete-server", "server is deleted with everything on its disk", server.name);
    return;
  }
  if (server.action === "replace") {
    add("replace-server", `server is replaced, its disk is lost${reasons(server)}`, server.name);
    return;
  }
  if (server.action !== "update" || !server.before || !server.after) return;
  for (const what of powerOffs(server.before, server.after, server.changedKeys)) add("reboot", what, server.name);
}

/** Changes that Hetzner Cloud makes only with the power off; sources: the provider's update of a server. */
function powerOffs(before: Side, after: Side, changed: readonly string[]): string[] {
  const differs = (key: string) =>
    changed.some((path) => path === key || path.startsWith(`${key}.`) || path.startsWith(`${key}[`));
  const result: string[] = [];
  const [left, right] = [before.inputs, after.inputs];
  if (differs("serverType") || (left.serverType !== undefined && !sameValue(left.serverType, right.serverType))) {
    result.push(`powered off to change its type: ${show(left.serverType)} to ${show(right.serverType)}`);
  }
  if (differs("publicNets") || !sameValue(left.publicNets ?? [], right.publicNets ?? [])) {
    result.push("powered off to change its public network");
  }
  const group = [left.placementGroupId ?? null, right.placementGroupId ?? null] as const;
  if (differs("placementGroupId") || (group[0] !== UNKNOWN && group[1] !== UNKNOWN && !sameValue(...group))) {
    result.push(
      group[1] === null
        ? "must be powered off to leave its placement group"
        : "must be powered off to change its placement group",
    );
  }
  if (differs("rescue") || !sameValue(left.rescue ?? null, right.rescue ?? null)) {
    result.push("restarted to enter or leave rescue mode");
  }
  if (differs("iso") || !sameValue(left.iso ?? null, right.iso ?? null))
    result.push("restarted to attach or detach an ISO");
  return result;
}

function protectionDangers(resource: Resource, add: Add): void {
  const { before, after } = resource;
  if (resource.type === "hcloud-swarm:index:HostHardening" && resource.action === "delete") {
    add("lost-protection", "the host loses its rules, or keeps them with nobody to keep them in step", resource.name);
  }
  if (!before || !after || resource.action === "delete") return;
  if (before.protect && !after.protect) add("lost-protection", "loses Pulumi's protection", resource.name);
  if (before.retainOnDelete && !after.retainOnDelete) {
    add("lost-protection", "will no longer be kept when it is removed from the program", resource.name);
  }
  const lost = ["deleteProtection", "rebuildProtection"].filter(
    (key) => before.inputs[key] === true && after.inputs[key] !== true,
  );
  if (lost.length > 0 && !resource.type.startsWith("hcloud-swarm:")) {
    add("lost-protection", `loses Hetzner Cloud's protection (${lost.join(", ")})`, resource.name);
  }
}

/** Majority of a number of managers. */
const majority = (managers: number): number => Math.floor(managers / 2) + 1;

function quorum(cluster: Cluster, add: Add): QuorumNote[] {
  const { before, after, servers, resource } = cluster;
  if (resource.type !== "hcloud-swarm:index:SwarmCluster") return [];
  const managers = (side: Cluster["before"]) =>
    side && [...side.values()].filter((it) => it.role === "manager").map((it) => it.name);
  const [old, next] = [managers(before), managers(after)];
  const note = (text: string): QuorumNote => ({
    cluster: resource.name,
    managersBefore: old?.length,
    managersAfter: next?.length,
    text,
  });
  if (cluster.doubtful) return [note("the nodes' roles cannot be told from this input: quorum is unknown")];
  if (!next) return [];
  const count = next.length;
  let fewer = "";
  if (old && old.length > 0) {
    const staying = new Set(next);
    const kept = old.filter((name) => staying.has(name));
    const stopped = kept.filter((name) => {
      const server = serverOf(servers, name);
      if (!server || server.action === "same") return false;
      if (interrupts(server.action)) return true;
      return server.action === "update" && server.before && server.after
        ? powerOffs(server.before, server.after, server.changedKeys).length > 0
        : false;
    });
    const away = old.length - kept.length + stopped.length;
    if (away > 0)
      fewer = `; ${away} of ${old.length} go${away === 1 ? "es" : ""} or stop${away === 1 ? "s" : ""} in this update`;
    if (old.length - away < majority(old.length)) {
      add(
        "quorum",
        `${away} of ${old.length} managers go or stop in one update: ${old.length - away} stay, ${majority(old.length)} are needed`,
        resource.name,
      );
    }
    if (count < old.length && tolerated(count) < tolerated(old.length)) {
      add(
        "quorum",
        `managers go from ${old.length} to ${count}: the swarm survives the loss of ${tolerated(count)} instead of ${tolerated(old.length)}`,
        resource.name,
      );
    }
  }
  if (count === 0) add("quorum", "no manager is left", resource.name);
  const even = count > 0 && count % 2 === 0 ? "; an even number tolerates no more than one manager fewer" : "";
  const changed = old?.join() !== next.join();
  return changed || fewer !== ""
    ? [
        note(
          `${count} manager${count === 1 ? "" : "s"} after the update, ${majority(count)} needed, ${tolerated(count)} may fail${even}${fewer}`,
        ),
      ]
    : [];
}

function tolerated(managers: number): number {
  return Math.max(0, managers - majority(managers));
}

/** Removed from the program only. */
function stays(resource: Resource): boolean {
  return resource.action === "delete" && resource.before?.retainOnDelete === true;
}

function past(resource: Resource): string {
  return resource.action === "delete" ? "deleted" : "replaced";
}

/** The properties that force a replacement, as text of the input. */
function reasons(resource: Resource): string {
  return resource.replaceKeys.length > 0 ? ` (because of ${resource.replaceKeys.slice(0, 8).join(", ")})` : "";
}

/** One entry for what happens to many alike. */
function grouped(dangers: Danger[]): Danger[] {
  const groups = new Map<string, Danger>();
  for (const danger of dangers) {
    const key = `${danger.kind} ${danger.what}`;
    const known = groups.get(key);
    if (known) known.subjects.push(...danger.subjects);
    else groups.set(key, danger);
  }
  return [...groups.values()].sort((a, b) => DANGER_KINDS.indexOf(a.kind) - DANGER_KINDS.indexOf(b.kind));
}
