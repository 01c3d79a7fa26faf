import { describe, expect, it } from "vitest";
import type { SwarmClusterArgs } from "../args/components";
import { bootstrapHostKey } from "../remote/sshKey";
import { SwarmCluster } from "../swarmCluster";
import { type FakeCloud, type FakeOptions, fakeCloud, hostKey, isSecret, known, plain } from "../testing/fakeCloud";
import { madeCluster } from "../testing/madeCluster";
import { filesOf } from "../testing/userDataFiles";
import { hiddenAddress, openAddress } from "./hardenedNode";

const { privateKey } = bootstrapHostKey("a test", "key", "pair");
const args: SwarmClusterArgs = {
  ssh: { privateKey },
  pools: {
    m: { role: "manager", nodes: { m1: {} } },
    w: { role: "worker", nodes: { w1: { privateOnly: true }, w2: {} } },
  },
  network: { egress: { node: "m1" } },
  policy: { ssh: { sources: ["198.51.100.0/24"] } },
};

const up = (extra: Partial<SwarmClusterArgs> = {}, options: FakeOptions = {}) =>
  madeCluster({ ...args, ...extra }, { slow: true, ...options });
const steps = ["bootstrap", "agent", "policy", "membership", "peers"];
const connectionOf = (cloud: FakeCloud, step: string) => plain(cloud.inputsOf(step).connection);

const bornWith = (cloud: FakeCloud, server: string) => filesOf(plain(cloud.inputsOf(server).userData));

