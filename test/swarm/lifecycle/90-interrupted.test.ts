/**
 * A deployment is interrupted at points spread over making a cluster and over making it smaller, by SIGINT (Ctrl-C) and by
 * SIGKILL of the engine; then the next one is run as docs/interrupted.md says.
 */
import { delimiter, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { api, type Region, root, type Stack, type StackRun, say } from "../../harness/src/index.js";
import { expectWhole, Life, note, poolsOf, type Wish } from "./lib.js";

type Signal = "SIGINT" | "SIGKILL";
/** After how many steps begun or done the engine gets the signal. */
interface Point {
  readonly after: number;
  readonly signal: Signal;
}

const two: Wish = { m1: { role: "manager" }, w1: { role: "worker" } };
const one: Wish = { m2: { role: "manager" } };

const whileMade: readonly Point[] = [
  { after: 4, signal: "SIGKILL" },
  { after: 16, signal: "SIGINT" },
  { after: 24, signal: "SIGKILL" },
  { after: 30, signal: "SIGINT" },
  { after: 36, signal: "SIGKILL" },
];
const whileShrunk: readonly Point[] = [
  { after: 1, signal: "SIGINT" },
  { after: 2, signal: "SIGKILL" },
  { after: 6, signal: "SIGKILL" },
  { after: 10, signal: "SIGINT" },
  { after: 14, signal: "SIGKILL" },
];

/** A step begins or ends; what is said of one that goes on, such as each failed dial, is none. */
const isStep = (line: string): boolean =>
  / (?:(?:creat|updat|delet)ing \(0s\)(?: \[diff: [^\]]*\])? *$|(?:created|updated|deleted) )/.test(line);

/** The engine that runs for a stack, by its process id. */
async function engineOf(stack: Stack): Promise<number> {
  const { stdout } = await execa("ps", ["-eo", "pid=,args="]);
  const engines = stdout
    .split("\n")
    .map((line) => /^ *(\d+) (?:\S*\/)?pulumi up .*--config-file (\S+) /.exec(line))
    .filter((found) => found?.[2]?.startsWith(`${stack.stateDir}/`))
    .map((found) => Number(found?.[1]));
  const [engine, ...others] = engines;
  if (engine === undefined || others.length > 0) throw new Error(`${engines.length} engines run for the stack`);
  return engine;
}

/** Runs `up` and sends the engine a signal; a run that is over before is a failure, for it would test nothing. */
async function interrupted(stack: Stack, { after, signal }: Point): Promise<void> {
  let steps = 0;
  let sent: Promise<void> | undefined;
  const run = stack.up((line) => {
    note(line);
    if (isStep(line)) steps += 1;
    if (steps >= after && sent === undefined)
      sent = engineOf(stack).then((engine) => {
        say(`    ${signal} after ${String(steps)} steps`);
        process.kill(engine, signal);
      });
  });
  await expect(run, "it was interrupted").rejects.toThrow();
  await sent;
  expect(sent, `${String(steps)} steps were fewer than ${String(after)}`).toBeDefined();
}

/** What a cluster has in Hetzner Cloud that a name stands for, as the API and as Pulumi name it. */
const kinds = new Map([
  ["servers", "hcloud:index/server:Server"],
  ["firewalls", "hcloud:index/firewall:Firewall"],
  ["networks", "hcloud:index/network:Network"],
  ["placement_groups", "hcloud:index/placementGroup:PlacementGroup"],
  ["ssh_keys", "hcloud:index/sshKey:SshKey"],
]);
const listSchema = z.record(z.string(), z.unknown());
const thingSchema = z.object({ id: z.number(), name: z.string(), labels: z.record(z.string(), z.string()) });
const stateSchema = z.object({
  deployment: z.object({
    resources: z.array(z.looseObject({ type: z.string(), id: z.string().optional() })).default([]),
  }),
});

interface Thing extends z.infer<typeof thingSchema> {
  readonly kind: string;
}

/** What Hetzner has of the cluster and Pulumi's state has not. */
async function unknownThings(region: Region, stack: Stack): Promise<readonly Thing[]> {
  const exported = await stack.pulumi("stack", "export");
  const { deployment } = stateSchema.parse(JSON.parse(exported.text));
  const things: Thing[] = [];
  for (const [kind, type] of kinds) {
    const known = deployment.resources.filter((resource) => resource.type === type).map(({ id }) => Number(id));
    const list = listSchema.parse(await api(region, "GET", `/${kind}?per_page=50`));
    for (const thing of z.array(thingSchema).parse(list[kind]))
      if (thing.labels["hcloud-swarm-cluster"] === "life" && !known.includes(thing.id)) things.push({ kind, ...thing });
  }
  return things;
}

/** The next deployment, as docs/interrupted.md tells it: no server has to be deleted by hand. */
async function next(region: Region, stack: Stack, signal: Signal): Promise<StackRun> {
  if (signal === "SIGKILL") expect((await stack.pulumi("cancel", "--yes")).exitCode).toBe(0);
  const left = await unknownThings(region, stack);
  if (signal === "SIGINT") expect(left).toEqual([]);
  const run = await stack.up(note);
  for (const { kind, id, name } of left) {
    say(`    ${name} of ${kind} was made, and its engine did not live to know it`);
    expect(run.text).toContain(`(${String(id)}) was left by an interrupted deployment, and is deleted`);
  }
  expect(await unknownThings(region, stack), "orphans").toEqual([]);
  return run;
}

/** The Node host that the other suites run on is older than the engine, and does not know the hooks that delete what was left. */
beforeAll(async () => {
  const ensure = join(root, "test/engine/ensure.mjs");
  const { stdout } = await execa(process.execPath, [ensure, "--policies", "--print-path"]);
  vi.stubEnv("PATH", `${stdout.trim()}${delimiter}${process.env.PATH ?? ""}`);
}, 1_200_000);
afterAll(() => vi.unstubAllEnvs());

describe("a cluster that was interrupted while it was made", () => {
  it.each(whileMade)("by $signal after $after steps is made by the next deployment", async (point) => {
    const { region, stack } = await Life.empty();
    await stack.setConfig("pools", JSON.stringify(poolsOf(two)));
    await interrupted(stack, point);
    await next(region, stack, point.signal);
    const life = await Life.open(two);
    await expectWhole(life, life.cluster.outputs.swarmId);
    expect((await stack.up()).sshSessions).toEqual([]);
  });
});

describe("a cluster that was interrupted while it was made smaller", () => {
  it.each(whileShrunk)(
    "by $signal after $after steps is as small as wished after the next deployment",
    async (point) => {
      const life = await Life.ready();
      const { swarmId } = life.cluster.outputs;
      await life.stack.setConfig("pools", JSON.stringify(poolsOf(one)));
      await interrupted(life.stack, point);
      await next(life.region, life.stack, point.signal);
      const small = await Life.open(one);
      await expectWhole(small, swarmId);
      expect((await life.stack.up()).sshSessions).toEqual([]);
    },
  );
});
