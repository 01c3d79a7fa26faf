/**
 * A swarm as a person makes one by hand: three servers in a private network by API calls, Docker by apt, `swarm init` and
 * `swarm join`, a web service on all of them, and two ports that nobody meant to be open. No Pulumi anywhere.
 *
 * `HCS_KEEP=1` leaves it running, and the next run with it starts from its checkpoint.
 */
import { readFileSync } from "node:fs";
import type { TestProject } from "vitest/node";
import { z } from "zod";
import { api, bootShared, cacheDir, hostAt, phase, type Region, scanHostKey, sshKey } from "../../harness/src/index.js";
import { createServer, installDocker, join as joinSwarm, type Made, openDatabase, startWeb } from "./byHand.js";

/** Plain data, for it crosses a process border. */
export interface SharedSwarm {
  readonly region: string;
  readonly stateDir: string;
  readonly keyFile: string;
  readonly sshKeyId: number;
  readonly networkId: number;
  /** The manager first. */
  readonly servers: readonly Made[];
}
declare module "vitest" {
  interface ProvidedContext {
    byHand: SharedSwarm;
  }
}

/** Name of the checkpoint of the hand-made swarm. */
export const checkpoint = "by-hand";

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const name = process.env.HCS_ADOPTION_REGION ?? "adopt";
  const stateDir = cacheDir("stacks", `${name}-by-hand`);
  const { data, tearDown } = await bootShared<SharedSwarm>({
    name,
    stateDir,
    flags: ["--memory", "1024"],
    make: (region) => makeSwarm(region, name, stateDir),
    restore: (region) => region.command("checkpoint", "restore", checkpoint),
  });
  project.provide("byHand", data);
  return tearDown;
}

async function makeSwarm(region: Region, name: string, stateDir: string): Promise<SharedSwarm> {
  const keyFile = await sshKey(stateDir);
  const { ssh_key } = z.object({ ssh_key: z.object({ id: z.number() }) }).parse(
    await api(region, "POST", "/ssh_keys", {
      name: "by-hand",
      public_key: readFileSync(`${keyFile}.pub`, "utf8").trim(),
    }),
  );
  const { network } = z.object({ network: z.object({ id: z.number() }) }).parse(
    await api(region, "POST", "/networks", {
      name: "by-hand",
      ip_range: "10.20.0.0/16",
      subnets: [{ type: "cloud", network_zone: "eu-central", ip_range: "10.20.1.0/24" }],
    }),
  );
  const servers = await phase("three servers by API calls", async () => {
    const made = await Promise.all(
      ["swarm-a", "swarm-b", "swarm-c"].map((server) => createServer(region, server, ssh_key.id, network.id)),
    );
    return await Promise.all(
      made.map(async (server) => ({ ...server, hostKey: await scanHostKey(region, server.publicIpv4, "ecdsa") })),
    );
  });
  const hosts = servers.map((server) => hostAt(region, server.publicIpv4, server.hostKey, keyFile, stateDir));
  const [first, ...others] = hosts;
  const [manager] = servers;
  if (first === undefined || manager === undefined) throw new Error("no server was made");
  await phase("Docker by apt", () => Promise.all(hosts.map(installDocker)));
  await phase("`swarm init` and `swarm join` by hand", async () => {
    await first.ssh(`docker swarm init --advertise-addr ${manager.privateIp} >/dev/null`);
    await Promise.all(
      others.map((host, index) => joinSwarm(first, host, manager.privateIp, servers[index + 1]?.privateIp ?? "")),
    );
  });
  await phase("a web service, a database and a cache", async () => {
    await startWeb(first, servers.length);
    await openDatabase(first);
  });
  await phase("checkpoint", () => region.command("checkpoint", "save", checkpoint));
  return { region: name, stateDir, keyFile, sshKeyId: ssh_key.id, networkId: network.id, servers };
}
