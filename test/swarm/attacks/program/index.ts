/** One manager, one worker, and in their private network a server that is no peer of theirs. */
import { readFileSync } from "node:fs";
import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";
import { SwarmCluster } from "hcloud-swarm";

const config = new pulumi.Config();
const image = config.require("image");
const privateKey = pulumi.secret(readFileSync(config.require("privateKeyFile"), "utf8"));
const publicKey = readFileSync(`${config.require("privateKeyFile")}.pub`, "utf8").trim();

const network = new hcloud.Network("net", { name: "net", ipRange: "10.0.0.0/16" });
const subnet = new hcloud.NetworkSubnet("nodes", {
  networkId: network.id.apply(Number),
  type: "cloud",
  networkZone: "eu-central",
  ipRange: "10.0.0.0/24",
});
const sshKey = new hcloud.SshKey("key", { name: "key", publicKey });

const cluster = new SwarmCluster("attack", {
  ssh: { privateKey, existing: { id: sshKey.id } },
  pools: {
    manager: { role: "manager", count: 1, image },
    worker: { role: "worker", count: 1, image },
  },
  // The subnet's own id says that it is there.
  network: { existing: { id: subnet.networkId.apply(String) }, ipRange: "10.0.0.0/16" },
  // The cloud's firewall stops most attacks before they meet the host's rules, which are the ones to be judged.
  cloudFirewall: { enabled: false },
  timeouts: { probation: config.getNumber("probation") ?? 180 },
  policy: {
    publishedPorts: [
      { port: 80 },
      { port: 443 },
      { port: 8888 },
      { port: 9001, protocol: "udp" },
      { port: 9003, protocol: "sctp" },
      ...(config.getNumber("extraPort") ? [{ port: config.requireNumber("extraPort") }] : []),
    ],
    trustedInterfaces: ["attk0"],
    ssh: { sources: config.getObject<string[]>("sshSources") ?? ["0.0.0.0/0", "::/0"] },
  },
});

const stranger = new hcloud.Server("stranger", {
  name: "stranger",
  serverType: "cx23",
  location: "fsn1",
  image,
  sshKeys: [sshKey.id],
  networks: [{ networkId: subnet.networkId, ip: "10.0.0.200", aliasIps: [] }],
});

export const { nodes, swarmId, reports, sshConfig } = cluster;
export const networkId = network.id;
export const strangerIpv4 = stranger.ipv4Address;
export const strangerIpv6 = stranger.ipv6Address;
export const strangerId = stranger.id;
