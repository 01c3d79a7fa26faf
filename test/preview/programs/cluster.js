// A SwarmCluster whose arguments come from the stack's settings, so that one program makes every change that is previewed.
const { readFileSync } = require("node:fs");
const pulumi = require("@pulumi/pulumi");
const { SwarmCluster } = require("hcloud-swarm");

const args = new pulumi.Config().requireObject("args");
const privateKey = pulumi.secret(readFileSync("key", "utf8"));
const cluster = new SwarmCluster("demo", { ...args, ssh: { privateKey } });

const { nodes, swarmId, reports, exposure, sshConfig, dockerContextCommand } = cluster;
Object.assign(exports, { nodes, swarmId, reports, exposure, sshConfig, dockerContextCommand });
