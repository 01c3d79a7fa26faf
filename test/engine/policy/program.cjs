// The stacks of policy.mjs, in one program: STACKS names those that are meant, separated by commas. As a user would write them, with our components and
// with values that a preview cannot know.
const { generateKeyPairSync } = require("node:crypto");
const hcloud = require("@pulumi/hcloud");
const { HardenedServer, HostHardening, SwarmCluster } = require("hcloud-swarm");

const everybody = ["0.0.0.0/0", "::/0"];
const office = ["192.0.2.0/24"];
const { privateKey } = generateKeyPairSync("ed25519", {
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" },
});
const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAblW2M0gfe7BylX6rzxEMly6GaRw8/tq+CIAkv/5C8j";
const ssh = { privateKey };
const tight = { ssh: { sources: office }, publishedPorts: [{ port: 443 }] };
const bothProtections = { deleteProtection: true, rebuildProtection: true };

/** @param {...[port: string, sources: string[], protocol?: string]} rules */
function firewall(name, ...rules) {
  return new hcloud.Firewall(name, {
    name,
    rules: rules.map(([port, sourceIps, protocol = "tcp"]) => ({ direction: "in", protocol, port, sourceIps })),
  });
}

/** Its firewall's id is known only after the update. */
function server(name, args = {}, options = {}) {
  const { id } = firewall(`${name}-firewall`, ["443", everybody]);
  const shape = { name, serverType: "cx23", image: "debian-13", location: "fsn1", firewallIds: [id.apply(Number)] };
  return new hcloud.Server(name, { ...shape, ...args }, options);
}

const stacks = {
  good() {
    firewall("web", ["22", office], ["443", everybody], ["8000-8100", office]);
    new SwarmCluster("swarm", {
      ssh,
      pools: { manager: { role: "manager", count: 1 }, worker: { role: "worker", count: 1 } },
      policy: tight,
      deleteProtection: true,
    });
    new HardenedServer("single", { ssh, policy: tight, deleteProtection: true });
    const old = server("old", bothProtections);
    new HostHardening("old", { policy: tight, connection: { host: old.ipv4Address, privateKey, hostKey } });
    new hcloud.Volume("data", { name: "data", size: 10, location: "fsn1" }, { protect: true });
  },
  unhardened() {
    server("unhardened", bothProtections);
  },
  ssh() {
    firewall("exact", ["22", everybody]);
    firewall("ssh-range", ["20-30", ["::/0"]]);
    firewall("halves", ["22", ["0.0.0.0/1", "128.0.0.0/1"]]);
    firewall("ssh-fine", ["22", office], ["22", everybody, "udp"]);
    // Beside a rule that a preview cannot know.
    const later = new hcloud.PrimaryIp("later", {
      name: "later",
      type: "ipv4",
      assigneeType: "server",
      location: "fsn1",
      autoDelete: false,
      deleteProtection: true,
    });
    firewall("beside", ["443", [later.ipAddress]], ["22", everybody]);
    new HardenedServer("open", { ssh, deleteProtection: true, policy: { ssh: { port: 2222 } } });
  },
  docker() {
    for (const port of ["2375", "2376", "2377", "7946"]) firewall(`tcp-${port}`, [port, office]);
    firewall("vxlan", ["4789", office, "udp"]);
    firewall("docker-range", ["2000-3000", office]);
    firewall("docker-fine", ["2374", office], ["2378", office]);
  },
  protection() {
    const bare = server("bare");
    new HostHardening("bare", { policy: tight, connection: { host: bare.ipv4Address, privateKey, hostKey } });
    new HardenedServer("unprotected", { ssh, policy: tight });
    new hcloud.Volume("data", { name: "data", size: 10, location: "fsn1" });
    new hcloud.Network("net", { name: "net", ipRange: "10.0.0.0/8" });
    new hcloud.PrimaryIp("ip", {
      name: "ip",
      type: "ipv4",
      assigneeType: "server",
      location: "fsn1",
      autoDelete: false,
    });
    new hcloud.FloatingIp("floating", { name: "floating", type: "ipv4", homeLocation: "fsn1" });
    new hcloud.Volume("kept", { name: "kept", size: 10, location: "fsn1", deleteProtection: true });
  },
};
for (const name of (process.env.STACKS ?? "").split(",")) stacks[name]();
