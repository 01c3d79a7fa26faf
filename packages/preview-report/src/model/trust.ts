/** What decides whom and what the hosts trust: keys, images, Docker, the provider. And what runs on them. */
import { createHash } from "node:crypto";
import { asRecord, asText, at, leafChanges, SECRET, sameValue, show, UNKNOWN, type Value } from "../values/value.js";
import { isComponent, SERVER } from "./cluster.js";
import type { Resource, StackModel } from "./stack.js";
import { changedSections, type UserData } from "./userData.js";

export interface TrustChange {
  kind: "SSH key" | "host key" | "image" | "Docker" | "provider" | "certificate";
  what: string;
  before: string;
  after: string;
  subjects: string[];
}

export interface CommandRun {
  name: string;
  /** `runs`, `runs again`, `may run` where its text is known only during the update, `runs its delete command`, `copies`. */
  what: string;
  host: "new" | "live" | "local";
  keys: string[];
}

export interface UserDataChange {
  subjects: string[];
  linesBefore: string;
  linesAfter: string;
  sections: string[];
}

export function trustOf(model: StackModel): TrustChange[] {
  const found: TrustChange[] = [];
  for (const resource of model.resources.values()) {
    const add = (kind: TrustChange["kind"], what: string, before: string, after: string) =>
      found.push({ kind, what, before, after, subjects: [resource.name] });
    const { before, after, type } = resource;
    const changed = (key: string) => !sameValue(before?.inputs[key] ?? null, after?.inputs[key] ?? null);
    if (type === "hcloud:index/sshKey:SshKey" && resource.action !== "same" && changed("publicKey")) {
      add(
        "SSH key",
        "key in Hetzner Cloud",
        fingerprint(before?.inputs.publicKey),
        fingerprint(after?.inputs.publicKey),
      );
    }
    if (type === SERVER && resource.action !== "same" && resource.action !== "delete") {
      if (changed("image")) add("image", "of a server", show(before?.inputs.image), show(after?.inputs.image));
      if (before && changed("sshKeys")) {
        add("SSH key", "keys of a server at first boot", show(before.inputs.sshKeys), show(after?.inputs.sshKeys));
      }
    }
    if (type.startsWith("command:") && before && after && changed("hostKey")) {
      add("host key", "that is expected of a host", keyText(before.inputs.hostKey), keyText(after.inputs.hostKey));
    }
    if (/(uploadedC|managedC|c)ertificate:/.test(type) && resource.action !== "same") {
      add("certificate", resource.action, before ? "present" : "none", after ? "present" : "none");
    }
    if (type === "pulumi:providers:hcloud" && changed("endpoint")) {
      add("provider", "address of the Hetzner Cloud API", show(before?.inputs.endpoint), show(after?.inputs.endpoint));
    }
    if (isComponent(type)) componentTrust(resource, add);
  }
  return grouped(found, (it) => [it.kind, it.what, it.before, it.after].join("\u0000"));
}

type AddTrust = (kind: TrustChange["kind"], what: string, before: string, after: string) => void;

function componentTrust({ before, after }: Resource, add: AddTrust): void {
  for (const change of leafChanges(before?.inputs.docker, after?.inputs.docker, "docker")) {
    if (before) add("Docker", change.path, show(change.before), show(change.after));
  }
  if (!before || !after) return;
  for (const key of ["hostKey", "host"]) {
    const left: Value | undefined = before.inputs[key];
    const right: Value | undefined = after.inputs[key];
    if (key === "hostKey" && !sameValue(left ?? null, right ?? null))
      add("host key", "of a host", keyText(left), keyText(right));
  }
  const nodes = Object.keys(asRecord(after.inputs.nodes) ?? {}).map((name) => ["nodes", name]);
  for (const path of [["server"], ...nodes]) {
    const [left, right] = [before, after].map((side) => at(side.inputs, ...path, "hostKey") ?? null);
    const text = (key: Value | undefined) => (key === null ? "the host's own" : fingerprint(key));
    if (!sameValue(left, right)) add("host key", `accepted for ${path.at(-1)}`, text(left), text(right));
  }
  const publicKey = (side: typeof before) => at(side.inputs, "ssh", "publicKey") ?? side.inputs.publicKey;
  if (!sameValue(publicKey(before) ?? null, publicKey(after) ?? null)) {
    add("SSH key", "of a component", fingerprint(publicKey(before)), fingerprint(publicKey(after)));
  }
}

function keyText(value: Value | undefined): string {
  return value === undefined || value === null ? "not verified" : fingerprint(value);
}

