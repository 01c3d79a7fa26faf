/** The published packages as npm packs them, and projects that have them. */
import { mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { root } from "./paths.js";

export type Package = "swarm" | "preview-report";

/** Packs what was compiled into `target` and gives the tarball. */
export async function packPackage(name: Package, target: string): Promise<string> {
  // Without scripts: the one before packing makes dist anew, and whoever else runs at that time would miss it. The rest of it is done here.
  if (name === "swarm") await execa(process.execPath, [join(root, "packages/swarm/scripts/docs.mjs")]);
  const args = ["pack", "--silent", "--ignore-scripts", "--pack-destination", target];
  const { stdout } = await execa("npm", args, { cwd: join(root, "packages", name) });
  return join(target, stdout.trim().split("\n").at(-1) ?? "");
}

/** Does `npm install` of the packed package in an empty project, from npm's registry. Gives the package's folder in it. */
export async function installPackage(project: string): Promise<string> {
  const tarball = await packPackage("swarm", project);
  writeFileSync(join(project, "package.json"), '{ "private": true }');
  // Pulumi's own packages would download binaries in their install scripts; the engine is on PATH.
  await execa("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", tarball], { cwd: project });
  return join(project, "node_modules/hcloud-swarm");
}

/** The same without a network: unpacked, and beside it what it depends on from this checkout. */
export async function unpackPackage(name: Package, project: string): Promise<string> {
  const tarball = await packPackage(name, project);
  const source = join(root, "packages", name);
  const manifest: { name: string; dependencies: Record<string, string> } = JSON.parse(
    readFileSync(join(source, "package.json"), "utf8"),
  );
  const target = join(project, "node_modules", manifest.name);
  mkdirSync(target, { recursive: true });
  await execa("tar", ["-xzf", tarball, "--strip-components=1", "-C", target]);
  for (const dependency of Object.keys(manifest.dependencies)) {
    const link = join(project, "node_modules", dependency);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(realpathSync(join(source, "node_modules", dependency)), link);
  }
  return target;
}
