/**
 * Boots the cluster that every system test shares, and takes it down at the end.
 *
 * `HCS_KEEP=1` leaves it running, and the next run with it starts from its checkpoint: a loop of seconds while writing tests.
 * `HCS_WORKERS` is the number of workers beside the one manager (1, for each more is minutes on a slow computer, and the demo
 * has two): suites that look at one host alone need none.
 */
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import {
  bootShared,
  cacheDir,
  installResponder,
  openCluster,
  openStack,
  phase,
  type Region,
  restoreCheckpoint,
  root,
  saveCheckpoint,
  say,
  sessionsByHost,
  sshKey,
  startServices,
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
  const stateDir = cacheDir("stacks", `${name}-cluster`);
  const { data, tearDown } = await bootShared<SharedCluster>({
    name,
    stateDir,
    flags: ["--record"],
    make: (region) => makeCluster(region, name, stateDir),
    restore: (region) => restoreCheckpoint(region, stateDir, readyCheckpoint),
  });
  project.provide("shared", data);
  return tearDown;
}

async function makeCluster(region: Region, name: string, stateDir: string): Promise<SharedCluster> {
  const started = Date.now();
  const keyFile = await sshKey(stateDir);
  const stack = await openStack({ region, program: join(root, "examples/cluster"), name: "cluster", stateDir });
  await stack.setConfig("privateKeyFile", keyFile);
  const workers = process.env.HCS_WORKERS ?? "1";
  await stack.setConfig("workers", workers);
  // Emulated machines on a slow computer take twenty minutes.
  await stack.setConfig("cloudInitSeconds", "2400");
  const run = await phase(`\`pulumi up\` (1 manager, workers: ${workers})`, () =>
    stack.up((line) => (/created|failed|error/.test(line) ? say(`    ${line.trim()}`) : undefined)),
  );
  const cluster = await openCluster(region, stack, keyFile);
  await phase("two services on every node", async () => {
    await installResponder(cluster);
    await startServices(cluster);
  });
  const secondsToReady = (Date.now() - started) / 1000;
  await phase("checkpoint of the ready cluster", () => saveCheckpoint(region, stateDir, readyCheckpoint));
  return { region: name, stateDir, keyFile, firstUpSessions: sessionsByHost(run), secondsToReady };
}
