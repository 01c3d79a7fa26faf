/** The command line of a region. */
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, readSync, watch } from "node:fs";
import { constants } from "node:os";
import { Command, InvalidArgumentError, Option } from "commander";
import type { Exchange } from "./api/index.js";
import { ask, isRunning, start, statusOf, stop } from "./control.js";
import { buildImage } from "./images/build.js";
import { isBuilt } from "./images/store.js";
import { variantNames } from "./images/variants.js";
import { defaultName, type Layout, layoutOf } from "./layout.js";
import { API_ENDPOINT, outsideNamespace } from "./network/names.js";
import { inNamespace } from "./network/namespaces.js";
import { assertSuitable } from "./requirements.js";
import type { Settings, Status } from "./settings.js";

interface Common {
  readonly name: string;
  readonly stateDir?: string;
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function number(text: string): number {
  if (!/^[1-9][0-9]*$/.test(text)) throw new InvalidArgumentError("a positive whole number is wanted");
  return Number(text);
}

function layoutFor({ name, stateDir }: Common): Layout {
  return layoutOf(name, stateDir);
}

function running(options: Common): Layout {
  const layout = layoutFor(options);
  if (!isRunning(layout)) throw new Error(`the region ${options.name} does not run: start it with \`region start\``);
  return layout;
}

function withCommon(command: Command): Command {
  return command
    .addOption(new Option("--name <name>", "name of the region").default(defaultName))
    .option("--state-dir <path>", "where it keeps its state (default: .cache/region/NAME)");
}

function describe(status: Status): string[] {
  const lines = [
    `region ${status.name}: ${status.ready ? "running" : "starting"}`,
    `endpoint: ${status.endpoint}`,
    `machines: ${status.accelerator} (${status.acceleratorReason}), at most ${status.limits.cores} cores and ${status.limits.memory} MiB each`,
    `images: ${status.images.join(", ") || "none"}`,
    `state: ${status.stateDirectory}`,
  ];
  for (const { id, name, status: power, ipv4, ipv6, privateIps } of status.servers) {
    lines.push(`server ${id} ${name}: ${[power, ipv4, ipv6, ...privateIps].filter(Boolean).join(" ")}`);
  }
  for (const { name, created, servers } of status.checkpoints)
    lines.push(`checkpoint ${name}: ${servers} servers, ${created}`);
  for (const problem of status.problems) lines.push(`problem: ${problem}`);
  return lines;
}

interface StartOptions extends Common {
  readonly memory: number;
  readonly cores?: number;
  readonly accelerator: Settings["accelerator"];
  readonly image: string;
  readonly record?: boolean;
}

async function startCommand(options: StartOptions): Promise<void> {
  const layout = layoutFor(options);
  if (isRunning(layout)) {
    const status = await statusOf(layout);
    if (!status)
      throw new Error(`the region ${options.name} runs but does not answer: see ${layout.log}, or stop it first`);
    return say(`region ${options.name} runs already: ${status.endpoint}`);
  }
  assertSuitable(layout, !isBuilt(layout.images, options.image));
  await buildImage({ images: layout.images, name: options.image, progress: say });
  const { name, memory, cores, accelerator, record = false } = options;
  const status = await start(layout, {
    name,
    memory,
    ...(cores === undefined ? {} : { cores }),
    accelerator,
    record,
    stateDirectory: layout.state,
  });
  for (const line of describe(status)) say(line);
}

/** Runs a program outside of the region's servers, and is as transparent as can be: signals, streams, status. */
async function execCommand(command: string, args: readonly string[], options: Common): Promise<void> {
  const layout = running(options);
  const [program, all] = inNamespace(outsideNamespace(options.name), command, args);
  const env = {
    ...process.env,
    HCLOUD_ENDPOINT: API_ENDPOINT,
    HCLOUD_TOKEN: readFileSync(layout.token, "utf8").trim(),
  };
  const child = spawn(program, all, { stdio: "inherit", env });
  // A terminal's Ctrl-C reaches the child by itself; a signal to us alone is passed on.
  const pass = (signal: NodeJS.Signals) => void (process.stdin.isTTY || child.kill(signal));
  for (const signal of ["SIGINT", "SIGQUIT"] as const) process.on(signal, pass);
  for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, (name) => void child.kill(name));
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}

