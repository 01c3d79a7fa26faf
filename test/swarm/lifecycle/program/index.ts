/** A cluster of whatever nodes the configuration names, which the tests change from step to step. */
import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { SwarmCluster, type SwarmClusterArgs } from "hcloud-swarm";

const config = new pulumi.Config();
const keyOf = (file: string) => pulumi.secret(readFileSync(file, "utf8"));
const privateKey = keyOf(config.require("privateKeyFile"));
const previousFile = config.get("previousPrivateKeyFile");

// With Docker in the image: a machine is emulated here, and installing it takes longer than all the rest of a first boot.
const pools = Object.entries(config.requireObject<SwarmClusterArgs["pools"]>("pools"));
const args = config.getObject<Partial<SwarmClusterArgs>>("args");

const cluster = new SwarmCluster("life", {
  policy: { publishedPorts: [{ port: 80 }] },
  ...args,
  // Several emulated machines at once are slow.
  timeouts: { boot: 1800, cloudInit: 3600, ...args?.timeouts },
  ssh: { privateKey, ...(previousFile === undefined ? {} : { previousPrivateKey: keyOf(previousFile) }) },
  pools: Object.fromEntries(pools.map(([name, pool]) => [name, { image: "debian-13-docker", ...pool }])),
});

export const { nodes, swarmId, reports, sshConfig, workerJoinToken, managerJoinToken, unlockKey } = cluster;
export const { loadBalancerIpv4, loadBalancerIpv6 } = cluster;
