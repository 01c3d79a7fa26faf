/** The policy: what a user opens. Everything that it does not name stays closed. */
import * as z from "zod";
import { type ContainerEgress, type ContainerEgressInput, containerEgressSchema } from "./containerEgress";
import {
  anySource,
  mergeEntries,
  type PolicyEntry,
  type PortOpening,
  type PortProtocol,
  rangesOverlap,
  rangeText,
} from "./entries";
import { PolicyError, type PolicyProblem } from "./errors";
import { endNotBeforeStart, flag, networkList, port, protocol, scope, scopeOf, strict, whole } from "./fields";

/** Ports by protocol, as a user writes them. */
export interface PortInput {
  /** First or only port as the outside world dials it, 1 to 65535; never the container's port. */
  readonly port: number;
  /** Last port of a range, included; default: `port`. */
  readonly endPort?: number | undefined;
  /** Default: `tcp`. */
  readonly protocol?: PortProtocol | undefined;
}

export interface PortEntryInput extends PortInput {
  /**
   * Networks or single addresses of both families that may dial; default: everybody (`0.0.0.0/0` and `::/0`). A family
   * without a network is closed. Networks with host bits set are refused.
   */
  readonly sources?: readonly string[] | undefined;
  /** Pools to open it on; default, with `nodes` absent too: every node. */
  readonly pools?: readonly string[] | undefined;
  /** Nodes to open it on, beside those of `pools`. */
  readonly nodes?: readonly string[] | undefined;
}

export interface SshRateLimitInput {
  /** New connections a minute from one IPv4 address or one IPv6 /64, 1 to 600. */
  readonly perMinute: number;
  /** New connections at once before the limit bites, 1 to 600; default: `perMinute`. */
  readonly burst?: number | undefined;
}

export interface SshInput {
  /** The port of the nodes' sshd; default: 22. */
  readonly port?: number | undefined;
  /** Default: everybody. Never empty: a node that nobody can reach cannot be repaired. */
  readonly sources?: readonly string[] | undefined;
  /** Default: no limit. */
  readonly rateLimit?: SshRateLimitInput | undefined;
}

export interface IcmpInput {
  /** Whether nodes answer ping; default: true. Errors and IPv6 neighbour discovery always pass. */
  readonly echo?: boolean | undefined;
}

export interface LogDropsInput {
  /** Whether refused packets go to the kernel's log; default: false. */
  readonly enabled?: boolean | undefined;
  /** Lines a minute for each chain, 1 to 600; default: 6. */
  readonly perMinute?: number | undefined;
}

export interface PolicyInput {
  /** Ports that containers publish, through the swarm's ingress, `mode=host` or `docker run -p`; default: 80/tcp, 443/tcp. */
  readonly publishedPorts?: readonly PortEntryInput[] | undefined;
  /** Ports of daemons on the host and of containers on the host's network; default: none. */
  readonly hostServices?: readonly PortEntryInput[] | undefined;
  readonly ssh?: SshInput | undefined;
  readonly icmp?: IcmpInput | undefined;
  /**
   * Interfaces behind which only containers sit, besides Docker's own (`docker0`, `docker_gwbridge`, `br-…`): bridges with a
   * name of their own. A `+` at the end stands for any ending. Traffic that they forward is free, their way to the host is not.
   */
  readonly trustedInterfaces?: readonly string[] | undefined;
  /** Whether containers may read Hetzner's metadata service at 169.254.169.254, the server's user-data included; default: false. */
  readonly metadataAccess?: boolean | undefined;
  /** Ports of their own host that containers may dial; default: none beside what is open to their addresses anyway. */
  readonly containerToHost?: readonly PortInput[] | undefined;
  /**
   * What containers may dial beyond their node; default: everything but the metadata service and the swarm's own ports of peers.
   * Containers on the host's network are not limited by it.
   */
  readonly containerEgress?: ContainerEgressInput | undefined;
  readonly logDrops?: LogDropsInput | undefined;
}

