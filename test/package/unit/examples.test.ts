/** What the examples say about versions, which nobody compiles. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../harness/src/paths.js";

const read = (...path: string[]) => readFileSync(join(root, ...path), "utf8");
const examples = readdirSync(join(root, "examples"));
const programs = examples.filter((name) => readdirSync(join(root, "examples", name)).includes("package.json"));

test.each(programs)("examples/%s wants the package that is here, by a version that npm understands", (name) => {
  const { version } = JSON.parse(read("packages/swarm/package.json"));
  const { dependencies } = JSON.parse(read("examples", name, "package.json"));
  expect(dependencies["hcloud-swarm"]).toBe(`^${version}`);
});

test("READMEs name the pnpm that package.json names", () => {
  const { packageManager } = JSON.parse(read("package.json"));
  const named = examples.flatMap((name) => read("examples", name, "README.md").match(/pnpm@[\d.]+/g) ?? []);
  expect(named.length).toBeGreaterThan(4);
  expect(new Set(named)).toEqual(new Set([packageManager]));
});
