/**
 * A deployment is interrupted at points spread over making a cluster and over making it smaller, by SIGINT (Ctrl-C) and by
 * SIGKILL of the engine; then the next one is run as docs/interrupted.md says.
 */
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { api, type Region, type Stack, type StackRun, say } from "../../harness/src/index.js";
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

const isStep = (line: string): boolean => / (creat|updat|delet)(ing|ed)( |$)/.test(line);

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

const serversSchema = z.object({
  servers: z.array(z.object({ id: z.number(), name: z.string(), labels: z.record(z.string(), z.string()) })),
});
const stateSchema = z.object({
  deployment: z.object({
    resources: z.array(z.looseObject({ type: z.string(), id: z.string().optional() })).default([]),
  }),
});

/** Servers of the cluster that Hetzner has and Pulumi's state has not. */
async function unknownServers(region: Region, stack: Stack): Promise<number[]> {
  const { servers } = serversSchema.parse(await api(region, "GET", "/servers?per_page=50"));
  const exported = await stack.pulumi("stack", "export");
  const { deployment } = stateSchema.parse(JSON.parse(exported.text));
  const known = deployment.resources
    .filter(({ type }) => type === "hcloud:index/server:Server")
    .map(({ id }) => Number(id));
  return servers
    .filter(({ id, labels }) => labels["hcloud-swarm-cluster"] === "life" && !known.includes(id))
    .map(({ id }) => id);
}

/** The next deployment, as docs/interrupted.md tells it. */
async function next(region: Region, stack: Stack, signal: Signal): Promise<StackRun> {
  if (signal === "SIGINT") {
    expect(await unknownServers(region, stack)).toEqual([]);
    return await stack.up(note);
  }
  expect((await stack.pulumi("cancel", "--yes")).exitCode).toBe(0);
  for (const id of await unknownServers(region, stack)) {
    say(`    server ${String(id)} was made, and its engine did not live to know it`);
    await api(region, "DELETE", `/servers/${String(id)}`);
  }
  return await stack.up(note);
}

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
