import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import * as pulumi from "@pulumi/pulumi";
import { HostHardening } from "hcloud-swarm";

const config = new pulumi.Config();
const keyFile = config.get("privateKeyFile") ?? `${homedir()}/.ssh/id_ed25519`;

// The host may be made anywhere: by hand, by Terraform, or by another part of this program, as in
// `host: server.ipv4Address`.
const hardening = new HostHardening("existing", {
  connection: {
    host: config.require("host"),
    privateKey: pulumi.secret(readFileSync(keyFile, "utf8")),
    hostKey: config.require("hostKey"),
  },
  policy: { publishedPorts: [{ port: 80 }, { port: 443 }] },
});

export const { report, exposure } = hardening;
