// A stack that knows nothing of our components: a server behind an hcloud Firewall, as most people have them.
const hcloud = require("@pulumi/hcloud");
const pulumi = require("@pulumi/pulumi");

const shape = new pulumi.Config().requireObject("shape");
const key = new hcloud.SshKey("operator", { name: "operator", publicKey: shape.publicKey });
const rules = shape.rules.map(({ port, sources }) => ({ direction: "in", protocol: "tcp", port, sourceIps: sources }));
// One after the other, so that a preview that fails has always seen the same.
const firewall = new hcloud.Firewall("web", { name: "web", rules }, { dependsOn: [key] });
const web = new hcloud.Server("web-1", {
  name: "web-1",
  serverType: "cx23",
  image: "debian-13",
  location: "fsn1",
  sshKeys: [key.id],
  userData: shape.userData,
  firewallIds: [firewall.id.apply(Number)],
  deleteProtection: shape.protected,
  rebuildProtection: shape.protected,
});
if (shape.address) {
  const own = { name: "shop", type: "ipv4", assigneeType: "server", location: "fsn1", autoDelete: false };
  new hcloud.PrimaryIp("shop", own, { dependsOn: [web] });
}

exports.address = web.ipv4Address;