/** `ssh-ed25519 SHA256:…` as `ssh-keygen -l` prints it. */
export function fingerprint(value: Value | undefined): string {
  if (value === undefined || value === null) return "none";
  if (value === UNKNOWN || value === SECRET) return show(value);
  const [type, body] = asText(value)?.trim().split(/\s+/) ?? [];
  if (type === undefined || body === undefined || !/^[A-Za-z0-9+/=]+$/.test(body)) return "unreadable key";
  const bytes = Buffer.from(body, "base64");
  if (bytes.length < 16 || !/^[a-z0-9@.-]{1,64}$/.test(type)) return "unreadable key";
  return `${type} SHA256:${createHash("sha256").update(bytes).digest("base64").replace(/=+$/, "")}`;
}

/** Commands that will run, with what they run on as far as names and parents tell. */
export function commandsOf(model: StackModel): CommandRun[] {
  const fresh = new Map<string, string[]>();
  const live = new Set<string>();
  for (const server of model.resources.values()) {
    if (server.type !== SERVER) continue;
    if (server.action === "create" || server.action === "replace") {
      const names = fresh.get(server.parent);
      if (names) names.push(server.name);
      else fresh.set(server.parent, [server.name]);
    } else live.add(server.parent);
  }
  const newNames = new Map([...fresh].map(([parent, names]) => [parent, new Set(names)]));
  const result: CommandRun[] = [];
  for (const resource of model.resources.values()) {
    if (!/^command:(remote|local):/.test(resource.type)) continue;
    const what = runOf(resource);
    if (what === undefined) continue;
    const local = resource.type.startsWith("command:local:");
    const names = newNames.get(resource.parent);
    // Steps are named after their server: `prod-worker-1-policy` belongs to `prod-worker-1`.
    // One for the whole component has only new hosts to run on where there are no others.
    const onNew = names !== undefined && (belongsTo(resource.name, names) || !live.has(resource.parent));
    result.push({
      name: resource.name,
      what,
      host: local ? "local" : onNew ? "new" : "live",
      keys: resource.changedKeys,
    });
  }
  return result;
}

function belongsTo(name: string, servers: ReadonlySet<string>): boolean {
  for (let end = name.lastIndexOf("-"); end > 0; end = name.lastIndexOf("-", end - 1)) {
    if (servers.has(name.slice(0, end))) return true;
  }
  return servers.has(name);
}

/** `undefined` where nothing runs: a Command without a text for what happens to it only keeps its inputs. */
function runOf({ action, type, before, after, changedKeys }: Resource): string | undefined {
  if (/:CopyToRemote|:CopyFile/.test(type)) {
    if (action === "create") return "copies files";
    return action === "update" || action === "replace" ? "copies files again" : undefined;
  }
  const made = after?.inputs.create;
  const remove = action === "replace" || action === "delete" ? before?.inputs.delete : undefined;
  const text = action === "update" ? (after?.inputs.update ?? made) : action === "delete" ? undefined : made;
  if (!["create", "update", "replace", "delete"].includes(action)) return undefined;
  if (text === undefined) return remove === undefined ? undefined : "runs its delete command";
  if (remove !== undefined) return "runs its delete command, then runs anew";
  // Its text is made while the update runs. It may turn out to be none, or the same as before.
  const ran = action === "update" ? (before?.inputs.update ?? before?.inputs.create) : undefined;
  const surely = changedKeys.some((key) => after?.inputs[key] !== UNKNOWN);
  if (text === UNKNOWN && (ran === undefined || !surely)) return "may run (known only during the update)";
  return action === "create" ? "runs" : action === "update" ? "runs again" : "runs anew";
}

export function userDataChanges(model: StackModel): UserDataChange[] {
  const found: UserDataChange[] = [];
  for (const server of model.resources.values()) {
    if (server.type !== SERVER || server.action === "same" || server.action === "delete") continue;
    const [before, after] = [server.before?.userData, server.after?.userData];
    if (
      !after ||
      (before && before.state === after.state && before.digest === after.digest && after.state !== "unknown")
    )
      continue;
    if (!before && after.state === "none") continue;
    found.push({
      subjects: [server.name],
      linesBefore: before ? linesOf(before) : "none",
      linesAfter: linesOf(after),
      sections:
        before?.state === "text" && after.state === "text"
          ? changedSections(before, after)
          : after.state === "text"
            ? [...after.sections.keys()].sort()
            : ["not known"],
    });
  }
  return grouped(found, (it) => [it.linesBefore, it.linesAfter, ...it.sections].join("\u0000"));
}

function linesOf(data: UserData): string {
  if (data.state === "unknown") return "known after the update";
  if (data.state === "secret") return "secret, not compared";
  return data.state === "none" ? "none" : `${data.lines} line${data.lines === 1 ? "" : "s"}`;
}

function grouped<T extends { subjects: string[] }>(items: T[], keyOf: (item: T) => string): T[] {
  const groups = new Map<string, T>();
  for (const item of items) {
    const known = groups.get(keyOf(item));
    if (known) known.subjects.push(...item.subjects);
    else groups.set(keyOf(item), item);
  }
  return [...groups.values()];
}
