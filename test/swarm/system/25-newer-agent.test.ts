import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import { sessionsByHost } from "../../harness/src/index.js";
import { ready, restoreReady } from "../lib.js";

afterAll(restoreReady);

const textSchema = z.union([z.string(), z.looseObject({ plaintext: z.string() })]);
const propertiesSchema = z.looseObject({ create: textSchema.optional(), stdin: textSchema.optional() });
const stateSchema = z.looseObject({
  deployment: z.looseObject({
    resources: z.array(
      z.looseObject({ urn: z.string(), inputs: propertiesSchema.optional(), outputs: propertiesSchema.optional() }),
    ),
  }),
});

const agent = "/opt/hcloud-iptables.sh";

/** What an older release of the package left behind: other agents on the nodes, and a state that says so. */
function olderState(text: string): string {
  const state = stateSchema.parse(JSON.parse(text));
  for (const { urn, inputs, outputs } of state.deployment.resources) {
    for (const properties of [inputs, outputs]) {
      if (properties === undefined) continue;
      if (urn.endsWith("-agent") && typeof properties.stdin === "object")
        properties.stdin.plaintext = JSON.stringify("an older agent");
      if (urn.endsWith("-membership") && typeof properties.create === "string")
        properties.create = properties.create.replace(/ [0-9a-f]{12}$/, " 000000000000");
    }
  }
  return JSON.stringify(state);
}

test("a newer package brings its agent to running nodes, and every node is verified with it", async () => {
  const { stack, cluster } = await ready();
  const file = join(stack.stateDir, "exported.json");
  const exported = await stack.pulumi("stack", "export", "--show-secrets", "--file", file);
  expect(exported.exitCode, exported.text).toBe(0);
  writeFileSync(file, olderState(readFileSync(file, "utf8")));
  const imported = await stack.pulumi("stack", "import", "--file", file);
  expect(imported.exitCode, imported.text).toBe(0);
  const sum = (node: (typeof cluster.nodes)[number]) => cluster.ssh(node, `sha256sum ${agent}`);
  const today = await sum(cluster.manager);
  await Promise.all(cluster.nodes.map((node) => cluster.ssh(node, `echo '# older' >>${agent}`)));
  expect(await sum(cluster.manager)).not.toBe(today);

  const preview = await stack.previewDiff();
  // What depends on the last steps is not known before they have run, so more is said to update than will be.
  for (const step of ["agent", "membership"]) {
    const shown = preview.text.match(new RegExp(`::[^:\\s]+-${step}\\]$`, "gm")) ?? [];
    expect(shown, step).toHaveLength(cluster.nodes.length);
  }
  expect(preview.text).not.toMatch(/to (replace|delete)/);
  expect(preview.text, "the agent's text").not.toContain("need_nft_backend");
  expect(preview.sshSessions).toEqual([]);

  const run = await stack.up();
  expect(Object.values(sessionsByHost(run))).toEqual(cluster.nodes.map(() => 2));
  for (const node of cluster.nodes) {
    expect(await sum(node), node.name).toBe(today);
    expect(JSON.parse(await cluster.ssh(node, `${agent} verify --json`)), node.name).toMatchObject({ passed: true });
  }
});