/** A policy with everything said, sorted and without duplicates. It is a valid `PolicyInput` for the same policy. */
export interface Policy {
  readonly publishedPorts: readonly PolicyEntry[];
  readonly hostServices: readonly PolicyEntry[];
  readonly ssh: {
    readonly port: number;
    readonly sources: readonly string[];
    readonly rateLimit?: { readonly perMinute: number; readonly burst: number };
  };
  readonly icmp: { readonly echo: boolean };
  readonly trustedInterfaces: readonly string[];
  readonly metadataAccess: boolean;
  readonly containerToHost: readonly PortOpening[];
  /** Absent: containers dial everywhere. */
  readonly containerEgress?: ContainerEgress;
  readonly logDrops: { readonly enabled: boolean; readonly perMinute: number };
}

/** The interfaces of Docker's own bridges on a host; `+` stands for any ending, as iptables has it. */
export const dockerInterfaces: readonly string[] = ["docker0", "docker_gwbridge", "br-+"];

const interfacePattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$|^[A-Za-z0-9_][A-Za-z0-9_.-]{2,13}\+$/;
const interfaceRule =
  "an interface's name of up to 15 letters, digits, '.', '_' and '-', with three of them before a '+' at its end";
const networkCards = ["lo", "eth0", "ens1", "enp1s0", "eno1", "enx0"];

const portShape = { port, endPort: port.optional(), protocol: protocol.default("tcp") };
const portEntry = strict({
  ...portShape,
  sources: networkList("at least one network or address; leave it out for everybody"),
  ...scope,
})
  .superRefine(endNotBeforeStart)
  .transform((entry): PolicyEntry => ({ ...withEnd(entry), sources: entry.sources, ...scopeOf(entry) }));
const portEntries = z.array(portEntry, { error: "a list of ports" }).max(1000, { error: "up to 1000 entries" });
const containerPorts = z
  .array(strict(portShape).superRefine(endNotBeforeStart).transform(withEnd), { error: "a list of ports" })
  .max(1000, { error: "up to 1000 entries" });

const rateLimit = strict({
  perMinute: whole(1, 600, "new connections a minute"),
  burst: whole(1, 600, "new connections at once").optional(),
}).transform(({ perMinute, burst }) => ({ perMinute, burst: burst ?? perMinute }));
const ssh = strict({
  port: port.default(22),
  sources: networkList("at least one network or address: SSH is never shut out from everywhere"),
  rateLimit: rateLimit.optional(),
});
const trustedInterface = z
  .string({ error: interfaceRule })
  .regex(interfacePattern, { error: interfaceRule })
  .refine((name) => !isNetworkCard(name), {
    error: "a bridge that containers sit behind; never lo or a network card (eth…, en…)",
  });

/** The schema of `PolicyInput`; its output is the normalized `Policy`. Messages say what is allowed. */
export const policySchema = strict({
  publishedPorts: portEntries.prefault([{ port: 80 }, { port: 443 }]).transform(mergeEntries),
  hostServices: portEntries.prefault([]).transform(mergeEntries),
  ssh: ssh.prefault({}),
  icmp: strict({ echo: flag.default(true) }).prefault({}),
  trustedInterfaces: z
    .array(trustedInterface, { error: "a list of interface names" })
    .prefault([])
    .transform(simplifyInterfaces),
  metadataAccess: flag.default(false),
  containerToHost: containerPorts.prefault([]).transform(mergeOpenings),
  containerEgress: containerEgressSchema.optional(),
  logDrops: strict({ enabled: flag.default(false), perMinute: whole(1, 600, "lines a minute").default(6) }).prefault(
    {},
  ),
})
  .superRefine((policy, context) => {
    policy.hostServices.forEach((entry) => {
      const sshPort = { protocol: "tcp", port: policy.ssh.port, endPort: policy.ssh.port } as const;
      if (entry.protocol !== "tcp" || !rangesOverlap(entry, sshPort)) return;
      const message = `host services beside SSH's port ${policy.ssh.port}, whose sources are those of ssh.sources`;
      context.addIssue({ code: "custom", path: ["hostServices"], message, params: { given: openingText(entry) } });
    });
  })
  .transform(({ ssh: { rateLimit: limit, ...rest }, containerEgress: egress, ...policy }): Policy => {
    const ssh = { ...rest, ...(limit && { rateLimit: limit }) };
    return { ...policy, ssh, ...(egress && { containerEgress: egress }) };
  });

