import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of this module: test/engine. */
export const engineDir = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

/** Where built pieces go; safe to delete at any time no build runs. */
export const cacheDir = fileURLToPath(new URL("../../../.cache/engine", import.meta.url));

/** Stands beside every binary that we built, so that it is never taken for a user's own. */
export const builtMark = "built-by-hcloud-swarm.json";

/** Go settings of every build: no download of another toolchain, go.mod and go.sum are never changed, no cgo. */
export const goEnv = {
  CGO_ENABLED: "0",
  GOTOOLCHAIN: "local",
  GOWORK: "off",
  GOFLAGS: "-mod=readonly -buildvcs=false",
};

const cliVersion = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version";

/**
 * The pieces of the engine.
 * - dir: folder with the Go module, below test/engine
 * - binary: name of the program; also how it is looked for on PATH
 * - module: the Go module whose version in go.mod is the piece's version (absent: `version` says it)
 * - plugin: name of the folder in Pulumi's plugins directory, without the version
 * - seconds: about how long a first build takes on 2 cores, modules downloaded
 * - accepts: which versions of a user's own are good enough, where a version can be known
 * - steps: what builds it, run in a copy of dir; "{out}" is the binary to write
 * - link: its name in the directory that goes on PATH, where that is not its binary's
 */
export const pieces = [
  {
    name: "cli",
    title: "Pulumi CLI and engine",
    dir: "cli",
    binary: "pulumi",
    seconds: 300,
    module: "github.com/pulumi/pulumi/pkg/v3",
    accepts: (version) => version[0] === 3 && version[1] >= 200,
    wanted: "3.200.0 or later, below 4",
    steps: (version) => [
      goBuild("{out}", "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", `-X ${cliVersion}=v${version}`),
    ],
  },
  {
    name: "nodejs-host",
    title: "Pulumi's Node language host",
    dir: "nodejs-host",
    binary: "pulumi-language-nodejs",
    seconds: 20,
    module: "github.com/pulumi/pulumi/sdk/v3",
    steps: (version) => [
      goBuild(
        "{out}",
        "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs",
        `-X ${cliVersion}=v${version}`,
      ),
    ],
  },
  {
    name: "hcloud-provider",
    title: "Hetzner Cloud provider",
    dir: "hcloud-provider",
    binary: "pulumi-resource-hcloud",
    seconds: 150,
    module: "github.com/hetznercloud/terraform-provider-hcloud",
    plugin: "resource-hcloud",
    accepts: (version) => version[0] === 1 && version[1] >= 30,
    wanted: "1.30.0 or later, below 2",
    steps: (version) => [
      goBuild("pulumi-tfgen-hcloud", "./cmd/pulumi-tfgen-hcloud", ""),
      { command: ["./pulumi-tfgen-hcloud", "schema", "--out", "generated"] },
      { copy: ["generated/bridge-metadata.json", "bridge-metadata.json"] },
      { copy: ["generated/schema.json", "cmd/pulumi-resource-hcloud/schema.json"] },
      goBuild(
        "{out}",
        "./cmd/pulumi-resource-hcloud",
        `-X hcloud-swarm.test/engine/hcloud-provider.Version=${version}`,
      ),
    ],
  },
  {
    name: "command-stand-in",
    title: "STAND-IN for the Command provider",
    dir: "command-stand-in",
    binary: "pulumi-resource-command",
    seconds: 40,
    version: "1.2.1",
    plugin: "resource-command",
    accepts: (version) => version[0] === 1 && version[1] >= 1,
    wanted: "1.1.0 or later, below 2",
    steps: () => [goBuild("{out}", ".", "")],
  },
];

const nodeHost = pieces.find((piece) => piece.name === "nodejs-host");

const hostAdditions = (language) => ({
  name: `${language}-host-additions`,
  title: `what Pulumi's ${language} language host lacks`,
  dir: "host-additions",
  binary: `pulumi-language-${language}`,
  seconds: 60,
  module: "github.com/pulumi/pulumi/pkg/v3",
  steps: (version) => [goBuild("{out}", ".", `-X main.language=${language} -X ${cliVersion}=v${version}`)],
});

