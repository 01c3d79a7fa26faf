import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAddress4, lastOf, parseAddress4, parseRange4 } from "../args/cidr";
import type { SwarmClusterArgs } from "../args/components";
import type { LoadBalancerArgs } from "../args/loadBalancer";
import { exposureOf, normalizePolicy, type Policy, type PolicyInput } from "../firewall";
import { policies } from "../firewall/testing/arbitraries";
import { bootstrapHostKey } from "../remote/sshKey";
import { contains, networkList } from "../testing/evaluator";
import { factsOf, planCluster } from "./cluster";
import { withBalancer } from "./loadBalancer";
import { payloadOf } from "./policy";

const { privateKey } = bootstrapHostKey("a test", "key", "pair");
const { publicKey: hostKey } = bootstrapHostKey("a test", "of a", "host");
const pools: SwarmClusterArgs["pools"] = {
  manager: { role: "manager", count: 1 },
  web: { role: "worker", count: 2 },
};
const web: LoadBalancerArgs = { services: [{ listenPort: 443, publishedPort: 8443 }] };
const args = (loadBalancer?: object, more: object = {}): SwarmClusterArgs => ({
  ssh: { privateKey },
  pools,
  ...(loadBalancer && { loadBalancer: { ...web, ...loadBalancer } }),
  ...more,
});
const plan = (loadBalancer?: object, more?: object) => planCluster("prod", args(loadBalancer, more));

/** Who may dial what on a node beside SSH, as `tcp/443 from 10.0.0.254/32`. */
function open(loadBalancer: object, policy?: PolicyInput, node = "web-1"): string[] {
  const made = plan(loadBalancer, policy === undefined ? {} : { policy });
  if (made.loadBalancer === undefined) throw new Error("no load balancer");
  const rows = exposureOf(withBalancer(made.policy, made.loadBalancer), made.nodes);
  return rows
    .filter((row) => row.node === node && row.protocol !== "icmp" && row.port !== "22")
    .map((row) => `${row.protocol}/${row.port} from ${row.source}`);
}

describe("what a load balancer opens", () => {
  it("is its published ports to its address, and nothing to anybody else", () => {
    expect(open({})).toEqual(["tcp/8443 from 10.0.0.254/32"]);
  });

  it("adds to what the policy names, and takes nothing from it", () => {
    const policy = { publishedPorts: [{ port: 80 }, { port: 8443, sources: ["192.0.2.0/24"] }] };
    expect(open({}, policy)).toEqual([
      "tcp/80 from 0.0.0.0/0",
      "tcp/80 from ::/0",
      "tcp/8443 from 10.0.0.254/32",
      "tcp/8443 from 192.0.2.0/24",
    ]);
    expect(open({}, { publishedPorts: [{ port: 8000, endPort: 9000 }] })).toEqual([
      "tcp/8000-9000 from 0.0.0.0/0",
      "tcp/8000-9000 from ::/0",
    ]);
  });

  it("keeps the rest of a policy that names no published ports", () => {
    expect(open({}, { hostServices: [{ port: 9100, sources: ["192.0.2.7"] }] })).toEqual([
      "tcp/8443 from 10.0.0.254/32",
      "tcp/9100 from 192.0.2.7/32",
    ]);
  });

  it("is on its pools alone", () => {
    expect(open({ pools: ["web"] })).toEqual(["tcp/8443 from 10.0.0.254/32"]);
    expect(open({ pools: ["web"] }, undefined, "manager-1")).toEqual([]);
  });

  it("includes the ports of its checks", () => {
    const services = [{ listenPort: 80, publishedPort: 8080, healthCheck: { port: 8081 } }];
    expect(open({ services })).toEqual(["tcp/8080 from 10.0.0.254/32", "tcp/8081 from 10.0.0.254/32"]);
  });

  it("is in the rules of a node, by its address", () => {
    const made = plan({});
    const [manager] = made.nodes;
    if (manager === undefined || made.loadBalancer === undefined) throw new Error("no plan");
    const policy = withBalancer(made.policy, made.loadBalancer);
    const rules = payloadOf(made.component, policy, factsOf(manager, made)).split("\n");
    const dialed = rules.filter((line) => / 8443 /.test(line));
    expect(dialed.length).toBeGreaterThan(0);
    for (const line of dialed) expect(line).toContain("-s 10.0.0.254/32 ");
  });

  it("is all that it adds to any policy, and takes nothing from it", () => {
    const services = [
      { listenPort: 80, healthCheck: { port: 8080 } },
      { listenPort: 81, publishedPort: 8000 },
    ];
    const balancer = plan({ services, pools: ["web"] }).loadBalancer;
    if (balancer === undefined) throw new Error("no load balancer");
    const protocols = ["tcp", "udp"] as const;
    const sources = ["10.0.0.254", "10.0.0.253", "10.0.0.2", "192.0.2.7", "198.51.100.1", "2001:db8::1"];
    const dials = ["web", "db"].flatMap((pool) =>
      protocols.flatMap((protocol) =>
        [79, 80, 81, 443, 8000, 8001, 8080].flatMap((port) =>
          sources.map((source) => ({ pool, node: `${pool}-1`, protocol, port, source })),
        ),
      ),
    );
    const lets = ({ publishedPorts }: Policy, dial: (typeof dials)[number]) =>
      publishedPorts.some(
        ({ protocol, port, endPort, pools: inPools, nodes, sources: networks }) =>
          protocol === dial.protocol &&
          port <= dial.port &&
          dial.port <= endPort &&
          ((inPools ?? nodes) === undefined || inPools?.includes(dial.pool) || nodes?.includes(dial.node)) &&
          contains(networkList(networks), dial.source),
      );
    fc.assert(
      fc.property(policies, ({ publishedPorts }) => {
        const before = normalizePolicy({ publishedPorts });
        const after = withBalancer(before, balancer);
        for (const dial of dials) {
          const isIts = dial.protocol === "tcp" && dial.pool === "web" && dial.source === balancer.privateIp;
          const wanted = lets(before, dial) || (isIts && [80, 8000, 8080].includes(dial.port));
          expect({ ...dial, open: lets(after, dial) }).toEqual({ ...dial, open: wanted });
        }
      }),
    );
  });
});

