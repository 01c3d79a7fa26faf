import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import * as pulumi from "@pulumi/pulumi";
import { SwarmCluster, type VerifyMode } from "hcloud-swarm";

const config = new pulumi.Config();
const keyFile = config.get("privateKeyFile") ?? `${homedir()}/.ssh/id_ed25519`;
// The key itself, encrypted in the stack's settings, where no file is: another machine, a CI job.
const privateKey = config.getSecret("privateKey") ?? pulumi.secret(readFileSync(keyFile, "utf8"));
const verify = config.get<VerifyMode>("verify"); // `always`: every `up` looks for drift
const extraPort = config.getNumber("extraPort");
const image = config.get("image");
const shape = image === undefined ? {} : { image };
const workers = config.getNumber("workers") ?? 2;
const cloudInit = config.getNumber("cloudInitSeconds"); // where machines are slow, such as emulated ones

const cluster = new SwarmCluster("demo", {
  ssh: { privateKey },
  pools: {
    manager: { role: "manager", count: 1, ...shape },
    ...(workers === 0 ? {} : { worker: { role: "worker", count: workers, ...shape } }),
  },
  ...(verify === undefined ? {} : { verify }),
  ...(cloudInit === undefined ? {} : { timeouts: { cloudInit } }),
  // Everything that is not named here is closed, but for SSH.
  policy: {
    publishedPorts: [{ port: 80 }, { port: 443 }, ...(extraPort === undefined ? [] : [{ port: extraPort }])],
  },
});

export const { nodes, swarmId, reports, exposure, sshConfig, dockerContextCommand } = cluster;
