/** What the adoption suite's files share: stacks, what a host is made of, and what the outside sees of it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { expect, inject } from "vitest";
import { z } from "zod";
import {
  answeringPorts,
  cacheDir,
  type Host,
  hostAt,
  openStack,
  type Region,
  region as regionOf,
  root,
  type Stack,
  type StackRun,
  say,
  type Watched,
} from "../../harness/src/index.js";
import type { Made } from "./byHand.js";
import { checkpoint } from "./setup.js";

/** The suite's own program, and the example that people begin with. */
export const program = join(import.meta.dirname, "program");
export const example = join(root, "examples/existing-stack");

export interface Machine extends Made {
  readonly host: Host;
}

export function theRegion(): Region {
  return regionOf(inject("byHand").region);
}

/** The hand-made swarm as it was when it was ready. The manager is the first. */
export async function handMadeSwarm(): Promise<readonly [Machine, Machine, Machine]> {
  const { servers } = inject("byHand");
  await theRegion().command("checkpoint", "restore", checkpoint);
  const machines = servers.map(machineOf);
  for (const { host } of machines) await patiently(() => host.ssh("true"));
  const [a, b, c] = machines;
  if (!a || !b || !c) throw new Error("three servers were made");
  return [a, b, c];
}

export function machineOf(server: Made): Machine {
  const { keyFile, stateDir } = inject("byHand");
  return { ...server, host: hostAt(theRegion(), server.publicIpv4, server.hostKey, keyFile, stateDir) };
}

async function patiently(work: () => Promise<unknown>, seconds = 60): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

/** A stack that nothing is in yet. */
export async function newStack(name: string, program: string): Promise<Stack> {
  const stateDir = cacheDir("stacks", `${inject("byHand").region}-${name}`);
  // Of a run that was killed: the machines that its state speaks of are gone.
  rmSync(stateDir, { recursive: true, force: true });
  const stack = await openStack({ region: theRegion(), program, name, stateDir });
  await stack.setConfig("privateKeyFile", inject("byHand").keyFile);
  return stack;
}

/** `pulumi up` with what it did to each resource said aloud. */
export async function up(stack: Stack): Promise<StackRun> {
  return await stack.up((line) => {
    if (/ (created|updated|deleted|replaced|imported) |failed|error|warning: [^u]/.test(line))
      say(`    ${line.trim().slice(0, 240)}`);
  });
}

const previewSchema = z.object({ steps: z.array(z.object({ op: z.string(), urn: z.string() })) });

export interface Preview {
  /** What `pulumi preview --json` printed. */
  readonly json: string;
  /** Everything that would happen, as `create Command prod-worker-1-policy`; the stack and providers left out. */
  readonly steps: readonly string[];
  /** What would happen in Hetzner Cloud. */
  readonly cloud: readonly string[];
}

export async function preview(stack: Stack): Promise<Preview> {
  const { text, exitCode } = await stack.pulumi("preview", "--json");
  expect(exitCode, text).toBe(0);
  // Warnings about providers from PATH stand around it.
  const json = text.slice(text.indexOf("\n{") + 1, text.lastIndexOf("}") + 1);
  const all = previewSchema.parse(JSON.parse(json)).steps.map(({ op, urn }) => {
    const [type = "", name = ""] = urn.split("::").slice(-2);
    return { op, type: type.split("$").at(-1) ?? "", name };
  });
  const told = all.filter(({ op, type }) => op !== "same" && !type.startsWith("pulumi:"));
  const line = ({ op, type, name }: (typeof all)[number]) => `${op} ${type.split(":").at(-1)} ${name}`;
  return { json, steps: told.map(line), cloud: told.filter(({ type }) => type.startsWith("hcloud:")).map(line) };
}

const exposureSchema = z.object({
  counts: z.record(z.string(), z.number()),
  exposure: z.object({
    changes: z.array(
      z.object({ kind: z.string(), protocol: z.string(), port: z.string(), nodes: z.array(z.string()) }),
    ),
  }),
});

/**
 * What preview-report makes of a preview when it is told what listens on the hosts: which ports will close, and where, as
 * `closes tcp/5432 on NODE,NODE`.
 */
