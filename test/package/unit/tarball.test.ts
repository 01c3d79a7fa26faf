/** What npm would publish, unpacked away from this checkout's sources and asked as its users would. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Package, unpackPackage } from "../../harness/src/package.js";
import { root } from "../../harness/src/paths.js";

const run = promisify(execFile);
const scratch = mkdtempSync(join(tmpdir(), "hcloud-swarm-tarball-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const packages: readonly Package[] = ["swarm", "preview-report"];
const folders = new Map<Package, string>();
beforeAll(async () => {
  for (const name of packages) {
    const project = join(scratch, name);
    mkdirSync(project);
    folders.set(name, await unpackPackage(name, project));
  }
}, 60_000);

describe.each(packages)("the tarball of packages/%s", (name) => {
  let folder: string;
  beforeAll(() => {
    folder = folders.get(name) ?? "";
  });

  const files = () =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));

  test("has a licence, and no tests or sources", () => {
    expect(readFileSync(join(folder, "LICENSE"), "utf8")).toBe(readFileSync(join(root, "LICENSE"), "utf8"));
    expect(files().filter((file) => /\.test\.|\/testing\/|\/src\/|(?<!\.d)\.ts$/.test(file))).toEqual([]);
  });

  test("has no source map of which a source is missing", () => {
    const maps = files().filter((file) => file.endsWith(".map"));
    expect(maps.length).toBeGreaterThan(10);
    for (const map of maps) {
      const { sources, sourcesContent } = JSON.parse(readFileSync(map, "utf8"));
      expect(sourcesContent, map).toHaveLength(sources.length);
    }
  });

  test("has a README that links to no files and names no docs that are not in it", () => {
    const text = readFileSync(join(folder, "README.md"), "utf8");
    const links = [...text.matchAll(/(?:\]\((?!https?:|#)|`(?=docs\/))([^)`#]+)/g)].map(([, link]) => link ?? "");
    expect(links.filter((link) => !existsSync(resolve(folder, link)))).toEqual([]);
  });

  test("loads, and its program runs", async () => {
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const project = dirname(dirname(folder));
    const load = `import(${JSON.stringify(manifest.name)}).then((all) => console.log(Object.keys(all).length))`;
    const { stdout } = await run(process.execPath, ["-e", load], { cwd: name === "swarm" ? project : folder });
    expect(Number(stdout)).toBeGreaterThan(3);
    for (const program of Object.values<string>(manifest.bin)) {
      const { stdout: told, stderr } = await run(process.execPath, [join(folder, program), "--help"]);
      expect(told + stderr).toMatch(/usage/i);
    }
  });
});

test("from the tarball Pulumi has the schema that is kept, with nothing installed and nothing compiled for it", async () => {
  const ensure = join(root, "test/engine/ensure.mjs");
  // The additions to the published host run a Node package as a plugin.
  const { stdout: engine } = await run(process.execPath, [ensure, "--policies", "--print-path"]);
  const schemaOf = async (source: string) => {
    const env = {
      ...process.env,
      PATH: `${engine.trim()}:${process.env.PATH}`,
      PULUMI_HOME: join(scratch, "home"),
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      npm_config_offline: "true",
    };
    return JSON.parse((await run("pulumi", ["package", "get-schema", source], { cwd: scratch, env })).stdout);
  };
  // The engine puts a schema in an order of its own, and so it does with the file.
  const kept = await schemaOf(join(root, "packages/swarm/schema.json"));
  expect(Object.keys(kept.resources)).toHaveLength(3);
  expect(await schemaOf(join(folders.get("swarm") ?? "", "plugin"))).toEqual(kept);
}, 1_200_000);
