/** What Hetzner Cloud has under a name, and how it is deleted. The token goes into a header and nowhere else. */
import * as z from "zod";
import { type Found, foundSchema } from "./leftover";

export interface CloudAccess {
  readonly token: string;
  readonly endpoint: string;
}

export interface CloudKind {
  /** In the API's paths and answers. */
  readonly path: string;
  /** As the `hcloud` command calls it. */
  readonly command: string;
  /** For messages. */
  readonly title: string;
}

/** By Pulumi's types: what has a name that can be had once in a project. */
export const kinds: Readonly<Record<string, CloudKind>> = Object.fromEntries(
  [
    ["server:Server", "server"],
    ["sshKey:SshKey", "SSH key"],
    ["network:Network", "network"],
    ["firewall:Firewall", "firewall"],
    ["placementGroup:PlacementGroup", "placement group"],
    ["volume:Volume", "volume"],
    ["primaryIp:PrimaryIp", "primary IP"],
    ["loadBalancer:LoadBalancer", "load balancer"],
  ].map(([type = "", title = ""]) => {
    const words = title.toLowerCase().split(" ");
    return [`hcloud:index/${type}`, { title, path: `${words.join("_")}s`, command: words.join("-") }];
  }),
);

/** Time for one request; and how long something may be locked or going, which deployments that were cut off leave it. */
const patience = { request: 15_000, deletion: 120_000, pause: 2_000 };

export async function lookUp(access: CloudAccess, { path }: CloudKind, name: string): Promise<Found | undefined> {
  return (await listed(access, path, { name })).find((one) => one.name === name);
}

/** The SSH key that has this fingerprint, whatever its name. */
export async function lookUpKey(access: CloudAccess, fingerprint: string): Promise<Found | undefined> {
  return (await listed(access, "ssh_keys", { fingerprint })).find((one) => one.fingerprint === fingerprint);
}

async function listed(access: CloudAccess, path: string, filter: Record<string, string>): Promise<readonly Found[]> {
  const { status, body } = await request(access, "GET", `/${path}?${String(new URLSearchParams(filter))}`);
  if (status !== 200) throw new Error(`Hetzner Cloud answers ${status}`);
  return z.looseObject({ [path]: z.array(foundSchema) }).parse(body)[path] as Found[];
}

/** Deletes it and waits until its name is free. @throws Error saying what Hetzner Cloud says */
export async function remove(access: CloudAccess, kind: CloudKind, found: Found): Promise<void> {
  await setFree(access, kind, found);
  const end = Date.now() + patience.deletion;
  for (;;) {
    const { status, body } = await request(access, "DELETE", `/${kind.path}/${found.id}`);
    if (status < 300 || status === 404) break;
    // It is still being made, or something else of it goes at the moment.
    const isBusy = status === 423 || status === 409 || status === 429 || status >= 500;
    if (!isBusy || Date.now() > end) throw new Error(`Hetzner Cloud does not delete it: ${messageOf(status, body)}`);
    await pause();
  }
  while ((await lookUp(access, kind, found.name))?.id === found.id) {
    if (Date.now() > end) throw new Error("Hetzner Cloud has not deleted it after two minutes");
    await pause();
  }
}

const appliedSchema = z.array(z.looseObject({ type: z.string() }));

/** A firewall is not deleted while it is applied to something. */
async function setFree(access: CloudAccess, { path }: CloudKind, { id, applied_to: applied }: Found): Promise<void> {
  const targets = path === "firewalls" ? appliedSchema.parse(applied ?? []) : [];
  if (targets.length === 0) return;
  const remove_from = targets.map(({ applied_to_resources: _, ...target }) => target);
  await request(access, "POST", `/firewalls/${id}/actions/remove_from_resources`, { remove_from });
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

async function request({ token, endpoint }: CloudAccess, method: string, path: string, body?: object): Promise<Answer> {
  const answer = await fetch(`${endpoint}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    signal: AbortSignal.timeout(patience.request),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, body: text === "" ? undefined : JSON.parse(text) };
}

const errorSchema = z.looseObject({ error: z.looseObject({ code: z.string(), message: z.string() }) });

function messageOf(status: number, body: unknown): string {
  const parsed = errorSchema.safeParse(body);
  return parsed.success ? `${parsed.data.error.message} (${parsed.data.error.code})` : String(status);
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, patience.pause));
}
