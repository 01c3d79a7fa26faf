import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, it } from "vitest";
import type { SwarmClusterArgs } from "../args/components";
import { InvalidArgumentError } from "../args/invalidArgument";
import { bootstrapHostKey } from "../remote/sshKey";
import { planCluster } from "./cluster";

beforeAll(() =>
  pulumi.runtime.setMocks({ newResource: () => ({ id: "", state: {} }), call: () => ({}) }, "project", "stack", true),
);

const { privateKey } = bootstrapHostKey("a test", "key", "pair");
const good: SwarmClusterArgs = {
  ssh: { privateKey },
  pools: { manager: { role: "manager", count: 1 }, worker: { role: "worker", count: 2 } },
};
/** Arguments that the compiler would refuse, as JavaScript, YAML and Python programs may send them. */
const loose = (args: object) => ({ ...good, ...args }) as SwarmClusterArgs;

function problem(args: object): string {
  try {
    planCluster("prod", loose(args));
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(pulumi.RunError.isInstance(error)).toBe(true);
    return (error as Error).message;
  }
  return "no error";
}

describe("planCluster", () => {
  it("needs an SSH key and a number of nodes only", () => {
    const plan = planCluster("prod", good);
    expect(plan.nodes.map((node) => [node.name, node.serverName, node.role, node.placementGroup])).toEqual([
      ["manager-1", "prod-manager-1", "manager", "managers"],
      ["worker-1", "prod-worker-1", "worker", "worker"],
      ["worker-2", "prod-worker-2", "worker", "worker"],
    ]);
    expect(plan.nodes[0]).toMatchObject({ serverType: "cx23", location: "fsn1", image: "debian-13" });
    expect(plan.network).toMatchObject({ ipRange: "10.0.0.0/16", subnetRange: "10.0.0.0/24", zone: "eu-central" });
    expect(plan.policy.publishedPorts.map((entry) => entry.port)).toEqual([80, 443]);
    expect(plan.timeouts).toEqual({ boot: 600, cloudInit: 900, swarm: 120, drain: 300, probation: 180 });
  });

  it("keeps a node as it is when its pool names nodes instead of counting them", () => {
    const named = { ...good, pools: { ...good.pools, worker: { role: "worker", nodes: { "worker-2": {} } } } } as const;
    expect(planCluster("prod", named).nodes.at(-1)).toEqual(planCluster("prod", good).nodes.at(-1));
  });

  it("lets a node differ from its pool", () => {
    const { nodes } = planCluster("prod", {
      ...good,
      pools: {
        manager: {
          role: "manager",
          serverType: "cx33",
          labels: { a: "1", b: "1" },
          nodes: { one: { location: "nbg1", labels: { b: "2" } } },
        },
      },
    });
    expect(nodes[0]).toMatchObject({ serverType: "cx33", location: "nbg1", labels: { a: "1", b: "2" } });
  });

  it("takes what is known later unseen, and checks the rest", () => {
    const later = pulumi.output("203.0.113.1/32");
    const args = { ...good, ssh: { privateKey: pulumi.secret(privateKey) }, policy: { ssh: { sources: [later] } } };
    expect(() => planCluster("prod", args)).not.toThrow();
    expect(problem({ policy: { ssh: { sources: [later], port: 0 } } })).toMatch(/policy\.ssh\.port: given 0/);
  });
});

