import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import type { SwarmClusterArgs } from "./args/components";
import { agentDigest, upgradeProgram } from "./host";
import { bootstrapHostKey } from "./remote/sshKey";
import { SwarmCluster } from "./swarmCluster";
import { type FakeOptions, fakeCloud, hostKey, isSecret, known, plain, tokens } from "./testing/fakeCloud";
import { madeCluster } from "./testing/madeCluster";
import { filesOf } from "./testing/userDataFiles";

const { privateKey, publicKey } = bootstrapHostKey("a test", "key", "pair");
const args: SwarmClusterArgs = {
  ssh: { privateKey },
  pools: { manager: { role: "manager", count: 1 }, worker: { role: "worker", count: 2 } },
};

const up = (extra: Partial<SwarmClusterArgs> = {}, options: FakeOptions = {}) =>
  madeCluster({ ...args, ...extra }, options);

describe("SwarmCluster", () => {
  it("makes everything once, under the component's name", async () => {
    const { cloud } = await up();
    expect(cloud.asked.map((one) => one.name).sort()).toMatchInlineSnapshot(`
      [
        "prod",
        "prod-firewall",
        "prod-firewall-ssh-bd6644da",
        "prod-founder",
        "prod-handover",
        "prod-manager-1",
        "prod-manager-1-agent",
        "prod-manager-1-bootstrap",
        "prod-manager-1-membership",
        "prod-manager-1-peers",
        "prod-manager-1-policy",
        "prod-managers-spread",
        "prod-network",
        "prod-roster",
        "prod-ssh-key",
        "prod-subnet",
        "prod-worker-1",
        "prod-worker-1-agent",
        "prod-worker-1-bootstrap",
        "prod-worker-1-membership",
        "prod-worker-1-peers",
        "prod-worker-1-policy",
        "prod-worker-2",
        "prod-worker-2-agent",
        "prod-worker-2-bootstrap",
        "prod-worker-2-membership",
        "prod-worker-2-peers",
        "prod-worker-2-policy",
        "prod-worker-spread",
      ]
    `);
  });

  it("gives the addresses, the swarm, the reports and how to get in", async () => {
    const { cluster } = await up();
    const nodes = await known(cluster.nodes);
    expect(Object.keys(nodes)).toEqual(["manager-1", "worker-1", "worker-2"]);
    const manager = nodes["manager-1"];
    expect(manager).toMatchObject({
      name: "prod-manager-1",
      role: "manager",
      publicIpv4: expect.stringMatching(/^203/),
      privateIp: expect.stringMatching(/^10/),
    });
    expect(await known(cluster.swarmId)).toBe("swarm1");
    expect(Object.keys(await known(cluster.reports))).toEqual(["manager-1", "worker-1", "worker-2"]);
    expect(await known(cluster.exposure)).toMatchObject({ "worker-2 tcp/443": ["0.0.0.0/0", "::/0"] });
    expect(await known(cluster.sshConfig)).toContain(`Host prod-manager-1\n  HostName ${manager?.publicIpv4}\n`);
    expect(await known(cluster.sshConfig)).toContain(hostKey);
    expect(await known(cluster.dockerContextCommand)).toBe(
      "docker context create prod --docker host=ssh://prod-manager-1",
    );
  });

  it("keeps the tokens secret and nothing else", async () => {
    const { cluster } = await up();
    for (const output of [cluster.workerJoinToken, cluster.managerJoinToken]) expect(await output.isSecret).toBe(true);
    for (const output of [cluster.nodes, cluster.swarmId, cluster.reports, cluster.exposure, cluster.sshConfig])
      expect(await pulumi.output<unknown>(output).isSecret).toBe(false);
    expect(await known(cluster.workerJoinToken)).toBe(tokens.worker);
    expect(await known(cluster.managerJoinToken)).toBe(tokens.manager);
  });

  it("sends each node its payload and the others' addresses in plain text", async () => {
    const { cloud, cluster } = await up();
    const nodes = await known(cluster.nodes);
    for (const [name, node] of Object.entries(nodes)) {
      const { stdin, create } = cloud.inputsOf(`prod-${name}-policy`);
      expect(isSecret(stdin)).toBe(false);
      const peers = stdin.split("### peers\n")[1].split("### end")[0].trim().split("\n").sort();
      const others = Object.values(nodes).filter((other) => other !== node);
      expect(peers).toEqual(others.map((other) => other.privateIp).sort());
      expect(create).toMatch(/hcloud-iptables\.sh apply --probation 180/);
    }
  });

  it("pins a host key on every connection: the derived one first, then the node's own", async () => {
    const { cloud } = await up();
    const commands = cloud.ofType("command:remote:Command");
    expect(commands).toHaveLength(17);
    for (const { name, inputs } of commands) {
      const node = name.replace(/^prod-|-(bootstrap|agent|policy|membership|peers)$/g, "");
      const first = bootstrapHostKey(privateKey, "prod", node).publicKey;
      expect(plain(inputs.connection).hostKey, name).toBe(name.endsWith("-bootstrap") ? first : hostKey);
      expect(isSecret(inputs.connection), name).toBe(true);
    }
  });

  it("puts the one-use host key into user-data and no other secret", async () => {
    const { cloud } = await up();
    const { userData } = cloud.inputsOf("prod-worker-1");
    expect(isSecret(userData)).toBe(true);
    const first = bootstrapHostKey(privateKey, "prod", "worker-1");
    expect(plain(userData)).toContain(first.publicKey);
    expect(plain(userData).match(/BEGIN OPENSSH/g)).toHaveLength(1);
    expect(plain(userData)).not.toContain(privateKey.split("\n")[2]);
  });

  it("boots a server with SSH alone where the policy is too long for user-data, and sends the whole over SSH", async () => {
    const sources = Array.from({ length: 10_000 }, (_, i) => `10.${i >> 8}.${i & 255}.7`);
    const { cloud } = await up({
      policy: { publishedPorts: [{ port: 443, sources }] },
      cloudFirewall: { enabled: false },
    });
    const booted = filesOf(plain(cloud.inputsOf("prod-worker-1").userData)).get("/etc/hcloud-iptables/payload");
    expect(booted).toContain("--dport 22 ");
    expect(booted).not.toContain("443");
    const sent = plain(cloud.inputsOf("prod-worker-1-policy").stdin);
    expect(sent.match(/^add hc-p\S* /gm)).toHaveLength(sources.length);
  });

  it("hands tokens over on standard input only", async () => {
    const { cloud } = await up();
    const { stdin, create } = cloud.inputsOf("prod-worker-1-membership");
    expect(isSecret(stdin)).toBe(true);
    expect(plain(stdin)).toContain(tokens.worker);
    const rest = cloud.asked.filter((one) => !one.name.includes("worker")).map((one) => one.inputs);
    expect(JSON.stringify([rest, create])).not.toContain("SWMTKN-1");
    for (const { inputs, name } of cloud.ofType("command:remote:Command"))
      expect(inputs.logging, name).toBe(name.endsWith("-membership") ? "none" : "stderr");
  });

  it("sends a newer agent to servers that booted with another, and verifies with it; a new server has it already", async () => {
    const { cloud } = await up();
    const { create, update, stdin } = cloud.inputsOf("prod-worker-1-agent");
    expect(create).toBeUndefined();
    expect(update).toMatch(/^timeout --verbose \d+ sh -s$/);
    expect(isSecret(stdin)).toBe(true);
    expect(plain(stdin)).toBe(upgradeProgram());
    expect(cloud.inputsOf("prod-worker-1-membership").create).toContain(` ${agentDigest}`);
  });

  it("names the payload's digest in the last step, so that a new policy runs it again", async () => {
    const before = (await up()).cloud.inputsOf("prod-worker-1-membership").create;
    const after = (await up({ policy: { publishedPorts: [{ port: 8443 }] } })).cloud.inputsOf(
      "prod-worker-1-membership",
    ).create;
    expect(before).toMatch(/^timeout --verbose \d+ sh -s [0-9a-f]{64} 180 [0-9a-f]{12}$/);
    expect(after).not.toBe(before);
    expect((await up()).cloud.inputsOf("prod-worker-1-membership").create).toBe(before);
  });

  it("verifies on every up when it is told to", async () => {
    const { cloud } = await up({ verify: "always" });
    expect(cloud.inputsOf("prod-worker-1-membership").create).toMatch(
      /^timeout --verbose \d+ sh -s [0-9a-f]{64} 180 [0-9a-f]{12} \d{4}-/,
    );
  });

  it("puts the servers behind the cloud firewall, in the subnet, before they boot", async () => {
    const { cloud } = await up();
    const server = cloud.inputsOf("prod-manager-1");
    expect(server.firewallIds).toHaveLength(1);
    expect(server.networks).toEqual([{ networkId: expect.any(Number), aliasIps: [] }]);
    expect(cloud.inputsOf("prod-firewall").rules).toContainEqual(
      expect.objectContaining({ protocol: "tcp", port: "443" }),
    );
    expect(cloud.inputsOf("prod-ssh-key").publicKey).toBe(publicKey);
  });

  it("gives SSH a cloud firewall of its own, another one when its sources change", async () => {
    const sshFirewall = async (sources: string[]) => {
      const { cloud } = await up({ policy: { ssh: { sources } } });
      const firewalls = cloud.ofType("hcloud:index/firewall:Firewall");
      expect(firewalls).toHaveLength(2);
      expect(JSON.stringify(cloud.inputsOf("prod-firewall").rules)).not.toContain('"22"');
      return firewalls.find((one) => one.name !== "prod-firewall");
    };
    const before = await sshFirewall(["192.0.2.0/24"]);
    expect(before?.inputs).toMatchObject({
      applyTos: [{ labelSelector: "hcloud-swarm-cluster=prod" }],
      rules: [{ protocol: "tcp", port: "22", sourceIps: ["192.0.2.0/24"] }],
    });
    expect((await sshFirewall(["198.51.100.0/24"]))?.name).not.toBe(before?.name);
    expect((await sshFirewall(["192.0.2.0/24"]))?.name).toBe(before?.name);
    const { cloud } = await up();
    expect(cloud.inputsOf("prod-worker-1").labels).toMatchObject({ "hcloud-swarm-cluster": "prod" });
  });

  it("shows the policy entry by entry, and no secret, as its own inputs", async () => {
    const { cloud } = await up({ policy: { publishedPorts: [{ port: 8443 }] } });
    const { inputs } = cloud.ofType("hcloud-swarm:index:SwarmCluster")[0] ?? {};
    expect(inputs.policy).toMatchObject({ "tcp/8443": expect.any(String), "ssh tcp/22": expect.any(String) });
    expect(JSON.stringify(inputs)).not.toMatch(/PRIVATE KEY/);
  });

  it("uses what is there already", async () => {
    const { cloud } = await up({
      ssh: { privateKey, existing: { id: "11" } },
      network: { existing: { id: "12" } },
      cloudFirewall: { existing: { id: "13" } },
      placementGroups: { enabled: false },
    });
    expect(
      cloud.asked
        .filter((one) => one.type.startsWith("hcloud:"))
        .map((one) => one.name)
        .sort(),
    ).toEqual(["prod-manager-1", "prod-worker-1", "prod-worker-2"]);
    expect(cloud.inputsOf("prod-manager-1")).toMatchObject({
      sshKeys: ["11"],
      firewallIds: [13],
      networks: [{ networkId: 12, aliasIps: [] }],
    });
  });

  it("previews when nothing is known yet", async () => {
    const { cloud, cluster } = await up({}, { preview: true });
    expect(cloud.ofType("command:remote:Command")).toHaveLength(17);
    for (const output of [cluster.nodes, cluster.swarmId, cluster.reports, cluster.sshConfig])
      expect(await pulumi.output<unknown>(output).isKnown).toBe(false);
    expect(await cluster.exposure.isKnown).toBe(true);
  });

  it("takes a source that is known later", async () => {
    const office = pulumi.output(Promise.resolve("198.51.100.7"));
    const { cloud } = await up({ policy: { ssh: { sources: [office] } } });
    expect(cloud.inputsOf("prod-worker-1-policy").stdin).toContain("198.51.100.7/32");
  });

  it("makes nothing at all of bad arguments", async () => {
    const cloud = await fakeCloud();
    expect(() => new SwarmCluster("prod", { ...args, policy: { publishedPorts: [{ port: 0 }] } })).toThrow(
      /port: given 0/,
    );
    await cloud.settled();
    expect(cloud.asked).toEqual([]);
  });
});
