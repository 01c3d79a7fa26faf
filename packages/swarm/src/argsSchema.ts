/** The run-time check of the public arguments (`args.ts`), with their defaults. */
import * as z from "zod";
import {
  BeyondLimits,
  DockerChannel,
  type HardenedServerArgs,
  type HostHardeningArgs,
  MaintenanceUpgrade,
  NodeRole,
  type SwarmClusterArgs,
  VerifyMode,
} from "./args";
import type { Same } from "./argsTypes";
import { contains, formatRange4, overlap, parseRange4, type Range4 } from "./cidr";
import { type Policy, policySchema, unknownScopeNames } from "./firewall";
import { flag, inputOf, oneOf, strict, text, whole } from "./invalidArgument";
import { publicKeyOf, SshKeyError } from "./remote/sshKey";

const idText = inputOf(text(/^[1-9]\d*$/, "the number of something in Hetzner Cloud, as text"));
const existing = strict({ id: idText });
const subnetId = inputOf(text(/^[1-9]\d*-\d+\.\d+\.\d+\.\d+\/\d+$/, "the id of a subnet, such as 4711-10.0.1.0/24"));

/** A private key that can be used: parsed, so that a wrong file is told before a server is made. */
export const privateKeySchema = z.string({ error: "an SSH private key as text" }).superRefine((value, context) => {
  try {
    publicKeyOf(value);
  } catch (error) {
    if (!(error instanceof SshKeyError)) throw error;
    const message = `an SSH private key without a passphrase, as text (this one: ${error.message})`;
    const given = value === "" ? "an empty text" : "a text, not shown here";
    context.addIssue({ code: "custom", message, params: { given } });
  }
});

export const publicKeySchema = text(
  /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+=*( [^\n]*)?\n?$/,
  "an SSH public key as in authorized_keys",
);

/** Nodes serve Ed25519 only, and Go's SSH client would negotiate another type with a host that has one. */
export const hostKeySchema = text(
  /^(ssh-ed25519 [A-Za-z0-9+/]{68}|(ecdsa-sha2-nistp(256|384|521)|ssh-rsa) [A-Za-z0-9+/]{100,1500}={0,2})( [^\n]*)?\n?$/,
  "a host key of one line, such as ecdsa-sha2-nistp256 AAAA… or ssh-ed25519 AAAA…",
);

/** A name that a host can have in DNS. */
export const hostName = text(
  /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/,
  "up to 63 small letters, digits and '-', a letter first",
);

const ssh = strict({
  privateKey: inputOf(privateKeySchema),
  previousPrivateKey: inputOf(privateKeySchema).optional(),
  publicKey: inputOf(publicKeySchema).optional(),
  existing: existing.optional(),
}).superRefine(({ privateKey, previousPrivateKey }, context) => {
  if (
    typeof privateKey === "string" &&
    typeof previousPrivateKey === "string" &&
    isSameKey(privateKey, previousPrivateKey)
  )
    context.addIssue({
      code: "custom",
      path: ["previousPrivateKey"],
      message: otherKey.allowed,
      params: { given: otherKey.given },
    });
});

/** What is wrong with a previous key that is the present one. */
export const otherKey = { given: "the key of ssh.privateKey", allowed: "the key before it, or nothing" } as const;

/** Whether two private keys, each checked by its own schema, are one. */
export function isSameKey(one: string, other: string): boolean {
  try {
    return publicKeyOf(one) === publicKeyOf(other);
  } catch (error) {
    if (error instanceof SshKeyError) return false;
    throw error;
  }
}

