import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import * as pulumi from "@pulumi/pulumi";
import { HardenedServer } from "hcloud-swarm";

const config = new pulumi.Config();
const keyFile = config.get("privateKeyFile") ?? `${homedir()}/.ssh/id_ed25519`;
// The key itself, encrypted in the stack's settings, where no file is: another machine, a CI job.
const privateKey = config.getSecret("privateKey") ?? pulumi.secret(readFileSync(keyFile, "utf8"));
const image = config.get("image");

const server = new HardenedServer("web", {
  ssh: { privateKey },
  ...(image === undefined ? {} : { image }),
  policy: { publishedPorts: [{ port: 80 }, { port: 443 }] },
});

export const { publicIpv4, publicIpv6, report, exposure, sshConfig, dockerContextCommand } = server;