function serverNamed(status: Status, wanted: string): Status["servers"][number] {
  const found = status.servers.find(({ id, name }) => name === wanted || String(id) === wanted);
  if (!found) throw new Error(`there is no server ${JSON.stringify(wanted)}`);
  return found;
}

async function consoleCommand(wanted: string, options: Common & { readonly follow?: boolean }): Promise<void> {
  const status = await statusOf(running(options));
  if (!status) throw new Error("the region does not answer");
  const { console: file } = serverNamed(status, wanted);
  if (!existsSync(file)) throw new Error(`the server ${wanted} was never on`);
  const handle = openSync(file, "r");
  const buffer = Buffer.alloc(65_536);
  const drain = () => {
    for (let size = readSync(handle, buffer); size > 0; size = readSync(handle, buffer)) {
      process.stdout.write(Buffer.from(buffer.subarray(0, size)));
    }
  };
  drain();
  if (!options.follow) return closeSync(handle);
  watch(file, drain);
  await new Promise(() => {});
}

async function imagesBuild(names: readonly string[], options: { readonly fresh?: boolean }): Promise<void> {
  const layout = layoutOf(defaultName);
  assertSuitable(layout, true);
  for (const name of names.length > 0 ? names : ["debian-13"]) {
    if (!options.fresh && isBuilt(layout.images, name)) say(`image ${name}: is built already`);
    await buildImage({ images: layout.images, name, fresh: options.fresh ?? false, progress: say });
  }
}

/** Compares what was recorded with the API's description. The checker and its library are loaded only here. */
async function apiCheck(options: Common & { readonly description?: string }): Promise<void> {
  const layout = layoutFor(options);
  if (!existsSync(layout.exchanges)) throw new Error("nothing was recorded: start the region with --record");
  const { createChecker, findDescription } = await import("./api/testing/openapi.js");
  const path = options.description ?? findDescription();
  if (path === undefined)
    throw new Error("name a copy of the Hetzner Cloud API's OpenAPI description with --description");
  const checker = createChecker(path);
  const lines = readFileSync(layout.exchanges, "utf8").trimEnd().split("\n");
  const problems = lines.flatMap((line) => checker.check(JSON.parse(line) as Exchange));
  for (const operation of [...checker.seen].sort()) say(operation);
  for (const problem of new Set(problems)) process.stderr.write(`${problem}\n`);
  say(`${lines.length} answers of ${checker.seen.size} operations: ${problems.length} not as described`);
  if (problems.length > 0) process.exitCode = 1;
}

async function fault(json: string | undefined, options: Common & { readonly clear?: boolean }): Promise<void> {
  const layout = running(options);
  if (options.clear) await ask(layout, "DELETE", "/faults");
  if (json !== undefined) await ask(layout, "POST", "/faults", JSON.parse(json));
}

