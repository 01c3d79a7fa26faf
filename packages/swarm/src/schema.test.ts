import { join } from "node:path";
import { ComponentProvider } from "@pulumi/pulumi/provider/experimental";
import { expect, it } from "vitest";
import { HardenedServer, HostHardening, SwarmCluster } from "./index";
import { argumentReference, argumentSources } from "./testing/reference";

/**
 * What the plugin tells Pulumi of this package, made by Pulumi's own code out of the components. Whoever uses them from
 * YAML, Python, Go or C# sees exactly this: a change of it is a change of the public face.
 * `npx vitest run packages/swarm/src/schema.test.ts -u` writes the file anew, and the page for people with it.
 */
it("keeps the schema for other languages, and the page of arguments that is made from it", async () => {
  const provider = new ComponentProvider({
    name: "hcloud-swarm",
    dirname: join(__dirname, ".."),
    components: [SwarmCluster, HardenedServer, HostHardening],
  });
  const schema: unknown = JSON.parse(await provider.getSchema());
  expect(schema).toMatchObject({
    name: "hcloud-swarm",
    resources: {
      "hcloud-swarm:index:SwarmCluster": { isComponent: true, requiredInputs: ["pools", "ssh"] },
      "hcloud-swarm:index:HardenedServer": { requiredInputs: ["ssh"] },
      "hcloud-swarm:index:HostHardening": { requiredInputs: ["connection"] },
    },
  });
  await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(join(__dirname, "..", "schema.json"));
  const page = argumentReference(schema, argumentSources());
  await expect(page).toMatchFileSnapshot(join(__dirname, "..", "..", "..", "docs", "arguments.md"));
}, 60_000);