describe("bad arguments are one clear error", () => {
  const pools = (extra: object) => ({ pools: { ...good.pools, ...extra } });
  it.each<[string, object, string]>([
    [
      "port 0",
      { policy: { publishedPorts: [{ port: 0 }] } },
      "policy.publishedPorts[0].port: given 0; allowed: a whole number from 1 to 65535 (a port)",
    ],
    [
      "an IPv6 range in an IPv4-only field",
      { network: { ipRange: "2001:db8::/32" } },
      'network.ipRange: given "2001:db8::/32"; allowed: an IPv4 range such as 10.0.0.0/16, its host bits zero',
    ],
    [
      "two nodes of one name",
      pools({ other: { role: "worker", nodes: { "worker-2": {} } } }),
      "pools.other.nodes.worker-2: given a second node worker-2; allowed: a name that is in one pool only",
    ],
    [
      "an even number of managers",
      pools({ manager: { role: "manager", count: 2 } }),
      "pools: given 2 managers; allowed: 1, 3, 5 or 7 managers",
    ],
    ["no manager", { pools: { worker: { role: "worker", count: 1 } } }, "pools: given no manager"],
    [
      "a policy that shuts SSH out",
      { policy: { ssh: { sources: [] } } },
      "policy.ssh.sources: given an empty list; allowed: at least one network or address: SSH is never shut out",
    ],
    ["a missing key", { ssh: {} }, "ssh.privateKey: given nothing; allowed: an SSH private key as text"],
    ["a missing ssh argument", { ssh: undefined }, "ssh: given nothing; allowed: an object with privateKey"],
    ["an empty key", { ssh: { privateKey: "" } }, "ssh.privateKey: given an empty text; allowed: an SSH private key"],
    ["an unknown argument", { firewal: {} }, "firewal: given an unknown argument; allowed: ssh, policy"],
    [
      "an unknown argument inside",
      pools({ worker: { role: "worker", count: 1, size: "cx23" } }),
      "pools.worker.size: given an unknown argument; allowed: role, count, nodes, serverType",
    ],
    [
      "a wrong role",
      pools({ worker: { role: "leader", count: 1 } }),
      'pools.worker.role: given "leader"; allowed: manager or worker',
    ],
    ["count and nodes", pools({ worker: { role: "worker", count: 1, nodes: {} } }), "one of the two"],
    ["neither count nor nodes", pools({ worker: { role: "worker" } }), "pools.worker.count: given nothing"],
    ["a pool's name", pools({ "Web!": { role: "worker", count: 1 } }), "pools.Web!: given"],
    [
      "a pool that the policy names and nobody has",
      { policy: { publishedPorts: [{ port: 80, pools: ["web"] }] } },
      "policy: given pool web",
    ],
    [
      "a swarm port",
      { policy: { hostServices: [{ port: 2377 }] } },
      "policy.hostServices: given 2377/tcp on manager-1",
    ],
    ["an overlay range over the network", { network: { overlayRange: "10.0.0.0/12" } }, "network.overlayRange: given"],
    ["a subnet outside", { network: { subnetRange: "10.1.0.0/24" } }, "a range within 10.0.0.0/16"],
    [
      "what opens the firewall",
      { docker: { daemonOptions: { iptables: false } } },
      "docker.daemonOptions.iptables: given false",
    ],
    [
      "an endless wait",
      { timeouts: { boot: 1e9 } },
      "timeouts.boot: given 1000000000; allowed: a whole number from 30 to 3600 (seconds)",
    ],
  ])("%s", (_, args, message) => {
    expect(problem(args)).toContain(message);
    expect(problem(args)).toMatch(/^SwarmCluster "prod": invalid arguments?\n/);
  });

  it("tells several at once", () => {
    expect(problem({ ssh: {}, verify: "never" })).toMatch(/invalid arguments\n {2}ssh.*\n {2}verify/);
  });

  it("wants a name that hosts can have", () => {
    expect(() => planCluster("My Cluster", good)).toThrow(
      /clusterName: given nothing, and the component's name "My Cluster"/,
    );
    expect(planCluster("My Cluster", { ...good, clusterName: "prod" }).nodes[0]?.serverName).toBe("prod-manager-1");
  });

  it.each([
    ["a damaged key", { ssh: { privateKey: "hunter2-the-password" } }],
    ["a key in the place of its public half", { ssh: { privateKey, publicKey: privateKey } }],
    ["a key in the wrong argument", { clusterName: privateKey }],
    ["a key as a source", { policy: { ssh: { sources: [privateKey] } } }],
  ])("never shows a secret: %s", (_, args) => {
    const message = problem(args);
    expect(message).toMatch(/invalid argument/);
    expect(message).not.toMatch(/hunter2|PRIVATE KEY|b3BlbnNzaC1rZXk/);
  });
});