describe("a node without a public address", () => {
  it("is a server without one, behind no cloud firewall, in a network that leads out before it boots", async () => {
    const { cloud } = await up();
    const hidden = cloud.inputsOf("prod-w1");
    expect(hidden.publicNets).toEqual([{ ipv4Enabled: false, ipv6Enabled: false }]);
    expect(hidden.firewallIds).toEqual([]);
    expect(cloud.inputsOf("prod-w2").firewallIds).toHaveLength(1);
    expect(cloud.inputsOf("prod-w2")).not.toHaveProperty("publicNets");
    const gateway = cloud.inputsOf("prod-m1-bootstrap").connection;
    const route = cloud.inputsOf("prod-way-out");
    expect(route).toMatchObject({ destination: "0.0.0.0/0", networkId: hidden.networks[0].networkId });
    expect(route.gateway).toMatch(/^10\.0\.0\.\d+$/);
    expect(plain(gateway).host.split(".").at(-1)).toBe(route.gateway.split(".").at(-1));
    expect(cloud.isDoneBefore("prod-m1-bootstrap", "prod-way-out")).toBe(true);
    expect(cloud.isDoneBefore("prod-way-out", "prod-w1")).toBe(true);
    expect(cloud.ofType("hcloud:index/networkRoute:NetworkRoute")).toHaveLength(1);
  });

  it("is reached over the way out, both with their keys pinned; the others are reached as ever", async () => {
    const { cloud, cluster } = await up();
    const { m1, w1 } = await known(cluster.nodes);
    expect([w1?.publicIpv4, w1?.publicIpv6]).toEqual(["", ""]);
    for (const step of steps) {
      const { host, hostKey: own, proxy, ...rest } = connectionOf(cloud, `prod-w1-${step}`);
      expect(host, step).toBe(w1?.privateIp);
      const first = bootstrapHostKey(privateKey, "prod", "w1").publicKey;
      expect(own, step).toBe(step === "bootstrap" ? first : hostKey);
      expect(Object.keys(proxy).sort()).toEqual(
        ["dialErrorLimit", "host", "hostKey", "perDialTimeout", "port", "privateKey", "user"].sort(),
      );
      expect(proxy).toMatchObject({ host: m1?.publicIpv4, port: 22, user: "root", hostKey, privateKey });
      expect(proxy.dialErrorLimit).toBe(rest.dialErrorLimit);
      expect(isSecret(cloud.inputsOf(`prod-w1-${step}`).connection)).toBe(true);
      for (const open of ["m1", "w2"]) expect(connectionOf(cloud, `prod-${open}-${step}`)).not.toHaveProperty("proxy");
    }
    for (const step of ["handover", "roster"]) expect(connectionOf(cloud, `prod-${step}`)).not.toHaveProperty("proxy");
    expect(cloud.isDoneBefore("prod-m1-bootstrap", "prod-w1-bootstrap")).toBe(true);
    expect(cloud.isDoneBefore("prod-m1-agent", "prod-w1-bootstrap")).toBe(true);
  });

  it("lets SSH in from the network, finds its way out before its first package, and the other end leads it out", async () => {
    const { cloud } = await up();
    const payloadOf = (node: string) => bornWith(cloud, `prod-${node}`).get("/etc/hcloud-iptables/payload") ?? "";
    expect(payloadOf("w1")).toContain("add hc-ssh-4 10.0.0.0/24");
    expect(payloadOf("w2")).toContain("-s 198.51.100.0/24 -p tcp -m tcp --dport 22 -j RETURN");
    expect(payloadOf("m1")).toContain("-A HC-NAT -s 10.0.0.0/24 -o eth0 -j MASQUERADE");
    expect(payloadOf("w1") + payloadOf("w2")).not.toContain("HC-NAT");
    const setup = (node: string) => bornWith(cloud, `prod-${node}`).get("/opt/hcloud-swarm-setup.sh");
    expect(setup("w1")).toMatch(/default via 10\.0\.0\.1 /);
    expect(setup("w2")).not.toMatch(/way-out/);
    expect(cloud.inputsOf("prod-w1-policy").stdin).toContain("add hc-ssh-4 10.0.0.0/24");
  });

  it("is exposed nowhere, shown as what it is, and has an entry that jumps", async () => {
    const { cloud, cluster } = await up();
    const exposed = Object.keys(await known(cluster.exposure));
    expect(exposed).toContain("w2 tcp/443");
    expect(exposed.filter((key) => key.startsWith("w1 "))).toEqual([]);
    expect(cloud.inputsOf("prod")).toMatchObject({ wayOut: "m1", nodes: { w1: { privateOnly: true } } });
    expect(cloud.inputsOf("prod").nodes.w2).not.toHaveProperty("privateOnly");
    const blocks = (await known(cluster.sshConfig)).split("\n\n");
    const { w1 } = await known(cluster.nodes);
    const jumping = blocks.filter((block) => block.includes("ProxyJump"));
    expect(jumping).toHaveLength(1);
    expect(jumping[0]).toContain(`Host prod-w1\n  HostName ${w1?.privateIp}\n`);
    expect(jumping[0]).toContain("  ProxyJump prod-m1\n");
  });

  it("is previewed when nothing is known yet, and shows no secret", async () => {
    for (const preview of [true, false]) {
      const { cloud } = await up({}, { preview });
      expect(cloud.inputsOf("prod-w1").publicNets).toEqual([{ ipv4Enabled: false, ipv6Enabled: false }]);
      expect(cloud.asked.map((one) => one.name)).toContain("prod-way-out");
      const text = JSON.stringify(cloud.asked, (_, value) => (isSecret(value) ? "[secret]" : value));
      expect(text).not.toMatch(/PRIVATE KEY/);
    }
  });

  it("may be a manager, whose turn it may be to speak for the swarm", async () => {
    const pools: SwarmClusterArgs["pools"] = {
      m: { role: "manager", nodes: { m1: { privateOnly: true }, m2: {}, m3: { privateOnly: true } } },
    };
    const { cloud, cluster } = await up({ pools, network: { egress: { node: "m2" } } });
    const { m1, m2 } = await known(cluster.nodes);
    const { host, proxy } = connectionOf(cloud, "prod-roster");
    expect([host, proxy.host]).toEqual([m1?.privateIp, m2?.publicIpv4]);
    // The first one is a fresh server, and knows of no swarm.
    const swarm = ["m2", "m3"].map((name) => ({ name, role: "manager" as const }));
    const later = await up({ pools, network: { egress: { node: "m2" } } }, { swarm, founder: "1" });
    const spoken = connectionOf(later.cloud, "prod-roster");
    expect(spoken.host).toBe((await known(later.cluster.nodes)).m2?.publicIpv4);
    expect(spoken.proxy).toBeUndefined();
  });

  it("is reached over a host that is given, with that host's key and no other", async () => {
    const own = bootstrapHostKey("another", "key", "pair");
    const bastion = {
      host: "jump.example",
      port: 2222,
      user: "me",
      hostKey: own.publicKey,
      privateKey: own.privateKey,
    };
    const { cloud, cluster } = await up({ bastion });
    expect(connectionOf(cloud, "prod-w1-policy").proxy).toMatchObject({ ...bastion, perDialTimeout: 10 });
    const text = await known(cluster.sshConfig);
    expect(text).toContain("  ProxyJump prod-bastion\n");
    expect(text).toContain("Host prod-bastion\n  HostName jump.example\n  Port 2222\n  User me\n");
    const { privateKey: _, ...without } = bastion;
    expect(connectionOf((await up({ bastion: without })).cloud, "prod-w1-policy").proxy.privateKey).toBe(privateKey);
  });

  it("meets a bastion whose key is rotated with the key that it knows at the time", async () => {
    const was = bootstrapHostKey("the old one", "key", "pair");
    const rotating = { ssh: { privateKey, previousPrivateKey: was.privateKey } };
    const { cloud } = await up(rotating);
    const keyOf = (step: string) => connectionOf(cloud, step).proxy.privateKey;
    expect(keyOf("prod-w1-agent")).toBe(was.privateKey);
    for (const step of ["bootstrap", "policy", "membership", "old-key"])
      expect(keyOf(`prod-w1-${step}`)).toBe(privateKey);
    for (const step of ["bootstrap", "agent"])
      expect(cloud.isDoneBefore("prod-m1-agent", `prod-w1-${step}`)).toBe(true);
    const given = { host: "jump.example", hostKey };
    const other = await up({ ...rotating, bastion: given });
    expect(connectionOf(other.cloud, "prod-w1-agent").proxy.privateKey).toBe(privateKey);
  });

  it("stays what it is as long as its server is up", () => {
    const named = { component: 'SwarmCluster "prod"', serverName: "prod-w1" };
    const networks = [{ ip: "10.0.0.9" }];
    const nets = (ipv4Enabled: boolean) => [{ ipv4Enabled }];
    for (const there of [undefined, [], nets(true)])
      expect(openAddress(named, "203.0.113.9", there)).toBe("203.0.113.9");
    expect(() => openAddress(named, "", nets(false))).toThrow(
      'SwarmCluster "prod": prod-w1 has no public address and stays without',
    );
    expect(hiddenAddress(named, networks, [undefined, ""])).toBe("10.0.0.9");
    expect(() => hiddenAddress(named, networks, ["203.0.113.9", ""])).toThrow(
      /prod-w1 has public addresses \(203\.0\.113\.9\) and keeps them.*'replacement'/,
    );
    expect(() => hiddenAddress(named, [], [])).toThrow("prod-w1 has no address in the private network");
  });

  it("leaves everything else as it is where there is none", async () => {
    const { network: _, pools: __, ...rest } = args;
    const pools: SwarmClusterArgs["pools"] = {
      m: { role: "manager", nodes: { m1: {} } },
      w: { role: "worker", nodes: { w1: {} } },
    };
    const asked = async (extra: object) => {
      const cloud = await fakeCloud();
      new SwarmCluster("prod", { ...rest, pools, ...extra });
      await cloud.settled();
      return cloud.asked.map(({ name, inputs }) => ({ name, inputs: plain(inputs) }));
    };
    expect(await asked({ bastion: { node: "m1" } })).toEqual(await asked({}));
    expect(JSON.stringify(await asked({}))).not.toMatch(/proxy|publicNets|way-out|wayOut|privateOnly/);
  });
});
