// A server that is there already comes into a stack and under a policy: imported, never changed but for its rules.
const { readFileSync } = require("node:fs");
const hcloud = require("@pulumi/hcloud");
const pulumi = require("@pulumi/pulumi");
const { HostHardening } = require("hcloud-swarm");

const { id, name, hostKey } = new pulumi.Config().requireObject("existing");
const server = new hcloud.Server(
  "old",
  { name, serverType: "cx23", image: "debian-13", location: "fsn1", labels: { made: "by-hand" } },
  {
    import: id,
    // Hetzner Cloud does not give these back; without this an import would replace the server.
    ignoreChanges: ["userData", "sshKeys", "publicNets", "keepDisk", "networks", "image", "firewallIds"],
  },
);
const hardening = new HostHardening("old", {
  connection: { host: server.ipv4Address, privateKey: pulumi.secret(readFileSync("key", "utf8")), hostKey },
  policy: { publishedPorts: [{ port: 443 }], ssh: { sources: ["192.0.2.0/24"] } },
});

exports.exposure = hardening.exposure;
