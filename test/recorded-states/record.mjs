#!/usr/bin/env node
// Keeps what Pulumi knows after an `up` of an example, for the tests that a newer version of the package neither replaces nor
// deletes anything of it. Keys and tokens are taken out; the test puts a key of its own in their place.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { parse } from "../../packages/swarm/node_modules/yaml/dist/index.js";
import { ensureEngine } from "../engine/ensure.mjs";
import { sanitise } from "./sanitise.mjs";

const usage = `usage: node test/recorded-states/record.mjs VERSION EXAMPLE --checkpoint FILE --config FILE --private-key FILE

Writes test/recorded-states/VERSION/EXAMPLE.json from the state of a finished \`up\`, as the harness keeps it below
.cache/stacks/: STACK/.pulumi/stacks/PROJECT/STACK.json, STACK/config.yaml and STACK/id_ed25519.
The passphrase comes from PULUMI_CONFIG_PASSPHRASE; default: the harness's.
`;

const here = dirname(fileURLToPath(import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { checkpoint: { type: "string" }, config: { type: "string" }, "private-key": { type: "string" } },
});
const [version, example] = positionals;
const { checkpoint, config, "private-key": keyFile } = values;
if (!version || !example || !checkpoint || !config || !keyFile) {
  process.stderr.write(usage);
  process.exit(2);
}

/** The state with its secrets readable, from a backend that is thrown away. */
async function exported() {
  const { path } = await ensureEngine();
  const program = join(here, "../../examples", example);
  const project = /^name: (\S+)$/m.exec(readFileSync(join(program, "Pulumi.yaml"), "utf8"))?.[1];
  const scratch = mkdtempSync(join(tmpdir(), "recorded-state-"));
  try {
    mkdirSync(join(scratch, ".pulumi/stacks", project), { recursive: true });
    writeFileSync(join(scratch, ".pulumi/meta.yaml"), "version: 1\n");
    const urn = JSON.parse(readFileSync(checkpoint, "utf8")).checkpoint.latest.resources[0].urn;
    const stack = urn.split(":")[2];
    copyFileSync(checkpoint, join(scratch, ".pulumi/stacks", project, `${stack}.json`));
    const file = join(scratch, "export.json");
    execFileSync(join(path, "pulumi"), ["stack", "export", "--stack", stack, "--show-secrets", "--file", file], {
      cwd: program,
      stdio: ["ignore", "ignore", "inherit"],
      env: {
        ...process.env,
        PULUMI_BACKEND_URL: `file://${scratch}`,
        PULUMI_HOME: join(scratch, "home"),
        PULUMI_CONFIG_PASSPHRASE: process.env.PULUMI_CONFIG_PASSPHRASE ?? "a region's stack",
        PULUMI_SKIP_UPDATE_CHECK: "true",
      },
    });
    return JSON.parse(readFileSync(file, "utf8"));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const settings = Object.entries(parse(readFileSync(config, "utf8")).config ?? {})
  .map(([key, value]) => [key.split(":")[1], value])
  .filter(([key]) => key !== "privateKeyFile");
const recorded = sanitise(await exported(), {
  privateKey: readFileSync(keyFile, "utf8"),
  publicKey: readFileSync(`${keyFile}.pub`, "utf8"),
});
const target = join(here, version, `${example}.json`);
mkdirSync(dirname(target), { recursive: true });
writeFileSync(target, `${JSON.stringify({ config: Object.fromEntries(settings), ...recorded }, null, 1)}\n`);
process.stdout.write(`${target}: ${recorded.deployment.resources.length} resources\n`);