describe("a cluster without one", () => {
  it("has the policy that it had", () => {
    expect(plan().loadBalancer).toBeUndefined();
    expect(plan().policy).toEqual(normalizePolicy());
  });
});

describe("its defaults", () => {
  it("are all said", () => {
    expect(plan({ services: [{ listenPort: 80 }] }).loadBalancer).toEqual({
      type: "lb11",
      location: "fsn1",
      algorithm: "round_robin",
      privateIp: "10.0.0.254",
      services: [
        {
          listenPort: 80,
          publishedPort: 80,
          protocol: "tcp",
          proxyProtocol: false,
          healthCheck: { protocol: "tcp", port: 80, interval: 15, timeout: 10, retries: 3 },
        },
      ],
    });
  });

  it("of a check follow its service and its interval", () => {
    const services = [{ listenPort: 80, protocol: "http" as const, healthCheck: { interval: 4, path: "/up" } }];
    expect(plan({ services }).loadBalancer?.services[0]?.healthCheck).toEqual({
      protocol: "http",
      port: 80,
      interval: 4,
      timeout: 4,
      retries: 3,
      path: "/up",
    });
  });
});

describe("its private address", () => {
  const network = (more: object) => ({ network: more });
  const adopted = (address: string) => ({ role: "worker", nodes: { old: { adopt: { id: "7", hostKey, address } } } });

  it("is the last of the subnet that nobody is known to have", () => {
    expect(plan({}, network({ subnetRange: "10.0.5.0/24" })).loadBalancer?.privateIp).toBe("10.0.5.254");
    expect(plan({}, network({ existingSubnet: { id: "4711-10.0.9.0/28" } })).loadBalancer?.privateIp).toBe("10.0.9.14");
    const taken = { pools: { ...pools, old: adopted("10.0.0.254") } };
    expect(plan({}, taken).loadBalancer?.privateIp).toBe("10.0.0.253");
  });

  it("is, in every subnet that has one, an address that Hetzner Cloud gives away", () => {
    const subnet = fc.tuple(fc.integer({ min: 16, max: 30 }), fc.nat({ max: 2 ** 16 - 1 })).map(([prefix, host]) => {
      const size = 2 ** (32 - prefix);
      return `${formatAddress4(0x0a000000 + Math.floor(host / size) * size)}/${prefix}`;
    });
    fc.assert(
      fc.property(subnet, (subnetRange) => {
        const range = parseRange4(subnetRange);
        const address = parseAddress4(plan({}, network({ subnetRange })).loadBalancer?.privateIp ?? "");
        if (range === undefined || address === undefined) throw new Error(`none in ${subnetRange}`);
        expect(address).toBeGreaterThan(range.first);
        expect(address).toBeLessThan(lastOf(range));
        expect(address).not.toBe(0x0a000001);
      }),
      { numRuns: 40 },
    );
  });
});

