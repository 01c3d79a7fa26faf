/**
 * Boots the cluster that every system test shares, and takes it down at the end.
 *
 * `HCS_KEEP=1` leaves it running, and the next run with it starts from its checkpoint: a loop of seconds while writing tests.
 * `HCS_WORKERS` is the number of workers beside the one manager (2): suites that look at one host alone need none.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import {
  cacheDir,
  consoleTails,
  installResponder,
  openCluster,
  openStack,
  phase,
  phases,
  region as regionOf,
  restoreCheckpoint,
  root,
  saveCheckpoint,
  say,
  sessionsByHost,
  sshKey,
  startRegion,
  startServices,
  table,
} from "../harness/src/index.js";

/** What the test files need to find the cluster; plain data, for it crosses a process border. */
export interface SharedCluster {
  readonly region: string;
  readonly stateDir: string;
  readonly keyFile: string;
  /** SSH sessions a host during the first `up`. */
  readonly firstUpSessions: Record<string, number>;
  readonly secondsToReady: number;
}

declare module "vitest" {
  interface ProvidedContext {
    shared: SharedCluster;
  }
}

/** Name of the checkpoint of the ready cluster, services running. */
export const readyCheckpoint = "ready";

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const name = process.env.HCS_TEST_REGION ?? "test";
  const keep = process.env.HCS_KEEP === "1";
  const stateDir = cacheDir("stacks", `${name}-cluster`);
  const shared = join(stateDir, "shared.json");

  if (keep && existsSync(shared)) {
    await phase("restore of the kept cluster", () => restoreCheckpoint(regionOf(name), stateDir, readyCheckpoint));
    project.provide("shared", JSON.parse(readFileSync(shared, "utf8")));
    return async () => {};
  }
  const region = await phase("region", () => startRegion(name, (line) => say(`    ${line}`), "--record"));
  const tearDown = async () => {
    process.stdout.write(
      `\n${table(
        ["phase", "seconds"],
        phases().map((p) => [p.title, p.seconds.toFixed(1)]),
      )}\n`,
    );
    if (!keep) {
      await region.command("stop", "--purge");
      rmSync(stateDir, { recursive: true, force: true });
    }
  };
  try {
    const started = Date.now();
    const keyFile = await sshKey(stateDir);
    const stack = await openStack({ region, program: join(root, "examples/cluster"), name: "cluster", stateDir });
    await stack.setConfig("privateKeyFile", keyFile);
    const workers = process.env.HCS_WORKERS ?? "2";
    await stack.setConfig("workers", workers);
    const run = await phase(`\`pulumi up\` (1 manager, ${workers} workers)`, () =>
      stack.up((line) => (/created|failed|error/.test(line) ? say(`    ${line.trim()}`) : undefined)),
    );
    const cluster = await openCluster(region, stack, keyFile);
    await phase("two services on every node", async () => {
      await installResponder(cluster);
      await startServices(cluster);
    });
    const secondsToReady = (Date.now() - started) / 1000;
    await phase("checkpoint of the ready cluster", () => saveCheckpoint(region, stateDir, readyCheckpoint));
    const firstUpSessions = sessionsByHost(run);
    const data: SharedCluster = { region: name, stateDir, keyFile, firstUpSessions, secondsToReady };
    writeFileSync(shared, JSON.stringify(data));
    project.provide("shared", data);
    return tearDown;
  } catch (error) {
    say(await consoleTails(region));
    await tearDown();
    throw error;
  }
}
