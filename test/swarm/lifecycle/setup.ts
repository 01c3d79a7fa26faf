/**
 * Boots the cluster that every file of the suite starts from: three managers and a worker, a web service on them.
 *
 * `HCS_KEEP=1` leaves it running, and the next run with it starts from its checkpoint.
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
  responderImage,
  restoreCheckpoint,
  saveCheckpoint,
  say,
  sessionsByHost,
  sshKey,
} from "../../harness/src/index.js";

/** Plain data, for it crosses a process border. */
export interface SharedLife {
  readonly region: string;
  readonly stateDir: string;
  readonly keyFile: string;
  /** SSH sessions a host during the first `up`. */
  readonly firstUpSessions: Record<string, number>;
}
declare module "vitest" {
  interface ProvidedContext {
    life: SharedLife;
  }
}

const nodes = { m1: {}, m2: {}, m3: {} };
const pools = {
  manager: { role: "manager", serverType: "cx23", nodes },
  worker: { role: "worker", serverType: "cx23", nodes: { w1: {} } },
};

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const name = process.env.HCS_LIFE_REGION ?? "life";
  const stateDir = cacheDir("stacks", `${name}-cluster`);
  const { data, tearDown } = await bootShared<SharedLife>({
    name,
    stateDir,
    flags: ["--memory", "1024", "--image", "debian-13-docker"],
    make: (region) => makeCluster(region, name, stateDir),
    restore: (region) => restoreCheckpoint(region, stateDir, "ready"),
  });
  project.provide("life", data);
  return tearDown;
}

async function makeCluster(region: Region, name: string, stateDir: string): Promise<SharedLife> {
  const keyFile = await sshKey(stateDir);
  const program = join(import.meta.dirname, "program");
  const stack = await openStack({ region, program, name: "life", stateDir });
  await stack.setConfig("privateKeyFile", keyFile);
  await stack.setConfig("pools", JSON.stringify(pools));
  await saveCheckpoint(region, stateDir, "empty");
  const run = await phase("`pulumi up` (3 managers, 1 worker)", () =>
    stack.up((line) => (/created|failed|error/.test(line) ? say(`    ${line.trim()}`) : undefined)),
  );
  const cluster = await openCluster(region, stack, keyFile);
  await phase("a web service", async () => {
    await installResponder(cluster);
    await cluster.ssh(
      cluster.manager,
      `docker service create --quiet --no-resolve-image --name web --replicas 3 --publish 80:8000 ${responderImage} serve tcp:8000`,
    );
  });
  await phase("checkpoint", () => saveCheckpoint(region, stateDir, "ready"));
  return { region: name, stateDir, keyFile, firstUpSessions: sessionsByHost(run) };
}