describe("a wrong load balancer is one error before anything is made", () => {
  const service = (more: object) => ({ services: [{ listenPort: 80, ...more }] });
  const check = (healthCheck: object) => service({ healthCheck });
  const nodesOf = (count: number) => ({ pools: { ...pools, web: { role: "worker", count } } });
  const adoptedAlone = {
    pools: { manager: { role: "manager", nodes: { a: { adopt: { id: "7", hostKey, address: "10.0.0.2" } } } } },
  };

  it.each<[string, object, object, string]>([
    [
      "UDP",
      service({ protocol: "udp" }),
      {},
      'services.[0].protocol: given "udp"; allowed: tcp or http: Hetzner Cloud',
    ],
    ["SCTP", service({ protocol: "sctp" }), {}, "carry neither UDP nor SCTP"],
    ["HTTPS", service({ protocol: "https" }), {}, "TLS passes through tcp to what is published"],
    [
      "a listen port twice",
      { services: [{ listenPort: 80 }, { listenPort: 80, publishedPort: 81 }] },
      {},
      "services.[1].listenPort: given 80 once more; allowed: a port that no other service listens on",
    ],
    ["no service", { services: [] }, {}, "loadBalancer.services: given an empty list; allowed: at least one service"],
    [
      "too many services",
      { services: [1, 2, 3, 4, 5, 6].map((listenPort) => ({ listenPort })) },
      {},
      "loadBalancer.services: given 6 services; allowed: at most 5 services with type lb11",
    ],
    ["too many nodes", {}, nodesOf(25), "loadBalancer.type: given lb11, which has at most 25 targets"],
    ["SSH's port", service({ publishedPort: 22 }), {}, "services.[0].publishedPort: given 22, SSH's port"],
    ["SSH's own port", service({ publishedPort: 2222 }), { policy: { ssh: { port: 2222 } } }, "given 2222, SSH's port"],
    ["swarm's management", service({ publishedPort: 2377 }), {}, "given 2377, a port of swarm's"],
    ["swarm's gossip", service({ publishedPort: 7946 }), {}, "given 7946, a port of swarm's"],
    ["a listen port that is SSH's", { services: [{ listenPort: 22 }] }, {}, "services.[0].listenPort: given 22"],
    ["a check of SSH", check({ port: 22 }), {}, "services.[0].healthCheck.port: given 22, SSH's port"],
    ["a check that is slower than its interval", check({ interval: 3, timeout: 4 }), {}, "at most 3 seconds"],
    ["a path for a check of tcp", check({ path: "/" }), {}, 'healthCheck.path: given "/"; allowed: nothing, but in a'],
    [
      "an address of elsewhere",
      { privateIp: "10.0.1.9" },
      {},
      'privateIp: given "10.0.1.9"; allowed: an address of 10.0.0.0/24',
    ],
    ["the gateway's address", { privateIp: "10.0.0.1" }, {}, "an address of 10.0.0.0/24 that a node could have"],
    ["a broadcast address", { privateIp: "10.0.0.255" }, {}, "an address of 10.0.0.0/24 that a node could have"],
    ["a network as address", { privateIp: "10.0.0.9/32" }, {}, "an IPv4 address, such as 10.0.0.254"],
    [
      "a node's address",
      { privateIp: "10.0.0.9" },
      {
        pools: {
          ...pools,
          old: { role: "worker", nodes: { old: { adopt: { id: "7", hostKey, address: "10.0.0.9" } } } },
        },
      },
      "an address that no node has",
    ],
    [
      "no address where the subnet is not known",
      {},
      { network: { existing: { id: "7" } } },
      "privateIp: given nothing; allowed: a free address of the nodes' subnet, which is not known from the start",
    ],
    [
      "an address outside a network whose subnets are not known",
      { privateIp: "10.1.0.9" },
      { network: { existing: { id: "7" } } },
      "an address of 10.0.0.0/16 that a node could have",
    ],
    [
      "a subnet without room",
      {},
      { network: { subnetRange: "10.0.0.0/31" } },
      "allowed: an address, but there is no free one in the subnet",
    ],
    ["an unknown pool", { pools: ["db"] }, {}, "loadBalancer.pools: given pool db; allowed: pools manager, web"],
    [
      "a far network without a location",
      {},
      { network: { zone: "us-east" } },
      "a location in the network's zone us-east",
    ],
    [
      "servers in no network of the program's",
      {},
      adoptedAlone,
      "loadBalancer: given an object; allowed: nothing, or the network",
    ],
    ["an unknown argument", { certificates: ["1"] }, {}, "loadBalancer.certificates: given an unknown argument"],
  ])("%s", (_, loadBalancer, more, message) => {
    expect(() => plan(loadBalancer, more)).toThrow(/^SwarmCluster "prod": invalid arguments?\n/);
    try {
      plan(loadBalancer, more);
    } catch (error) {
      expect(
        String(error)
          .replaceAll(/\[(\d)\]/g, ".[$1]")
          .replaceAll("..[", ".["),
      ).toContain(message);
    }
  });
});