const timed = async (what: string, work: () => Promise<void>): Promise<void> => {
  const started = Date.now();
  await work();
  say(`${what} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
};

function program(): Command {
  const region = new Command("region")
    .description("A local stand-in for a Hetzner Cloud region: the hcloud API over virtual machines.")
    .enablePositionalOptions();

  withCommon(region.command("start"))
    .description("start the region and wait until its API answers; builds the image at first")
    .option("--memory <MiB>", "most memory that any server gets", number, 1536)
    .option("--cores <count>", "most cores that any server gets (default: 2, without KVM 1)", number)
    .addOption(new Option("--accelerator <kind>", "how machines run").choices(["auto", "kvm", "tcg"]).default("auto"))
    .addOption(new Option("--image <name>", "image to have ready").choices(variantNames).default("debian-13"))
    .option("--record", "keep the API's requests and answers for `region api-check`")
    .action(startCommand);

  withCommon(region.command("status"))
    .description("what the region is and has")
    .option("--json", "print it as JSON")
    .action(async (options: Common & { json?: boolean }) => {
      const layout = layoutFor(options);
      const status = await statusOf(layout);
      if (options.json) say(JSON.stringify(status ?? { name: options.name, ready: false }, null, 2));
      else for (const line of status ? describe(status) : [`region ${options.name}: stopped`]) say(line);
      if (!status) process.exitCode = 3;
    });

  withCommon(region.command("exec"))
    .description("run a command where the servers can be reached, with HCLOUD_ENDPOINT and HCLOUD_TOKEN set")
    .argument("<command>")
    .argument("[args...]")
    .passThroughOptions()
    .action((command: string, args: string[], options: Common) => execCommand(command, args, options));

  withCommon(region.command("console"))
    .description("print what a server wrote on its console")
    .argument("<server>", "name or id")
    .option("-f, --follow", "go on printing")
    .action(consoleCommand);

  withCommon(region.command("stop"))
    .description("stop the region; servers' disks and the API's state stay for the next start")
    .option("--purge", "remove its state as well")
    .action(async (options: Common & { purge?: boolean }) => {
      const layout = layoutFor(options);
      const was = isRunning(layout);
      await stop(layout, { purge: options.purge ?? false });
      say(`region ${options.name}: ${was ? "stopped" : "did not run"}${options.purge ? ", state removed" : ""}`);
    });

  const checkpoint = region.command("checkpoint").description("keep and bring back the whole region");
  const checkpointCommand = (
    verb: string,
    description: string,
    method: "POST" | "DELETE",
    suffix: string,
    done: string,
  ) =>
    withCommon(checkpoint.command(verb))
      .description(description)
      .argument("<checkpoint>", "its name")
      .action(async (name: string, options: Common) => {
        const layout = running(options);
        await timed(`checkpoint ${name}: ${done}`, async () => {
          const answer = await ask(layout, method, `/checkpoints/${encodeURIComponent(name)}${suffix}`);
          const problems = (answer as { problems?: string[] }).problems ?? [];
          for (const problem of problems) process.stderr.write(`problem: ${problem}\n`);
          if (problems.length > 0) process.exitCode = 1;
        });
      });
  checkpointCommand("save", "keep all disks, memory and the API's state under a name", "POST", "/save", "saved");
  checkpointCommand("restore", "bring back exactly what was saved", "POST", "/restore", "restored");
  checkpointCommand("delete", "forget a checkpoint", "DELETE", "", "deleted");
  withCommon(checkpoint.command("list"))
    .description("list checkpoints")
    .action(async (options: Common) => {
      const status = await statusOf(running(options));
      for (const { name, created, servers } of status?.checkpoints ?? [])
        say(`${name}\t${servers} servers\t${created}`);
    });

  withCommon(region.command("api-check"))
    .description("compare recorded answers of the API with its OpenAPI description")
    .option("--description <file>", "the description (default: HCLOUD_OPENAPI)")
    .action(apiCheck);

  withCommon(region.command("fault"))
    .description("make the API fail on purpose, for tests of its clients")
    .argument("[json]", 'such as {"kind":"unavailable","serverType":"cx23"}')
    .option("--clear", "forget all faults first")
    .action(fault);

  const images = region.command("images").description("the images that servers boot");
  images
    .command("build")
    .description(`build images into the cache (${variantNames.join(", ")}; default debian-13)`)
    .argument("[names...]")
    .option("--fresh", "build anew, with the packages of today")
    .action(imagesBuild);
  images
    .command("list")
    .description("list images")
    .action(() => {
      const layout = layoutOf(defaultName);
      for (const name of variantNames) say(`${name}\t${isBuilt(layout.images, name) ? "built" : "not built"}`);
    });
  return region;
}

try {
  await program().parseAsync();
} catch (error) {
  process.stderr.write(`region: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