/** What policy packs written for Node need: the published host is too old to run one, see below. */
export const policyPieces = [
  ...pieces.filter((piece) => piece !== nodeHost),
  { ...nodeHost, link: "real-language-nodejs" },
  hostAdditions("nodejs"),
];

/**
 * What programs in other languages need beside the pieces above: only a caller that asks for it builds it, another 5 minutes.
 * The real hosts for Node and Python that are published as Go modules are older than the engine; `host-additions` stands in
 * front of them under their names. Whoever has Pulumi has a newer host of each, and that one is used.
 */
export const languagePieces = [
  ...policyPieces,
  {
    name: "python-host",
    title: "Pulumi's Python language host",
    dir: "python-host",
    binary: "pulumi-language-python",
    link: "real-language-python",
    seconds: 20,
    module: "github.com/pulumi/pulumi/sdk/v3",
    steps: (version) => [
      goBuild(
        "{out}",
        "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",
        `-X ${cliVersion}=v${version}`,
      ),
      { command: ["go", "run", "./copyexecutor", "{out}-exec"] },
    ],
  },
  hostAdditions("python"),
  {
    name: "yaml-host",
    title: "Pulumi's YAML language host",
    dir: "yaml-host",
    binary: "pulumi-language-yaml",
    seconds: 60,
    module: "github.com/pulumi/pulumi-yaml",
    steps: (version) => [
      goBuild("{out}", "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml", `-X ${cliVersion}=v${version}`),
    ],
  },
];

/** Hetzner Cloud's Terraform provider, for the test of the way from Terraform; the CLI itself must be on the machine. */
export const terraformPieces = [
  {
    name: "terraform-provider",
    title: "Hetzner Cloud's Terraform provider",
    dir: "terraform-provider",
    binary: "terraform-provider-hcloud",
    seconds: 50,
    module: "github.com/hetznercloud/terraform-provider-hcloud",
    steps: () => [goBuild("{out}", "github.com/hetznercloud/terraform-provider-hcloud", "")],
  },
];

function goBuild(out, target, linkerFlags) {
  return { command: ["go", "build", "-trimpath", "-ldflags", `-s -w ${linkerFlags}`.trim(), "-o", out, target] };
}

/** Version that the piece has when built here, without a leading v. */
export function versionOf(piece) {
  if (piece.version) return piece.version;
  const match = goMod(piece).match(new RegExp(`^(?:require)?\\s*${piece.module} v(\\S+)`, "m"));
  if (!match?.[1]) throw new Error(`engine: test/engine/${piece.dir}/go.mod does not require ${piece.module}`);
  return match[1];
}

/** Least Go version that the piece's go.mod asks for, as numbers. */
export function goVersionOf(piece) {
  const match = goMod(piece).match(/^go (\S+)$/m);
  return parseVersion(match?.[1] ?? "");
}

/** Numbers of a version such as "v3.259.0" or "1.26"; missing ones are 0. Undefined where there is none. */
export function parseVersion(text) {
  const match = text.match(/(\d+)\.(\d+)(?:\.(\d+))?/);
  return match ? [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)] : undefined;
}

function goMod(piece) {
  return readFileSync(join(engineDir, piece.dir, "go.mod"), "utf8");
}

/** Files of the piece that decide what its build yields, relative to its folder, sorted. Tests are left out. */
export function sourcesOf(piece) {
  return readdirSync(join(engineDir, piece.dir), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith("_test.go"))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(join(engineDir, piece.dir).length + 1))
    .sort();
}

/** Name of the piece's folder in the cache: it changes with any source, build step or platform. */
export function cacheNameOf(piece) {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([piece.steps(versionOf(piece)), goEnv, process.platform, process.arch]));
  for (const file of sourcesOf(piece)) {
    const content = readFileSync(join(engineDir, piece.dir, file));
    hash.update(`\0${file}\0${content.length}\0`).update(content);
  }
  return `${piece.name}-${hash.digest("hex").slice(0, 16)}`;
}
