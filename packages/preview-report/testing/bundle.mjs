#!/usr/bin/env node
/**
 * Makes the one file that the GitHub action runs, or tells whether it is fresh:
 * `node testing/bundle.mjs` writes it, `node testing/bundle.mjs --check` exits with 1 where it differs.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
export const bundlePath = join(here, "../../../.github/actions/preview-report/preview-report.mjs");

const banner = `// Generated from packages/preview-report by \`pnpm --filter @hcloud-swarm/preview-report bundle\`. Do not edit.
// Apache-2.0. Long because it is one file with its dependencies (commander, zod, yaml, ipaddr.js, mdast-util-*; MIT and ISC), so that
// the action needs neither a build nor a registry. A unit test fails when it is stale.
import { createRequire as makeRequire } from "node:module";
const require = makeRequire(import.meta.url);`;

/** The bundle's text, the same for the same sources and lock file. */
export async function bundle() {
  const result = await build({
    stdin: {
      contents: 'import { main } from "./cli.ts";\nprocess.exitCode = await main(process.argv.slice(2));\n',
      resolveDir: join(here, "../src"),
      sourcefile: "action.ts",
      loader: "ts",
    },
    absWorkingDir: join(here, ".."),
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    target: "node20",
    minifySyntax: true,
    minifyWhitespace: true,
    charset: "ascii",
    legalComments: "inline",
    banner: { js: banner },
  });
  return result.outputFiles[0].text;
}

export const rulesPath = join(here, "../policy-pack/rules.cjs");

/** The policy pack's rules as CommonJS, which is what Pulumi loads a pack as. */
export async function bundleRules() {
  const result = await build({
    entryPoints: ["src/policyRules.ts"],
    absWorkingDir: join(here, ".."),
    bundle: true,
    write: false,
    platform: "node",
    format: "cjs",
    target: "node20",
    charset: "ascii",
    minifySyntax: true,
    minifyWhitespace: true,
    banner: {
      js: "// Generated from src/policyRules.ts by `pnpm bundle`. Do not edit. Long because ipaddr.js (MIT) is in it.",
    },
  });
  return result.outputFiles[0].text;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, text] of [
    [bundlePath, await bundle()],
    [rulesPath, await bundleRules()],
  ]) {
    if (!process.argv.includes("--check")) writeFileSync(path, text);
    else if (readFileSync(path, "utf8") !== text) {
      process.stderr.write("a bundle is stale: pnpm --filter @hcloud-swarm/preview-report bundle\n");
      process.exitCode = 1;
    }
  }
}
