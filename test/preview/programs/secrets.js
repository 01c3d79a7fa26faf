// Puts secrets wherever a program can put them, by mistake or on purpose. What it is given is made up and opens nothing.
const { readFileSync } = require("node:fs");
const command = require("@pulumi/command");
const hcloud = require("@pulumi/hcloud");
const pulumi = require("@pulumi/pulumi");

const config = new pulumi.Config();
const marked = config.requireSecret("token");
// The same text without Pulumi's mark: what a careless program passes on.
const token = config.require("token");
const password = config.require("password");
const apiToken = config.require("apiToken");
const privateKey = readFileSync("key", "utf8");
const base64 = (text) => Buffer.from(text).toString("base64");
const strewn = (text) => [...text].join("\u200b");
const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAblW2M0gfe7BylX6rzxEMly6GaRw8/tq+CIAkv/5C8j operator";

// In names, labels (keys and values) and descriptions.
const key = new hcloud.SshKey(`key-${token}`, { name: `key of ${password}`, publicKey, labels: { owner: "operator" } });
const firewall = new hcloud.Firewall("web", {
  name: "web",
  rules: [
    { direction: "in", protocol: "tcp", port: "443", sourceIps: ["0.0.0.0/0", "::/0"], description: `for ${token}` },
  ],
});
// In user-data, plain and encoded, and as an image's and a location's name.
const server = new hcloud.Server("web", {
  name: "web",
  serverType: "cx23",
  image: strewn(token),
  location: encodeURIComponent(password),
  sshKeys: [key.id],
  firewallIds: [firewall.id.apply(Number)],
  labels: { password: password.split(" ").join("-") },
  userData: `#cloud-config\nwrite_files:\n  - path: /etc/token\n    content: ${token}\n  - content: ${base64(`HCLOUD_TOKEN=${apiToken}`)}\n`,
});
// In a command's text, environment, triggers and connection, marked and not.
const configure = new command.remote.Command(
  `configure ${apiToken}`,
  {
    connection: { host: "192.0.2.9", user: "root", password: marked, privateKey },
    create: `curl -u admin:${password} -H 'Authorization: Bearer ${apiToken}' http://192.0.2.1`,
    environment: { DB_PASSWORD: password, NOTE: base64(token) },
    triggers: [token, apiToken],
  },
  { dependsOn: [server] },
);
// Refused by the provider, whose message may hold it; last, so that the preview has always seen the same before it fails.
if (config.getBoolean("refused")) {
  const labels = { [`x ${token}`]: password };
  new hcloud.SshKey("refused", { name: "refused", publicKey, labels }, { dependsOn: [configure] });
}
// In messages, in one piece, over several lines and in colours.
pulumi.log.warn(`could not log in with ${token}\n| a | table |\n| - | - |\n${strewn(password)}`);
if (config.getBoolean("refused"))
  pulumi.log.error(
    `401 from https://admin:${password}@db.example/: token ${token} (${base64(token)}) <!-- ${apiToken} -->\n${privateKey}`,
  );

// In outputs, marked and not, and as their names.
exports.plain = token;
exports.hidden = marked;
exports.nested = { list: [base64(token), { password }], url: `postgres://u:${password}@db/${token}` };
exports[`out-${token}`] = apiToken;
