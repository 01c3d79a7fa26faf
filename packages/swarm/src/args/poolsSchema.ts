/** The run-time check of pools and their nodes (`pools.ts`), with their defaults. */
import * as z from "zod";
import { flag, strict, whole } from "../firewall/fields";
import { reservedPackage, reservedPath, systemPath } from "../host";
import { NodeRole } from "./host";
import {
  address,
  existing,
  hostKeySchema,
  hostName,
  idText,
  ownHostKey,
  plainName,
  poolDocker,
  shape,
  swarmAddress,
  user,
} from "./hostSchema";
import { inputOf, oneOf, text } from "./invalidArgument";
import { VolumeFormat } from "./pools";

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

/** Words to the shell and to a placement constraint. */
const nodeLabelKey = "a key of up to 128 letters, digits and '._-', not beginning with hcloud-swarm.";
const nodeLabels = z.record(
  text(/^(?!hcloud-swarm\.)[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/, nodeLabelKey),
  text(/^[A-Za-z0-9:._/-]{0,255}$/, "up to 255 letters, digits and ':._/-'"),
  { error: (issue) => (issue.code === "invalid_key" ? nodeLabelKey : "texts by name") },
);

const cloudInitFile = strict({
  path: text(
    /^(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._@+-]+)+$/,
    "an absolute path of letters, digits and '._@+-' between the slashes",
  ).refine((path) => !reservedPath.test(path), {
    error:
      "a path that is not of the host agent, of SSH, of cloud-init or of Docker's service, whose configuration is docker.daemonOptions",
  }),
  content: z.string({ error: "a text" }),
  permissions: text(/^[0-7]{3,4}$/, "an octal number such as 0644").default("0644"),
});
const cloudInit = strict({
  packages: z
    .array(
      text(/^[a-z0-9][a-z0-9+.-]*[a-z0-9+](=[A-Za-z0-9.+:~-]+)?$/, "a package's name, or NAME=VERSION").refine(
        (name) => !reservedPackage.test(name),
        { error: "a package that brings neither a firewall nor a Docker" },
      ),
      { error: "a list of packages" },
    )
    .default([]),
  writeFiles: z.array(cloudInitFile, { error: "a list of files" }).default([]),
  runcmd: z.array(text(/\S/, "a command for sh"), { error: "a list of commands" }).default([]),
}).superRefine(({ writeFiles }, context) => {
  for (const [index, { path }] of writeFiles.entries())
    if (writeFiles.findIndex((other) => other.path === path) < index)
      context.addIssue({ code: "custom", path: ["writeFiles", index, "path"], message: "each path once" });
});

const volume = strict({
  size: whole(10, 10_240, "GB"),
  format: oneOf(VolumeFormat).default(VolumeFormat.Ext4),
  mountPath: text(
    /^(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)+$/,
    "an absolute path of letters, digits and '._-' between the slashes",
  )
    .refine((path) => !systemPath.test(path), { error: "a path that is no directory of the system or of Docker's" })
    .optional(),
  deleteProtection: flag.optional(),
});
const volumes = z
  .record(plainName, volume, { error: "volumes by name" })
  .transform((byName) =>
    Object.entries(byName).map(([name, one]) => ({ ...one, name, mountPath: one.mountPath ?? `/mnt/${name}` })),
  )
  .superRefine((list, context) => {
    if (list.length > 16)
      context.addIssue({
        code: "custom",
        message: "16 volumes of a node at most",
        params: { given: `${list.length}` },
      });
    for (const { name, mountPath } of list) {
      const other = list.find((one) => one.name !== name && `${mountPath}/`.startsWith(`${one.mountPath}/`));
      if (other === undefined) continue;
      const message = `a path that is not another volume's, nor in one (${other.name} has ${other.mountPath})`;
      context.addIssue({ code: "custom", path: [name, "mountPath"], message, params: { given: mountPath } });
    }
  });

const primaryIp = strict({ existing: existing.optional(), spare: flag.default(false) });

const node = strict({
  ...shape,
  nodeLabels: nodeLabels.optional(),
  replacement: whole(0, 999, "a number of replacements").optional(),
  hostKey: ownHostKey.optional(),
  adopt: adopt.optional(),
  primaryIps: strict({ ipv4: primaryIp.optional(), ipv6: primaryIp.optional() }).optional(),
}).superRefine(({ adopt: adopted, hostKey, replacement, primaryIps, deleteProtection }, context) => {
  if (adopted !== undefined && !adopted.mayReplace && deleteProtection !== undefined)
    context.addIssue({
      code: "custom",
      path: ["deleteProtection"],
      message: "nothing beside adopt: an adopted server keeps the protection that it has",
      params: { given: String(deleteProtection) },
    });
  if (adopted !== undefined && hostKey !== undefined)
    context.addIssue({
      code: "custom",
      path: ["hostKey"],
      message: "nothing beside adopt, which has a hostKey of its own",
    });
  if (adopted !== undefined && primaryIps !== undefined)
    context.addIssue({
      code: "custom",
      path: ["primaryIps"],
      message: "nothing beside adopt: an adopted server keeps the addresses that it has",
    });
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
  nodeLabels: nodeLabels.optional(),
  docker: poolDocker.optional(),
  cloudInit: cloudInit.optional(),
  volumes: volumes.optional(),
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

export const pools = z.record(plainName, pool, { error: "pools by name" }).superRefine((value, context) => {
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
  refuseSharedAddresses(value, context);
  const managers = Object.entries(value).flatMap(([name, p]) => (p.role === "manager" ? nodeNames(name, p) : []));
  if (![1, 3, 5, 7].includes(managers.length))
    context.addIssue({
      code: "custom",
      message: "1, 3, 5 or 7 managers: an even number bears no more failures than one less",
      params: { given: managers.length === 0 ? "no manager" : `${managers.length} managers` },
    });
});

/** An address is at one server. */
function refuseSharedAddresses(value: Readonly<Record<string, z.output<typeof pool>>>, context: z.core.$RefinementCtx) {
  const owner = new Map<string, string>();
  for (const [poolName, { nodes = {} }] of Object.entries(value))
    for (const [name, { primaryIps = {} }] of Object.entries(nodes))
      for (const [family, ip] of Object.entries(primaryIps)) {
        const id = ip?.existing?.id;
        if (typeof id !== "string") continue;
        const other = owner.get(id);
        owner.set(id, name);
        if (other === undefined) continue;
        const path = [poolName, "nodes", name, "primaryIps", family, "existing", "id"];
        context.addIssue({
          code: "custom",
          path,
          message: `a primary IP that no other node has (${other} has this one)`,
        });
      }
}

/** Names of a pool's nodes, in the order in which a person counts. */
export function nodeNames(
  poolName: string,
  { count, nodes }: { count?: number | undefined; nodes?: object | undefined },
): string[] {
  if (nodes !== undefined) return Object.keys(nodes).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  return Array.from({ length: count ?? 0 }, (_, index) => `${poolName}-${index + 1}`);
}
