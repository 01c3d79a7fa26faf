/**
 * From what Terraform knows to what `pulumi import --file` takes. Text in, plain data out; nothing is asked of Hetzner Cloud,
 * and nothing of the state but types, names and ids leaves this module: `terraform show -json` prints secrets.
 */
import * as z from "zod";

/** One entry of the file that `pulumi import --file` reads. */
export interface ImportedResource {
  /** Pulumi's type, such as `hcloud:index/server:Server`. */
  readonly type: string;
  /** Its name in the Pulumi program; unique in its type. */
  readonly name: string;
  /** What the provider imports it by. */
  readonly id: string;
}

/** What stays with Terraform, or is to be written anew. */
export interface LeftOut {
  /** Terraform's address, such as `module.cluster.hcloud_server.node["a"]`. */
  readonly address: string;
  readonly reason: string;
}

export interface Imports {
  readonly resources: readonly ImportedResource[];
  readonly left: readonly LeftOut[];
}

/** The text is not what `terraform show -json` prints. */
export class TerraformStateError extends Error {
  override readonly name = "TerraformStateError";
}

const resourceSchema = z.looseObject({
  address: z.string(),
  mode: z.string(),
  type: z.string(),
  name: z.string(),
  index: z.union([z.string(), z.number()]).optional(),
  deposed_key: z.string().optional(),
  values: z.record(z.string(), z.unknown()).optional(),
});

interface Module {
  readonly address?: string | undefined;
  readonly resources?: readonly z.output<typeof resourceSchema>[] | undefined;
  readonly child_modules?: readonly Module[] | undefined;
}

const moduleSchema: z.ZodType<Module> = z.lazy(() =>
  z.looseObject({
    address: z.string().optional(),
    resources: z.array(resourceSchema).optional(),
    child_modules: z.array(moduleSchema).optional(),
  }),
);

const showSchema = z.looseObject({
  format_version: z.string(),
  values: z.looseObject({ root_module: moduleSchema }).optional(),
});

/**
 * The attribute that holds the id which the provider imports by, for each type of resource. Where the provider's documentation
 * names a compound id, Terraform's own `id` has that form.
 */
const idAttributes: Readonly<Record<string, string>> = {
  hcloud_firewall: "id",
  hcloud_firewall_attachment: "firewall_id",
  hcloud_floating_ip: "id",
  hcloud_floating_ip_assignment: "floating_ip_id",
  hcloud_load_balancer: "id",
  hcloud_load_balancer_network: "id",
  hcloud_load_balancer_service: "id",
  hcloud_managed_certificate: "id",
  hcloud_network: "id",
  hcloud_network_route: "id",
  hcloud_network_subnet: "id",
  hcloud_placement_group: "id",
  hcloud_primary_ip: "id",
  hcloud_rdns: "id",
  hcloud_server: "id",
  hcloud_server_network: "id",
  hcloud_snapshot: "id",
  hcloud_ssh_key: "id",
  hcloud_volume: "id",
  hcloud_volume_attachment: "volume_id",
};

/**
 * What Pulumi can take over of a Terraform state, by id.
 * @param show what `terraform show -json` printed
 * @throws TerraformStateError when it is something else
 */
export function terraformImports(show: string): Imports {
  const all = resourcesOf(parse(show).values?.root_module ?? {});
  const left: LeftOut[] = [];
  const resources: ImportedResource[] = [];
  const taken = new Set<string>();
  for (const resource of all.filter(({ mode }) => mode === "managed")) {
    const { type, address } = resource;
    const id = idOf(resource);
    if (resource.deposed_key !== undefined) left.push({ address, reason: "deposed: Terraform is to delete it" });
    else if (!type.startsWith("hcloud_")) left.push({ address, reason: `a ${type} is not of Hetzner Cloud` });
    else if (idAttributes[type] === undefined) left.push({ address, reason: `no import of a ${type} is known here` });
    else if (id === undefined) left.push({ address, reason: "the state has no id of it" });
    else {
      const pulumiType = pulumiTypeOf(type);
      resources.push({ type: pulumiType, name: unique(taken, pulumiType, nameOf(resource)), id });
    }
  }
  return { resources, left };
}

function parse(show: string): z.output<typeof showSchema> {
  let value: unknown;
  try {
    value = JSON.parse(show);
  } catch {
    throw new TerraformStateError("this is no JSON; give what `terraform show -json` prints");
  }
  const parsed = showSchema.safeParse(value);
  if (parsed.success && /^1\./.test(parsed.data.format_version)) return parsed.data;
  if (parsed.success) throw new TerraformStateError(`format ${parsed.data.format_version} is not known, only 1.x`);
  const isState = typeof value === "object" && value !== null && "terraform_version" in value && "lineage" in value;
  throw new TerraformStateError(
    isState
      ? "this is the state file itself; give what `terraform show -json` prints"
      : `this is not what \`terraform show -json\` prints: ${parsed.error.issues[0]?.path.join(".") || "the top"} is not as expected`,
  );
}

function resourcesOf(module: Module): readonly z.output<typeof resourceSchema>[] {
  return [...(module.resources ?? []), ...(module.child_modules ?? []).flatMap(resourcesOf)];
}

function idOf({ type, values }: z.output<typeof resourceSchema>): string | undefined {
  const id = values?.[idAttributes[type] ?? "id"];
  return typeof id === "number" || (typeof id === "string" && id !== "") ? String(id) : undefined;
}

/** `hcloud_placement_group` is `hcloud:index/placementGroup:PlacementGroup`. */
function pulumiTypeOf(terraformType: string): string {
  const words = terraformType.split("_").slice(1);
  const pascal = words.map((word) => `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`).join("");
  return `hcloud:index/${pascal.slice(0, 1).toLowerCase()}${pascal.slice(1)}:${pascal}`;
}

/** `module.cluster["eu"].hcloud_server.node[0]` is `cluster-eu-node-0`. */
function nameOf({ address, type }: z.output<typeof resourceSchema>): string {
  const path = address.replace(`${type}.`, "");
  const words = path.match(/"(?:[^"\\]|\\.)*"|[A-Za-z0-9_-]+/g) ?? [];
  return words
    .filter((word, index) => !(word === "module" && (index === 0 || path.includes(`.${word}.`))))
    .map((word) => word.replaceAll('"', "").replace(/[^A-Za-z0-9_.-]+/g, "-"))
    .join("-");
}

function unique(taken: Set<string>, type: string, name: string): string {
  let candidate = name;
  for (let number = 2; taken.has(`${type}\n${candidate}`); number++) candidate = `${name}-${number}`;
  taken.add(`${type}\n${candidate}`);
  return candidate;
}
