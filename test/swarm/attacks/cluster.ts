/** The attacked cluster: one for each Docker version, booted once, then brought back from its checkpoint. */
import { createHash } from "node:crypto";
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { z } from "zod";
import { agentScript } from "../../../packages/swarm/src/host/agentSources.js";
import { armProgram, installProgram } from "../../../packages/swarm/src/host/index.js";
import {
  type Cluster,
  cacheDir,
  installResponder,
  openCluster,
  openStack,
  phase,
  type Region,
  responderBinary,
  root,
  type Stack,
  say,
  sshKey,
  startRegion,
} from "../../harness/src/index.js";
import { attackPolicy, bundleFor } from "./bundles.js";
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
  const name = `${process.env.HCS_ATTACK_REGION ?? "attack"}${image === "debian-13" ? "" : image.slice("debian-".length)}`;
  const stateDir = cacheDir("stacks", `${name}-cluster`);
  const kept = join(stateDir, "kept");
  // Nodes, containers and the stranger answer and ask by the responder that they were made with.
  const made = `${image} ${basename(await responderBinary())}`;
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
    const save = () => region.command("checkpoint", "save", checkpoint);
    if (!existsSync(kept)) {
      await phase("what is to be attacked, on every node", async () => {
        await installResponder(cluster);
        await startFixtures(opened);
      });
      await phase("checkpoint of the ready cluster", save);
      cpSync(join(stateDir, ".pulumi"), join(stateDir, "pulumi-ready"), { recursive: true });
      cpSync(join(stateDir, "config.yaml"), join(stateDir, "config-ready.yaml"));
      writeFileSync(kept, made);
    } else if (readFileSync(kept, "utf8") !== made)
      throw new Error(
        `the kept region ${name} has another image or responder: stop it with --purge, and remove ${stateDir}`,
      );
    const restore = async () => {
      await region.command("checkpoint", "restore", checkpoint);
      rmSync(join(stateDir, ".pulumi"), { recursive: true, force: true });
      cpSync(join(stateDir, "pulumi-ready"), join(stateDir, ".pulumi"), { recursive: true });
      cpSync(join(stateDir, "config-ready.yaml"), join(stateDir, "config.yaml"));
    };
    await restore();
    if (await renewAgent(cluster)) await phase("checkpoint with the agent of this checkout", save);
    return { ...opened, restore, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A kept cluster may be older than what is to be judged: gives it this checkout's agent and rules; whether it had others. */
async function renewAgent(cluster: Cluster): Promise<boolean> {
  const wanted = createHash("sha256").update(agentScript).digest("hex");
  const renewed = await Promise.all(
    cluster.nodes.map(async (node) => {
      const found = await cluster.ssh(node, "sha256sum </opt/hcloud-iptables.sh");
      if (!found.startsWith(wanted)) await cluster.ssh(node, "sh -s", `${installProgram()}\n${armProgram()}`);
      const said = await cluster.ssh(node, "/opt/hcloud-iptables.sh apply 2>&1", bundleFor(node, attackPolicy()));
      return !found.startsWith(wanted) || !/unchanged/.test(said);
    }),
  );
  return renewed.some(Boolean);
}

async function started(name: string, image: Image): Promise<Region> {
  return await phase(`region ${name}`, () => startRegion(name, (line) => say(`    ${line}`), "--image", image));
}