export async function reportOn(
  { json }: Preview,
  nodes: Readonly<Record<string, Machine>>,
): Promise<{ counts: Record<string, number>; changes: readonly string[] }> {
  const directory = mkdtempSync(join(tmpdir(), "hcloud-swarm-preview-"));
  try {
    const flags = Object.entries(nodes).map(async ([name, { host }]) => {
      const file = join(directory, `${name}.txt`);
      writeFileSync(file, await host.ssh("ss -Htuln"));
      return ["--listening", `${name}=${file}`];
    });
    const told = (await Promise.all(flags)).flat();
    const cli = join(root, "packages/preview-report/bin/preview-report.mjs");
    const run = await execa(process.execPath, [cli, "--format", "json", ...told], { input: json });
    const { counts, exposure } = exposureSchema.parse(JSON.parse(run.stdout));
    const changes = exposure.changes.map(
      ({ kind, protocol, port, nodes: on }) => `${kind} ${protocol}/${port} on ${[...on].sort().join()}`,
    );
    return { counts, changes };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** How a server and its Docker have run without a break: other text after a reboot, or a restart of Docker or a container. */
export async function lifeOf({ host }: Machine): Promise<string> {
  return await host.ssh(`
    cat /proc/sys/kernel/random/boot_id
    systemctl show docker.service containerd.service --property=MainPID,ActiveEnterTimestampMonotonic
    docker ps --no-trunc --format '{{.ID}} {{.Names}}' | sort
    docker ps --quiet | xargs docker inspect --format '{{.State.Pid}} {{.State.StartedAt}}' | sort`);
}

export async function uptimeOf({ host }: Machine): Promise<number> {
  return Number((await host.ssh("cut -d' ' -f1 /proc/uptime")).trim());
}

/** Id of the swarm, as a manager knows it. */
export async function swarmIdOf({ host }: Machine): Promise<string> {
  return (await host.ssh("docker info --format '{{.Swarm.Cluster.ID}}'")).trim();
}

/** Ports that answer from outside, as `5432/4`. */
export const answering = ({ publicIpv4: ipv4, publicIpv6: ipv6 }: Machine, ports: readonly number[]) =>
  answeringPorts(theRegion(), { ipv4, ipv6 }, ports);

const reportSchema = z.object({
  passed: z.boolean(),
  checks: z.array(z.object({ name: z.string(), passed: z.boolean(), expected: z.string(), found: z.string() })),
});

/** The reports that a stack keeps, and what hosts say of themselves now: every failed check of any. */
export async function failedChecks(stack: Stack, machines: readonly Machine[]): Promise<string[]> {
  const { reports } = z.looseObject({ reports: z.record(z.string(), reportSchema) }).parse(await stack.outputs());
  expect(Object.keys(reports)).toHaveLength(machines.length);
  const live = await Promise.all(
    machines.map(async ({ host }) =>
      reportSchema.parse(JSON.parse(await host.ssh("/opt/hcloud-iptables.sh verify --json || :"))),
    ),
  );
  return [...Object.values(reports), ...live].flatMap((report) => {
    expect(report.checks.length).toBeGreaterThan(10);
    return report.checks
      .filter(({ passed }) => !passed)
      .map(({ name, expected, found }) => `${name}: expected ${expected}, found ${found}`);
  });
}

/** Every probe of a server was answered, and there were enough of them to say something. */
export function expectServed(records: readonly Watched[]): void {
  expect(records.length).toBeGreaterThan(0);
  for (const { url, asked, failed, lastError } of records) {
    expect({ url, failed, lastError }).toEqual({ url, failed: 0, lastError: "" });
    expect(asked, url).toBeGreaterThan(20);
  }
}

/** A second `up` changes nothing and opens no SSH connection. */
export async function expectNoOp(stack: Stack): Promise<void> {
  const again = await stack.up();
  expect(again.text).toMatch(/ unchanged/);
  expect(again.text).not.toMatch(/ (created|updated|replaced|deleted|imported)\b/);
  expect(again.sshSessions).toEqual([]);
}
