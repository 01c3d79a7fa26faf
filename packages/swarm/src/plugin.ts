import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ComponentResource, ComponentResourceOptions, Inputs } from "@pulumi/pulumi";
import { main, type Provider } from "@pulumi/pulumi/provider";
import { HardenedServer, HostHardening, SwarmCluster } from "./index";

interface Schema {
  readonly version: string;
  readonly resources: Record<string, { readonly properties?: Record<string, unknown> }>;
}

/** A component, its arguments as they come from another language. */
type Component = new (name: string, args: never, opts?: ComponentResourceOptions) => ComponentResource;

/**
 * The components for programs in YAML, Python, Go and C#. Pulumi would make the schema out of the package's TypeScript each time that a
 * program starts: that takes seconds, and at the user's it takes sources and a compiler. Here it is made once, by the same code of
 * Pulumi's, and kept.
 */
export function componentProvider(): Provider {
  const schema = readFileSync(join(__dirname, "..", "schema.json"), "utf8");
  const { version, resources }: Schema = JSON.parse(schema);
  const components: Record<string, Component> = { HardenedServer, HostHardening, SwarmCluster };
  return {
    version,
    schema,
    async construct(name: string, type: string, inputs: Inputs, options: ComponentResourceOptions) {
      const component = components[type.replace(/^hcloud-swarm:(index)?:/, "")];
      const known = resources[type.replace("::", ":index:")];
      if (component === undefined || known === undefined) throw new Error(`hcloud-swarm has no component ${type}`);
      const made = new component(name, inputs as never, options);
      const state = Object.keys(known.properties ?? {}).map((output) => [output, Reflect.get(made, output)]);
      return { urn: made.urn, state: Object.fromEntries(state) };
    },
  };
}

/** Serves them to the engine that started this process. */
export function serve(args: string[]): void {
  void main(componentProvider(), args);
}
