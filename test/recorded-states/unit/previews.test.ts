/**
 * Upgrades: each example, previewed with this version of the package against what Pulumi knew after an `up` with an older one,
 * replaces nothing and deletes nothing. Neither machines nor an API are needed.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { publicKeyOf } from "../../../packages/swarm/src/remote/sshKey";
import { restore } from "../sanitise.mjs";

const here = join(import.meta.dirname, "..");
const root = join(here, "../..");
const versions = readdirSync(here).filter((name) => /^\d+\.\d+\.\d+/.test(name));
const recorded = versions.flatMap((version) =>
  readdirSync(join(here, version)).map((file) => ({ version, example: file.replace(/\.json$/, "") })),
);

const scratch = mkdtempSync(join(tmpdir(), "hcloud-swarm-recorded-"));
const { privateKey: pair } = generateKeyPairSync("ed25519");
const privateKey = pair.export({ type: "pkcs8", format: "pem" }).toString();
const publicKey = publicKeyOf(privateKey);
let engine: string;
beforeAll(() => {
  const ensure = join(root, "test/engine/ensure.mjs");
  engine = execFileSync(process.execPath, [ensure, "--print-path"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  }).trim();
  writeFileSync(join(scratch, "key"), privateKey);
}, 1_200_000);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface State {
  config: Record<string, string>;
  deployment: { resources: { urn: string; type: string; inputs?: Record<string, unknown> }[] };
}
interface Step {
  op: string;
  urn: string;
  replaceReasons?: string[];
}

function read(version: string, example: string): State {
  return restore(JSON.parse(readFileSync(join(here, version, `${example}.json`), "utf8")), { privateKey, publicKey });
}

let stacks = 0;
/** What `pulumi up` would do with the example where the state is this one. */
function preview(example: string, { config, ...state }: State): Step[] {
  const home = join(scratch, `stack-${++stacks}`);
  // A copy, so that the stack's settings do not land in the checkout.
  cpSync(join(root, "examples", example), home, {
    recursive: true,
    filter: (path) => !/\/(node_modules|Pulumi\.[^/]+\.yaml)$/.test(path),
  });
  symlinkSync(join(root, "examples", example, "node_modules"), join(home, "node_modules"));
  const run = (...args: string[]) => {
    const done = spawnSync("pulumi", [...args, "--stack", stackName, "--non-interactive"], {
      cwd: home,
      encoding: "utf8",
      maxBuffer: 1 << 28,
      env: {
        ...process.env,
        PATH: `${engine}${delimiter}${process.env.PATH}`,
        PULUMI_BACKEND_URL: `file://${home}`,
        PULUMI_HOME: join(scratch, "home"),
        PULUMI_CONFIG_PASSPHRASE: "recorded",
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
        HCLOUD_TOKEN: "x".repeat(64),
        // Nobody listens there: a preview without --refresh asks nothing.
        HCLOUD_ENDPOINT: "http://127.0.0.1:9/v1",
        SSH_AUTH_SOCK: "",
      },
    });
    if (done.status !== 0) throw new Error(`pulumi ${args.join(" ")}\n${done.stdout}\n${done.stderr}`);
    return done.stdout;
  };
  const [first] = state.deployment.resources;
  const stackName = first?.urn.split(":")[2] ?? "";
  run("stack", "init");
  const salt = /^encryptionsalt: (\S+)$/m.exec(readFileSync(join(home, `Pulumi.${stackName}.yaml`), "utf8"))?.[1];
  const secrets_providers = { type: "passphrase", state: { salt } };
  const imported = { ...state, deployment: { ...state.deployment, secrets_providers } };
  writeFileSync(join(home, "state.json"), JSON.stringify(imported));
  run("stack", "import", "--file", join(home, "state.json"));
  for (const [key, value] of Object.entries({ ...config, privateKeyFile: join(scratch, "key") }))
    run("config", "set", key, value);
  const output = run("preview", "--json");
  return JSON.parse(output.slice(output.indexOf("{"))).steps;
}

const lost = (steps: Step[]) =>
  steps
    .filter(({ op }) => !["same", "create", "update", "read", "refresh"].includes(op))
    .map(({ op, urn, replaceReasons }) => `${op} ${urn.split("::").at(-1)} ${(replaceReasons ?? []).join()}`.trim());

describe.each(recorded)("$example, made with $version", ({ version, example }) => {
  test("neither loses nor replaces anything with this version", { timeout: 120_000 }, () => {
    expect(lost(preview(example, read(version, example)))).toEqual([]);
  });
});

test("a server that would be replaced is seen", { timeout: 120_000 }, () => {
  const [version = ""] = versions;
  // Not the cluster, whose servers wait for their node's `replacement`.
  const state = read(version, "single-server");
  const server = state.deployment.resources.find(({ urn }) => urn.endsWith("::web-server"));
  if (server?.inputs === undefined) throw new Error("there is no web-server");
  server.inputs.image = "debian-12";
  Object.assign(server, { outputs: { ...Reflect.get(server, "outputs"), image: "debian-12" } });
  expect(lost(preview("single-server", state)).join("\n")).toMatch(/replace web-server/);
});