/**
 * Checks and completes a policy. Idempotent, and blind to the order and repetition of lists.
 * @throws PolicyError naming every wrong place, what stands there and what may.
 */
export function normalizePolicy(input: unknown = {}): Policy {
  const result = policySchema.safeParse(input);
  if (result.success) return result.data;
  throw new PolicyError(result.error.issues.map((issue) => problemOf(input, issue)));
}

/** `8000-8100/tcp`, or `80/tcp`. */
export function openingText(opening: PortOpening): string {
  return `${rangeText(opening)}/${opening.protocol}`;
}

/** Names that the policy limits openings to and that are no pool or node of the cluster. */
export function unknownScopeNames(
  policy: Policy,
  known: { readonly pools: readonly string[]; readonly nodes: readonly string[] },
): readonly string[] {
  const entries = [...policy.publishedPorts, ...policy.hostServices, ...(policy.containerEgress?.open ?? [])];
  const pools = entries.flatMap((entry) => entry.pools ?? []).filter((pool) => !known.pools.includes(pool));
  const nodes = entries.flatMap((entry) => entry.nodes ?? []).filter((node) => !known.nodes.includes(node));
  return [...new Set([...pools.map((pool) => `pool ${pool}`), ...nodes.map((node) => `node ${node}`)])].sort();
}

/** What an opening says of ports, and no more. */
function withEnd(opening: { protocol: PortProtocol; port: number; endPort?: number | undefined }): PortOpening {
  return { protocol: opening.protocol, port: opening.port, endPort: opening.endPort ?? opening.port };
}

function mergeOpenings(openings: readonly PortOpening[]): readonly PortOpening[] {
  return mergeEntries(openings.map((opening) => ({ ...opening, sources: anySource }))).map(withEnd);
}

/** Sorted, without repetition, without what Docker's own names or a longer pattern of the list cover. */
function simplifyInterfaces(names: readonly string[]): readonly string[] {
  const unique = [...new Set(names)].sort();
  return unique.filter((name) => ![...dockerInterfaces, ...unique].some((pattern) => coversInterface(pattern, name)));
}

/** Whether `pattern` matches all that `name` matches, and is not the same. */
function coversInterface(pattern: string, name: string): boolean {
  if (dockerInterfaces.includes(name)) return true;
  return pattern !== name && pattern.endsWith("+") && name.replace(/\+$/, "").startsWith(pattern.slice(0, -1));
}

/** A slip here would open the whole of FORWARD, so the usual names of network cards are refused, patterns for them too. */
function isNetworkCard(name: string): boolean {
  const stem = name.replace(/\+$/, "");
  if (stem !== name && networkCards.some((card) => card.startsWith(stem))) return true;
  return stem === "lo" || /^(eth|en[ospx])[0-9a-f]/.test(stem);
}

function problemOf(input: unknown, issue: z.core.$ZodIssue): PolicyProblem {
  const unknownKey = issue.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const path = [...issue.path, ...(unknownKey === undefined ? [] : [unknownKey])];
  const text = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("");
  const given: unknown = issue.code === "custom" ? issue.params?.given : undefined;
  return {
    path: text.replace(/^\./, "") || "policy",
    given:
      typeof given === "string"
        ? given
        : unknownKey === undefined
          ? describe(valueAt(input, issue.path))
          : "an unknown field",
    allowed: issue.message,
  };
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, part) => (typeof value === "object" && value !== null ? Reflect.get(value, part) : undefined),
    input,
  );
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (typeof value === "object") return "an object";
  return typeof value === "string"
    ? JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
    : String(value);
}