/** What Hetzner Cloud takes as labels: keys and values of up to 63 characters. */
const labels = z.record(
  text(/^([a-z0-9A-Z.-]{1,253}\/)?[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?$/, "a label's name"),
  text(/^([a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?)?$/, "up to 63 letters, digits, '.', '_' and '-'"),
  { error: "texts by name" },
);

/** What a server is where nobody says otherwise: the smallest type with 4 GB, in Germany, on the current Debian. */
export const serverDefaults = { serverType: "cx23", location: "fsn1", image: "debian-13" } as const;
const serverType = text(/^[a-z0-9-]{2,30}$/, "a Hetzner Cloud server type, such as cx23");
const location = text(/^[a-z0-9-]{2,30}$/, "a Hetzner Cloud location, such as fsn1");
const image = text(/^[a-zA-Z0-9._-]{1,100}$/, "an image's name, such as debian-13");
const shape = {
  serverType: serverType.optional(),
  location: location.optional(),
  image: image.optional(),
  labels: labels.optional(),
};

/** The last label of a host name, and the key of a node or a pool. */
const plainName = text(/^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$/, "up to 20 small letters, digits and '-', a letter first");

const address = inputOf(text(/^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$/, "a host's name or address"));
const user = text(/^[a-z_][a-z0-9_-]{0,31}$/, "a user's name").default("root");
const swarmAddress = inputOf(text(/^[0-9a-fA-F.:]{2,45}$/, "an address"));

const adopt = strict({
  id: idText.optional(),
  importId: text(/^[1-9]\d*$/, "the number of a server in Hetzner Cloud, as text").optional(),
  alias: text(/^(urn:pulumi:\S+|[^:\s]+)$/, "a resource's name, or its URN").optional(),
  hostKey: inputOf(hostKeySchema),
  hostName: hostName.optional(),
  host: address.optional(),
  user,
  address: swarmAddress.optional(),
  mayReboot: flag.default(false),
  mayReplace: flag.default(false),
  keepOnRemove: flag.default(false),
}).superRefine((value, context) => {
  const issue = (path: string, message: string, given: string) =>
    context.addIssue({ code: "custom", path: [path], message, params: { given } });
  const ways = (["id", "importId", "alias"] as const).filter((way) => value[way] !== undefined);
  if (ways.length !== 1)
    issue("id", "one of id, importId and alias", ways.length === 0 ? "none of them" : ways.join(" and "));
  if (value.mayReboot && value.id !== undefined)
    issue("mayReboot", "nothing: a server of `id` is not the component's to change", "true");
  if (value.mayReplace && value.alias === undefined)
    issue("mayReplace", "nothing, but with alias: any other server is given back, and a new node made", "true");
  if (value.keepOnRemove && value.id === undefined)
    issue("keepOnRemove", "nothing, but with id: any other server is deleted with its node", "true");
});

export type AdoptPlan = z.output<typeof adopt>;

const node = strict({
  ...shape,
  replacement: whole(0, 999, "a number of replacements").optional(),
  adopt: adopt.optional(),
}).superRefine(({ adopt: adopted, replacement }, context) => {
  if (adopted !== undefined && replacement !== undefined && replacement > 0)
    context.addIssue({
      code: "custom",
      path: ["replacement"],
      message: "nothing beside adopt: take `adopt` out where a fresh server is to come in the place of an adopted one",
    });
});
const pool = strict({
  role: oneOf(NodeRole),
  count: whole(1, 100, "nodes").optional(),
  nodes: z.record(plainName, node, { error: "nodes by name" }).optional(),
  ...shape,
  placementGroup: existing.optional(),
}).superRefine((value, context) => {
  const size = value.count ?? Object.values(value.nodes ?? {}).filter((one) => one.adopt === undefined).length;
  if (value.placementGroup !== undefined && size > 10)
    context.addIssue({
      code: "custom",
      path: ["placementGroup"],
      message: "a group of at most 10 servers",
      params: { given: `one for ${size}` },
    });
  if ((value.count === undefined) === (value.nodes === undefined))
    context.addIssue({ code: "custom", path: ["count"], message: "a count or nodes by name, one of the two" });
});

const pools = z.record(plainName, pool, { error: "pools by name" }).superRefine((value, context) => {
  const owner = new Map<string, string>();
  for (const [poolName, shaped] of Object.entries(value)) {
    for (const name of nodeNames(poolName, shaped)) {
      const other = owner.get(name);
      owner.set(name, poolName);
      if (other === undefined) continue;
      const path = shaped.nodes === undefined ? [poolName, "count"] : [poolName, "nodes", name];
      const message = `a name that is in one pool only (${name} is in pool ${other} already)`;
      context.addIssue({ code: "custom", path, message, params: { given: `a second node ${name}` } });
    }
  }
  for (const [poolName, shaped] of Object.entries(value))
    for (const [name, { replacement = 0 }] of Object.entries(shaped.nodes ?? {}))
      if (replacement > 0 && owner.has(`${name}-r${replacement}`))
        context.addIssue({
          code: "custom",
          path: [poolName, "nodes", name, "replacement"],
          message: "a number whose server does not have another node's name",
        });
  const managers = Object.entries(value).flatMap(([name, p]) => (p.role === "manager" ? nodeNames(name, p) : []));
  if (![1, 3, 5, 7].includes(managers.length))
    context.addIssue({
      code: "custom",
      message: "1, 3, 5 or 7 managers: an even number bears no more failures than one less",
      params: { given: managers.length === 0 ? "no manager" : `${managers.length} managers` },
    });
});

/** Names of a pool's nodes, in the order in which a person counts. */
export function nodeNames(
  poolName: string,
  { count, nodes }: { count?: number | undefined; nodes?: object | undefined },
): string[] {
  if (nodes !== undefined) return Object.keys(nodes).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return Array.from({ length: count ?? 0 }, (_, index) => `${poolName}-${index + 1}`);
}

const range4 = z.string({ error: "an IPv4 range" }).transform((value, context): Range4 => {
  const range = parseRange4(value);
  if (range !== undefined) return range;
  context.addIssue({ code: "custom", message: "an IPv4 range such as 10.0.0.0/16, its host bits zero" });
  return z.NEVER;
});

const network = strict({
  ipRange: range4.prefault("10.0.0.0/16"),
  subnetRange: range4.optional(),
  zone: text(/^[a-z0-9-]{2,30}$/, "a network zone, such as eu-central").default("eu-central"),
  existing: existing.optional(),
  existingSubnet: strict({ id: subnetId }).optional(),
  overlayRange: range4.prefault("10.128.0.0/9"),
})
  .superRefine((value, context) => {
    const issue = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    if (value.existingSubnet !== undefined && value.subnetRange !== undefined)
      issue("subnetRange", "nothing beside existingSubnet, which is not made anew");
    if (value.subnetRange !== undefined && !contains(value.ipRange, value.subnetRange))
      issue("subnetRange", `a range within ${formatRange4(value.ipRange)}`);
    if (overlap(value.ipRange, value.overlayRange))
      issue("overlayRange", `a range that does not overlap with ${formatRange4(value.ipRange)}`);
    if (value.overlayRange.prefix > 16) issue("overlayRange", "a range of /16 or larger");
  })
  .transform(({ ipRange, subnetRange, overlayRange, ...rest }) => ({
    ...rest,
    ipRange: formatRange4(ipRange),
    overlayRange: formatRange4(overlayRange),
    subnetRange: subnetOf(ipRange, subnetRange, (rest.existing ?? rest.existingSubnet) !== undefined),
  }));

/** No subnet is made in a network that is there, unless it is asked for. */
function subnetOf(ipRange: Range4, asked: Range4 | undefined, isThere: boolean): string | undefined {
  if (asked !== undefined) return formatRange4(asked);
  return isThere ? undefined : formatRange4({ ...ipRange, prefix: Math.max(ipRange.prefix, 24) });
}

const cloudFirewall = strict({
  enabled: flag.default(true),
  existing: existing.optional(),
  beyondLimits: oneOf(BeyondLimits).default(BeyondLimits.Refuse),
});
const placementGroups = strict({ enabled: flag.default(true) });

/** Settings of dockerd that would undo what the host agent does, or that swarm refuses. */
const refusedDaemonOptions = [
  "allow-direct-routing",
  "bridge",
  "cgroup-parent",
  "firewall-backend",
  "hosts",
  "ip-forward",
  "ip6tables",
  "iptables",
  "live-restore",
];

const docker = strict({
  channel: oneOf(DockerChannel).default(DockerChannel.Debian),
  daemonOptions: z.record(z.string(), z.any(), { error: "values by name" }).prefault({}),
}).superRefine((value, context) => {
  for (const name of Object.keys(value.daemonOptions).filter((key) => refusedDaemonOptions.includes(key)))
    context.addIssue({
      code: "custom",
      path: ["daemonOptions", name],
      message: "anything but what opens the firewall",
    });
});

const maintenance = strict({
  number: whole(0, 9999, "a number of maintenances").default(0),
  upgrade: oneOf(MaintenanceUpgrade).default(MaintenanceUpgrade.None),
  reboot: flag.default(true),
  dockerVersion: text(/^\d{1,4}(\.\d{1,4}){0,2}$/, "the first parts of a version, such as 28.5").optional(),
  timeout: whole(60, 7200, "seconds").default(1800),
}).superRefine(({ number, upgrade, reboot }, context) => {
  if (number > 0 && upgrade === "none" && !reboot)
    context.addIssue({
      code: "custom",
      path: ["number"],
      message: "0, or something to do: reboot, or upgrade docker or all",
      params: { given: `${number} with nothing to do` },
    });
});

const timeouts = strict({
  boot: whole(30, 3600, "seconds").default(600),
  cloudInit: whole(30, 3600, "seconds").default(900),
  swarm: whole(10, 900, "seconds").default(120),
  drain: whole(10, 3600, "seconds").default(300),
  probation: whole(60, 900, "seconds").default(180),
});

const everyHost = {
  policy: policySchema.prefault({}),
  verify: oneOf(VerifyMode).default(VerifyMode.OnChange),
  timeouts: timeouts.prefault({}),
};
const everyServer = {
  ssh,
  ...everyHost,
  cloudFirewall: cloudFirewall.prefault({}),
  docker: docker.prefault({}),
  deleteProtection: flag.default(false),
  labels: labels.prefault({}),
};

export const hardenedServerSchema = strict({
  ...everyServer,
  serverName: hostName.optional(),
  serverType: serverType.default(serverDefaults.serverType),
  location: location.default(serverDefaults.location),
  image: image.default(serverDefaults.image),
  network: existing.optional(),
  placementGroup: existing.optional(),
}).superRefine(({ policy }, context) => refuseScopes(policy, context));

export const hostHardeningSchema = strict({
  ...everyHost,
  connection: strict({
    host: address,
    port: whole(1, 65535, "a port").optional(),
    user,
    privateKey: inputOf(privateKeySchema),
    hostKey: inputOf(hostKeySchema),
  }),
  swarm: strict({
    role: oneOf(NodeRole),
    peers: z.array(swarmAddress, { error: "a list of addresses" }),
  }).optional(),
  keepOnRemove: flag.default(false),
}).superRefine(({ policy }, context) => refuseScopes(policy, context));

/** A component that is one host has no pools and nodes to limit a port to. */
function refuseScopes(policy: Policy, context: z.core.$RefinementCtx): void {
  const unknown = unknownScopeNames(policy, { pools: [], nodes: [] });
  if (unknown.length === 0) return;
  const message = "ports without pools and nodes: there is one host";
  context.addIssue({ code: "custom", path: ["policy"], message, params: { given: unknown.join(", ") } });
}

export const swarmClusterSchema = strict({
  ...everyServer,
  pools,
  clusterName: plainName.optional(),
  network: network.prefault({}),
  swarm: strict({
    joinTokenRotation: whole(0, 9999, "a number of rotations").default(0),
    autolock: flag.optional(),
  }).prefault({}),
  placementGroups: placementGroups.prefault({}),
  maintenance: maintenance.optional(),
}).superRefine(({ policy, pools: given, network: { existing: there, existingSubnet } }, context) => {
  if ((there ?? existingSubnet) === undefined)
    for (const [pool, { nodes = {} }] of Object.entries(given))
      for (const [name, { adopt: adopted }] of Object.entries(nodes))
        if (adopted !== undefined && !adopted.mayReplace && adopted.address === undefined)
          context.addIssue({
            code: "custom",
            path: ["pools", pool, "nodes", name, "adopt", "address"],
            message: "its address in the swarm, or the network that it is in as network.existing",
          });
  const nodes = Object.entries(given).flatMap(([name, shaped]) => nodeNames(name, shaped));
  const unknown = unknownScopeNames(policy, { pools: Object.keys(given), nodes });
  if (unknown.length > 0)
    context.addIssue({
      code: "custom",
      path: ["policy"],
      message: `pools ${Object.keys(given).join(", ")} and nodes ${nodes.join(", ")}`,
      params: { given: unknown.join(", ") },
    });
});

true satisfies Same<SwarmClusterArgs, z.input<typeof swarmClusterSchema>>;
true satisfies Same<HardenedServerArgs, z.input<typeof hardenedServerSchema>>;
true satisfies Same<HostHardeningArgs, z.input<typeof hostHardeningSchema>>;
