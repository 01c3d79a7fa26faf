import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it, vi } from "vitest";
import type { SwarmClusterArgs } from "../args/components";
import { bootstrapHostKey } from "../remote/sshKey";
import { SwarmCluster } from "../swarmCluster";
import { type FakeCloud, type FakeOptions, fakeCloud, known, plain } from "../testing/fakeCloud";
import { madeCluster } from "../testing/madeCluster";

const { privateKey } = bootstrapHostKey("a test", "key", "pair");
const { publicKey: hostKey } = bootstrapHostKey("a test", "of a", "host");
const args: SwarmClusterArgs = {
  ssh: { privateKey },
  pools: { manager: { role: "manager", count: 1 }, web: { role: "worker", count: 1 } },
  loadBalancer: { services: [{ listenPort: 443, publishedPort: 8443 }, { listenPort: 80 }] },
};

const up = (extra: Partial<SwarmClusterArgs> = {}, options: FakeOptions = {}) =>
  madeCluster({ ...args, ...extra }, options);

const piecesOf = (cloud: FakeCloud) => cloud.asked.map((one) => one.name).filter((name) => /load-balancer/.test(name));

describe("the load balancer of a SwarmCluster", () => {
  it("is not there where nobody asks for it", async () => {
    const cloud = await fakeCloud();
    const { loadBalancer: _, ...without } = args;
    const cluster = new SwarmCluster("prod", without);
    await cloud.settled();
    expect(piecesOf(cloud)).toEqual([]);
    expect([cluster.loadBalancerIpv4, cluster.loadBalancerIpv6]).toEqual([undefined, undefined]);
  });

  it("is made one piece after the other, in the subnet, for all that carries the cluster's label", async () => {
    const { cloud, cluster } = await up({}, { slow: true });
    const names = [
      "prod-load-balancer",
      "prod-load-balancer-network",
      "prod-load-balancer-service-443",
      "prod-load-balancer-service-80",
      "prod-load-balancer-targets",
    ];
    expect(piecesOf(cloud)).toEqual(names);
    for (const [index, name] of names.entries())
      if (index > 0) expect(cloud.isDoneBefore(names[index - 1] ?? "", name), name).toBe(true);
    expect(cloud.isDoneBefore("prod-subnet", "prod-load-balancer-network")).toBe(true);
    expect(cloud.inputsOf("prod-load-balancer")).toMatchObject({
      name: "prod",
      loadBalancerType: "lb11",
      location: "fsn1",
    });
    expect(cloud.inputsOf("prod-load-balancer-network")).toMatchObject({ ip: "10.0.0.254" });
    expect(cloud.inputsOf("prod-load-balancer-targets")).toMatchObject({
      type: "label_selector",
      labelSelector: "hcloud-swarm-cluster=prod",
      usePrivateIp: true,
    });
    expect(await known(cluster.loadBalancerIpv4 ?? pulumi.output(""))).toBe("203.0.113.200");
    expect(await known(cluster.loadBalancerIpv6 ?? pulumi.output(""))).toBe("2001:db8:1:200::1");
  });

  it("is let in by the nodes, and not by the cloud firewall, which private traffic does not pass", async () => {
    const { cloud, cluster } = await up();
    expect(cloud.inputsOf("prod").policy).toMatchObject({
      "tcp/80": "from 10.0.0.254/32",
      "tcp/8443": "from 10.0.0.254/32",
    });
    for (const node of ["manager-1", "web-1"]) {
      const rules = plain(cloud.inputsOf(`prod-${node}-policy`).stdin).split("\n");
      const dialed = rules.filter((line: string) => / (80|8443) /.test(line));
      expect(dialed.length).toBeGreaterThan(0);
      for (const line of dialed) expect(line).toContain("-s 10.0.0.254/32 ");
    }
    const cloudRules = cloud.ofType("hcloud:index/firewall:Firewall").flatMap(({ inputs }) => inputs.rules);
    expect(cloudRules.map((rule) => rule.description)).toEqual(expect.arrayContaining(["ssh 22/tcp"]));
    expect(JSON.stringify(cloudRules)).not.toMatch(/10\.0\.0\.254|8443|"80"/);
    const exposure = await known(cluster.exposure);
    expect(exposure).toMatchObject({ "web-1 tcp/8443": ["10.0.0.254/32"] });
    expect(Object.entries(exposure).filter(([key]) => key.startsWith("loadBalancer "))).toEqual([
      ["loadBalancer tcp/443", ["0.0.0.0/0", "::/0"]],
      ["loadBalancer tcp/80", ["0.0.0.0/0", "::/0"]],
    ]);
  });

  it("shows all of itself in a first preview, its address too", async () => {
    const { cloud } = await up({}, { preview: true });
    expect(piecesOf(cloud)).toHaveLength(5);
    expect(cloud.inputsOf("prod-load-balancer-network").ip).toBe("10.0.0.254");
    expect(cloud.inputsOf("prod").policy).toMatchObject({ "tcp/8443": "from 10.0.0.254/32" });
  });

  it("dials the pools that it is for, and adopted servers by name, for they keep their labels", async () => {
    const adopt = { id: "77", hostKey, address: "10.0.0.77" };
    const servers = {
      "77": {
        name: "old",
        ipv4Address: "203.0.113.77",
        ipv6Address: "2001:db8:1:77::1",
        networks: [{ networkId: 7, ip: "10.0.0.77" }],
      },
    };
    const { cloud } = await up(
      {
        pools: {
          manager: { role: "manager", nodes: { a: {} } },
          web: { role: "worker", nodes: { b: {}, old: { adopt } } },
        },
        loadBalancer: { services: [{ listenPort: 80 }], pools: ["web"] },
      },
      { servers },
    );
    const targets = cloud.ofType("hcloud:index/loadBalancerTarget:LoadBalancerTarget");
    expect(targets.map(({ name, inputs }) => [name, inputs.labelSelector ?? inputs.serverId])).toEqual([
      ["prod-load-balancer-targets-web", "hcloud-swarm-cluster=prod,hcloud-swarm-pool=web"],
      ["prod-load-balancer-target-old", 77],
    ]);
  });

  it("dials nodes without a public address, which let nobody else in either", async () => {
    const web = { role: "worker", privateOnly: true, nodes: { hidden: {} } } as const;
    const pools = { manager: { role: "manager", nodes: { m: {} } }, web } as const;
    const loadBalancer = { services: [{ listenPort: 443, publishedPort: 8443 }], pools: ["web"] };
    const { cloud } = await up({ pools, network: { egress: { node: "m" } }, loadBalancer });
    const dialed = (node: string) =>
      plain(cloud.inputsOf(`prod-${node}-policy`).stdin)
        .split("\n")
        .filter((line: string) => / 8443 /.test(line));
    expect(dialed("m")).toEqual([]);
    expect(dialed("hidden").length).toBeGreaterThan(0);
    for (const line of dialed("hidden")) expect(line).toContain("-s 10.0.0.254/32 ");
    expect(cloud.inputsOf("prod-load-balancer-targets-web").usePrivateIp).toBe(true);
  });

  it("checks a service of HTTP as asked", async () => {
    const healthCheck = { path: "/up", domain: "shop.test", statusCodes: ["204"], response: "ok", tls: true };
    const { cloud } = await up({
      loadBalancer: { services: [{ listenPort: 80, protocol: "http", proxyProtocol: true, healthCheck }] },
    });
    expect(cloud.inputsOf("prod-load-balancer-service-80")).toMatchObject({
      protocol: "http",
      listenPort: 80,
      destinationPort: 80,
      proxyprotocol: true,
      healthCheck: { protocol: "http", port: 80, interval: 15, timeout: 10, retries: 3, http: healthCheck },
    });
  });

  it("is refused where a node turns out to have its address", async () => {
    const error = vi.spyOn(pulumi.log, "error").mockResolvedValue(undefined);
    await up({ loadBalancer: { services: [{ listenPort: 80 }], privateIp: "10.0.0.2" } });
    expect(error.mock.calls.map(([message]) => message)).toEqual([
      expect.stringMatching(
        /SwarmCluster "prod": invalid argument\n {2}loadBalancer.privateIp: given 10.0.0.2; .* has it$/,
      ),
    ]);
    error.mockClear();
    await up();
    expect(error).not.toHaveBeenCalled();
    error.mockRestore();
  });
});
