import { expect, it } from "vitest";
import { type RuleResource, unhardenedServers, violations } from "./policyRules.js";

const resource = (type: string, props: object, more: Partial<RuleResource> = {}): RuleResource => ({
  type,
  name: "x",
  urn: `urn:pulumi:s::p::${type}::x`,
  props,
  protect: false,
  ...more,
});
const firewall = (port: string, ...sourceIps: string[]) =>
  resource("hcloud:index/firewall:Firewall", { rules: [{ direction: "in", protocol: "tcp", port, sourceIps }] });
const cluster = (policy: object) => resource("hcloud-swarm:index:SwarmCluster", { policy });

it("refuses SSH for everybody, in firewalls and policies, and nothing tighter", () => {
  for (const bad of [
    firewall("22", "0.0.0.0/0"),
    firewall("20-30", "::/0"),
    firewall("any", "0.0.0.0/1", "128.0.0.0/1"),
    cluster({ "ssh tcp/2222": "from anywhere" }),
  ]) {
    expect(violations("world-open-ssh", bad)).toHaveLength(1);
  }
  for (const good of [
    firewall("22", "192.0.2.0/24"),
    firewall("443", "0.0.0.0/0"),
    cluster({ "ssh tcp/22": "from 192.0.2.0/24", "tcp/443": "from anywhere" }),
  ]) {
    expect(violations("world-open-ssh", good)).toEqual([]);
  }
});

it("refuses Docker's and Swarm's ports from anywhere outside", () => {
  expect(violations("docker-ports", firewall("2377", "192.0.2.1/32"))[0]).toContain("2377");
  expect(violations("docker-ports", cluster({ "tcp/7000-8000": "from anywhere" }))[0]).toContain("7946");
  expect(violations("docker-ports", firewall("443", "0.0.0.0/0"))).toEqual([]);
});

it("wants one of the two protections", () => {
  const server = "hcloud:index/server:Server";
  expect(violations("missing-protection", resource(server, {}))).toHaveLength(1);
  expect(violations("missing-protection", resource(server, { deleteProtection: true }))).toEqual([]);
  expect(violations("missing-protection", resource(server, {}, { protect: true }))).toEqual([]);
  expect(violations("missing-protection", resource("hcloud:index/sshKey:SshKey", {}))).toEqual([]);
});

it("wants servers in components or under a HostHardening of their name", () => {
  const server = resource("hcloud:index/server:Server", {});
  const member = { ...server, urn: "urn:pulumi:s::p::hcloud-swarm:index:SwarmCluster$hcloud:index/server:Server::x" };
  expect(unhardenedServers([server])).toHaveLength(1);
  expect(unhardenedServers([member])).toEqual([]);
  expect(unhardenedServers([server, resource("hcloud-swarm:index:HostHardening", {})])).toEqual([]);
});
