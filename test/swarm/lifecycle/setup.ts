/**
 * Boots the cluster that every file of the suite starts from: three managers and a worker, a web service on them.
 *
 * `HCS_KEEP=1` leaves it running, and the next run with it starts from its checkpoint.
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
  responderImage,
  restoreCheckpoint,
  saveCheckpoint,
  say,
  sessionsByHost,
  sshKey,
  startRegion,
  table,
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
  const keep = process.env.HCS_KEEP === "1";
  const stateDir = cacheDir("stacks", `${name}-cluster`);
  const kept = join(stateDir, "kept.json");
  if (keep && existsSync(kept)) {
    await phase("restore of the kept cluster", () => restoreCheckpoint(regionOf(name), stateDir, "ready"));
    project.provide("life", JSON.parse(readFileSync(kept, "utf8")));
    return async () => {};
  }
  const region = await phase("region", () => startRegion(name, (line) => say(`    ${line}`), "--memory", "1024"));
  const tearDown = async () => {
    const rows = phases().map((one) => [one.title, one.seconds.toFixed(1)]);
    process.stdout.write(`\n${table(["phase", "seconds"], rows)}\n`);
    if (keep) return;
    await region.command("stop", "--purge");
    rmSync(stateDir, { recursive: true, force: true });
  };
  try {
    const keyFile = await sshKey(stateDir);
    const program = join(import.meta.dirname, "program");
    const stack = await openStack({ region, program, name: "life", stateDir });
    await stack.setConfig("privateKeyFile", keyFile);
    await stack.setConfig("pools", JSON.stringify(pools));
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
    const data: SharedLife = { region: name, stateDir, keyFile, firstUpSessions: sessionsByHost(run) };
    writeFileSync(kept, JSON.stringify(data));
    project.provide("life", data);
    return tearDown;
  } catch (error) {
    say(await consoleTails(region));
    await tearDown();
    throw error;
  }
}
