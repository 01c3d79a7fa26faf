import { expect, it } from "vitest";
import { type RuleResource, UNKNOWN_SENTINEL, unhardenedServers, violations } from "./policyRules.js";

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

it("judges what is known beside what is not, and nothing by what is not known", () => {
  const type = "hcloud:index/firewall:Firewall";
  const rule = (port: string, ...sourceIps: string[]) => ({ direction: "in", protocol: "tcp", port, sourceIps });
  const mixed = resource(type, { rules: [rule(UNKNOWN_SENTINEL, "192.0.2.0/24"), rule("22", "::/0")] });
  expect(violations("docker-ports", mixed)).toEqual([]);
  expect(violations("world-open-ssh", mixed)).toHaveLength(1);
  // Whom it is for does not matter to this rule.
  expect(violations("docker-ports", resource(type, { rules: [rule("2377", UNKNOWN_SENTINEL)] }))).toHaveLength(1);
  for (const none of [cluster({ "an entry of a later version": "x" }), resource("hcloud-swarm:index:Other", {})]) {
    for (const policy of ["docker-ports", "world-open-ssh"] as const) expect(violations(policy, none)).toEqual([]);
  }
  const lazy = resource("hcloud:index/volume:Volume", {
    get rules(): unknown {
      throw new Error("not known in a preview");
    },
    deleteProtection: true,
  });
  expect(violations("missing-protection", lazy)).toEqual([]);
  expect(violations("docker-ports", lazy)).toEqual([]);
});
