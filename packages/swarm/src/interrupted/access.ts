/** How Hetzner Cloud is reached beside the provider. */
import type * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";
import type { CloudAccess } from "./cloud";

/** As the provider finds them: its own arguments, the stack's settings, the environment. None: nothing is looked for. */
export async function cloudAccess(component: pulumi.Resource): Promise<CloudAccess | undefined> {
  // Of a component that is used from another language, the provider is known by its name alone.
  const provider = component.getProvider("hcloud:index/server:Server") as Partial<hcloud.Provider> | undefined;
  const config = new pulumi.Config("hcloud");
  const [token, endpoint] = await Promise.all([
    plainOf(provider?.token ?? config.getSecret("token")),
    plainOf(provider?.endpoint ?? config.get("endpoint")),
  ]);
  const used = token || process.env.HCLOUD_TOKEN;
  if (!used) return undefined;
  return { token: used, endpoint: endpoint || process.env.HCLOUD_ENDPOINT || "https://api.hetzner.cloud/v1" };
}

function plainOf(input: pulumi.Input<string | undefined> | undefined): Promise<string | undefined> {
  return new Promise((resolve) => void pulumi.output(input).apply(resolve));
}
