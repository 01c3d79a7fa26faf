/** The attacked cluster: one for each Docker version, booted once, then brought back from its checkpoint. */
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import {
  type Cluster,
  cacheDir,
  installResponder,
  openCluster,
  openStack,
  phase,
  type Region,
  root,
  type Stack,
  say,
  sshKey,
  startRegion,
} from "../../harness/src/index.js";
import { startFixtures } from "./fixtures.js";
import type { Stranger } from "./types.js";

/** Debian images of the region, each with the Docker that it ships. */
export const images = ["debian-13", "debian-12", "debian-sid"] as const;
export type Image = (typeof images)[number];

const checkpoint = "ready";
const program = join(root, "test/swarm/attacks/program");

const strangerSchema = z.looseObject({
  networkId: z.string(),
  strangerId: z.string(),
  strangerIpv4: z.string(),
  strangerIpv6: z.string(),
});

export interface AttackedCluster {
  readonly image: Image;
  readonly region: Region;
  readonly stack: Stack;
  readonly cluster: Cluster;
  readonly stranger: Stranger;
  readonly networkId: number;
  /** Back to the ready moment: disks, memory, the cloud's and Pulumi's state. */
  restore(): Promise<void>;
  /** Takes the region down, unless it is to be kept. */
  stop(): Promise<void>;
}

/** Boots the cluster of an image, or finds the one that `HCS_KEEP=1` kept. */
export async function bootCluster(image: Image): Promise<AttackedCluster> {
  const keep = process.env.HCS_KEEP === "1";
  // Debian 13's has the plain name: the one most often kept.
  const name = `${process.env.HCS_ATTACK_REGION ?? "attack"}${image === "debian-13" ? "" : image.slice("debian".length)}`;
  const stateDir = cacheDir("stacks", `${name}-cluster`);
  const kept = join(stateDir, "kept");
  // One that was kept and stopped has its disks and its checkpoint still.
  const region = await started(name, image);
  const stop = async () => {
    if (keep) return;
    await region.command("stop", "--purge");
    rmSync(stateDir, { recursive: true, force: true });
  };
  try {
    const keyFile = await sshKey(stateDir);
    const stack = await openStack({ region, program, name: "attacks", stateDir });
    if (!existsSync(kept)) {
      await stack.setConfig("privateKeyFile", keyFile);
      await stack.setConfig("image", image);
      await phase(`\`pulumi up\` (manager, worker, stranger; ${image})`, () =>
        stack.up((line) => (/created|failed|error/.test(line) ? say(`    ${line.trim()}`) : undefined)),
      );
    }
    const cluster = await openCluster(region, stack, keyFile);
    const found = strangerSchema.parse(await stack.outputs());
    const stranger: Stranger = {
      publicIpv4: found.strangerIpv4,
      publicIpv6: found.strangerIpv6,
      privateIp: "10.0.0.200",
      serverId: Number(found.strangerId),
      keyFile,
    };
    const opened = { image, region, stack, cluster, stranger, networkId: Number(found.networkId) };
    if (!existsSync(kept)) {
      await phase("what is to be attacked, on every node", async () => {
        await installResponder(cluster);
        await startFixtures(opened);
      });
      await phase("checkpoint of the ready cluster", () => region.command("checkpoint", "save", checkpoint));
      cpSync(join(stateDir, ".pulumi"), join(stateDir, "pulumi-ready"), { recursive: true });
      cpSync(join(stateDir, "config.yaml"), join(stateDir, "config-ready.yaml"));
      writeFileSync(kept, image);
    } else if (readFileSync(kept, "utf8") !== image) throw new Error(`the kept region ${name} is of another image`);
    const restore = async () => {
      await region.command("checkpoint", "restore", checkpoint);
      rmSync(join(stateDir, ".pulumi"), { recursive: true, force: true });
      cpSync(join(stateDir, "pulumi-ready"), join(stateDir, ".pulumi"), { recursive: true });
      cpSync(join(stateDir, "config-ready.yaml"), join(stateDir, "config.yaml"));
    };
    return { ...opened, restore, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function started(name: string, image: Image): Promise<Region> {
  return await phase(`region ${name}`, () => startRegion(name, (line) => say(`    ${line}`), "--image", image));
}
