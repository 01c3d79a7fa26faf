/** Runs the real engine and hcloud provider against a region's API without machines: one preview, its events as the engine writes them. */
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type Cloud, engine, hostKey, key, openCloud } from "../../provider/cloud.js";
import { normalise } from "./normalise.js";
import { type ProgramName, planted, type Scenario, type Settings } from "./scenarios.js";

const root = join(import.meta.dirname, "../../..");
const packages = join(root, "packages/swarm/node_modules");
/** Guards made-up secrets of a stack that is thrown away. */
const passphrase = "preview";

interface Run {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One program as one stack in a folder of its own. */
class Stack {
  readonly directory = mkdtempSync(join(tmpdir(), "preview-"));

  constructor(
    private readonly cloud: Cloud,
    private readonly enginePath: string,
    program: ProgramName,
  ) {
    for (const name of ["state", "home", "node_modules"]) mkdirSync(join(this.directory, name));
    symlinkSync(join(packages, "@pulumi"), join(this.directory, "node_modules/@pulumi"));
    symlinkSync(join(root, "packages/swarm"), join(this.directory, "node_modules/hcloud-swarm"));
    cpSync(join(root, "test/preview/programs", `${program}.js`), join(this.directory, "index.js"));
    writeFileSync(
      join(this.directory, "package.json"),
      JSON.stringify({ name: "shop", private: true, main: "index.js" }),
    );
    writeFileSync(join(this.directory, "Pulumi.yaml"), "name: shop\nruntime: nodejs\n");
    writeFileSync(join(this.directory, "key"), key.privateKey);
  }

  async configure(settings: Settings = {}, secrets: Readonly<Record<string, string>> = {}): Promise<void> {
    const texts = Object.entries(settings).map(([name, value]) => [name, asText(value)] as const);
    const args = [
      ...texts.flatMap(([name, value]) => ["--plaintext", `${name}=${value}`]),
      ...Object.entries(secrets).flatMap(([name, value]) => ["--secret", `${name}=${value}`]),
    ];
    if (args.length > 0) await this.must(["config", "set-all", ...args, "--stack", "dev"], {});
  }

  /** One after the other, so that the API's ids and addresses are the same each time; nobody is dialled. */
  async up(): Promise<void> {
    const args = ["up", "--yes", "--skip-preview", "--parallel", "1", "--stack", "dev"];
    await this.must(args, { bin: join(root, "test/preview/hosts") });
  }

  /** Its events. A failing preview does not reject: its events are what is wanted. */
  async preview(secrets: readonly string[]): Promise<string> {
    const { stdout } = await this.pulumi(["preview", "--json", "--stack", "dev"], {});
    return normalise(stdout, {
      debugWith: secrets,
      paths: [
        [this.directory, "/stack"],
        [root, "/checkout"],
        [this.cloud.endpoint, "https://api.example/v1"],
      ],
    });
  }

  init(): Promise<Run> {
    return this.must(["stack", "init", "dev"], {});
  }

  close(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async must(args: readonly string[], options: { bin?: string }): Promise<Run> {
    const run = await this.pulumi(args, options);
    if (run.exitCode !== 0)
      throw new Error(`pulumi ${args[0]} ended with ${run.exitCode}\n${run.stderr}\n${run.stdout.slice(-8000)}`);
    return run;
  }

  private pulumi(args: readonly string[], { bin }: { bin?: string }): Promise<Run> {
    const path = [...(bin === undefined ? [] : [bin]), this.enginePath, process.env.PATH ?? ""].join(delimiter);
    const child = spawn("pulumi", [...args, "--non-interactive", "--color", "never"], {
      cwd: this.directory,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: path,
        HOME: join(this.directory, "home"),
        PULUMI_HOME: join(this.directory, "home"),
        PULUMI_BACKEND_URL: `file://${join(this.directory, "state")}`,
        PULUMI_CONFIG_PASSPHRASE: passphrase,
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_ENABLE_STREAMING_JSON_PREVIEW: "1",
        // The state is written once, at the end: a hundred nodes take a minute instead of half an hour.
        PULUMI_EXPERIMENTAL: "1",
        PULUMI_SKIP_CHECKPOINTS: "1",
        PREVIEW_PACKAGES: packages,
        HCLOUD_ENDPOINT: this.cloud.endpoint,
        HCLOUD_TOKEN: this.cloud.token,
        SSH_AUTH_SOCK: "",
        NO_COLOR: "1",
      },
    });
    const texts = [child.stdout, child.stderr].map((stream) => stream.setEncoding("utf8").toArray());
    return new Promise((done, failed) => {
      child.on("error", failed);
      child.on("close", async (code) => {
        const [stdout = "", stderr = ""] = (await Promise.all(texts)).map((parts) => parts.join(""));
        done({ exitCode: code ?? 1, stdout, stderr });
      });
    });
  }
}

/**
 * The events of the scenarios that share a program and a start, by their names. The program is brought up once where it starts from
 * something; then it is previewed with the settings of each.
 */
export async function record(scenarios: readonly Scenario[], enginePath = engine()): Promise<Map<string, string>> {
  const result = new Map<string, string>();
  for (const group of groups(scenarios)) {
    const [{ program, start, secrets } = group[0]] = group;
    const cloud = await openCloud();
    const stack = new Stack(cloud, enginePath, program);
    try {
      await stack.init();
      await stack.configure(
        { ...(program === "adoption" ? { existing: await byHand(cloud) } : {}), ...start },
        secrets,
      );
      if (start !== undefined) await stack.up();
      for (const { name, settings, debug } of group) {
        process.stderr.write(`${name}\n`);
        await stack.configure(settings);
        result.set(name, await stack.preview(debug ? [...Object.values(planted), "PRIVATE KEY"] : []));
      }
    } finally {
      stack.close();
      await cloud.close();
    }
  }
  return result;
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function groups(scenarios: readonly Scenario[]): [Scenario, ...Scenario[]][] {
  const found = new Map<string, [Scenario, ...Scenario[]]>();
  for (const scenario of scenarios) {
    const { program, start, secrets } = scenario;
    const place = JSON.stringify([program, start, secrets]);
    const group = found.get(place);
    if (group) group.push(scenario);
    else found.set(place, [scenario]);
  }
  return [...found.values()];
}

/** A server that somebody made, as a stack that does not know it must describe it. */
async function byHand(cloud: Cloud): Promise<Record<string, unknown>> {
  const { server } = await cloud.call("POST", "/servers", {
    name: "old",
    server_type: "cx23",
    image: "debian-13",
    location: "fsn1",
    labels: { made: "by-hand" },
  });
  return { id: String(server.id), name: "old", hostKey };
}
