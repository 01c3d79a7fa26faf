import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, expect, test } from "vitest";
import { openStack, packPackage, root } from "../../harness/src/index.js";
import { ready } from "../lib.js";

const project = mkdtempSync(join(tmpdir(), "hcloud-swarm-package-"));
afterAll(() => rmSync(project, { recursive: true, force: true }));

test("the packed tarball, installed in an empty project, previews there", async () => {
  const { region, keyFile } = await ready();
  const tarball = await packPackage("swarm", project);
  const example = join(root, "examples/cluster");
  for (const file of ["Pulumi.yaml", "index.ts", "tsconfig.json"])
    copyFileSync(join(example, file), join(project, file));
  const manifest = JSON.parse(readFileSync(join(example, "package.json"), "utf8"));
  manifest.dependencies["hcloud-swarm"] = `file:${tarball}`;
  writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
  // Pulumi's own packages would download binaries in their install scripts; the engine is on PATH.
  await execa("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: project });

  const stack = await openStack({ region, program: project, name: "packed", stateDir: join(project, "state") });
  await stack.setConfig("privateKeyFile", keyFile);
  const preview = await stack.previewDiff();
  expect(preview.text).toMatch(/hcloud-swarm:index:SwarmCluster/);
  expect(preview.text).toMatch(/\+ 30 to create/);
});
