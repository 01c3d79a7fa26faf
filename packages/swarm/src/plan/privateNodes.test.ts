import * as pulumi from "@pulumi/pulumi";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { SwarmClusterArgs } from "../args/components";
import { InvalidArgumentError } from "../args/invalidArgument";
import type { BastionArgs } from "../args/privateNodes";
import { bootstrapHostKey } from "../remote/sshKey";
import { factsOf, planCluster } from "./cluster";
import { bastionNodeOf } from "./privateNodes";

beforeAll(() =>
  pulumi.runtime.setMocks({ newResource: () => ({ id: "", state: {} }), call: () => ({}) }, "project", "stack", true),
);

const { privateKey, publicKey: hostKey } = bootstrapHostKey("a test", "key", "pair");
const good = {
  ssh: { privateKey },
  pools: {
    manager: { role: "manager", count: 1 },
    worker: { role: "worker", nodes: { w1: { privateOnly: true }, w2: {} } },
  },
  network: { egress: { node: "manager-1" } },
} satisfies SwarmClusterArgs;
const allHidden = { ...good.pools, manager: { role: "manager", count: 1, privateOnly: true } };
const adopted = { hostKey, id: "5" };

function problem(args: object): string {
  try {
    planCluster("prod", { ...good, ...args } as SwarmClusterArgs);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidArgumentError);
    return (error as Error).message;
  }
  return "no error";
}

describe("nodes without a public address", () => {
  it("follow the pool, and a node says otherwise", () => {
    const pools = {
      ...good.pools,
      worker: { role: "worker", privateOnly: true, nodes: { w1: {}, w2: { privateOnly: false } } },
    };
    const { nodes } = planCluster("prod", { ...good, pools } as SwarmClusterArgs);
    expect(nodes.map((node) => [node.name, node.privateOnly])).toEqual([
      ["manager-1", undefined],
      ["w1", true],
      ["w2", undefined],
    ]);
  });

  it("tell the firewall: which node is the way out, and which are reached from the network", () => {
    const plan = planCluster("prod", { ...good, network: { ipRange: "10.4.0.0/16", ...good.network } });
    const [manager, hidden, open] = plan.nodes.map((node) => factsOf(node, plan));
    expect(manager?.egress).toEqual({ network: "10.4.0.0/24", publicInterface: "eth0" });
    expect(manager).not.toHaveProperty("sshNetwork");
    expect(hidden?.sshNetwork).toBe("10.4.0.0/24");
    expect(hidden).not.toHaveProperty("egress");
    expect(Object.keys(open ?? {}).sort()).toEqual(["cgroupPath", "name", "pool", "role", "swarm"]);
  });

  it.each<[string, object, object, string, string]>([
    ["the nodes' subnet", { subnetRange: "10.0.7.0/24" }, {}, "10.0.7.0/24", "10.0.7.0/24"],
    ["all of a network that is there", { existing: { id: "7" } }, {}, "10.0.0.0/16", "10.0.0.0/16"],
    [
      "all of a network that gets a subnet more",
      { existing: { id: "7" }, subnetRange: "10.0.7.0/24" },
      {},
      "10.0.0.0/16",
      "10.0.0.0/16",
    ],
    ["all of a subnet's network", { existingSubnet: { id: "7-10.0.1.0/24" } }, {}, "10.0.0.0/16", "10.0.0.0/16"],
    ["and a bastion from anywhere in it", {}, { bastion: { host: "jump", hostKey } }, "10.0.0.0/24", "10.0.0.0/16"],
  ])("are led out from %s", (_, network, args, led, reached) => {
    const plan = planCluster("prod", { ...good, ...args, network: { ...good.network, ...network } });
    const [manager, hidden] = plan.nodes.map((node) => factsOf(node, plan));
    expect([manager?.egress?.network, hidden?.sshNetwork]).toEqual([led, reached]);
  });

  it("leave less room for what a pool adds to their first boot", () => {
    const text = (bytes: number) => Array.from({ length: bytes }, (_, i) => ((i * 7919) % 9973).toString(36)).join("");
    const refused = (content: string, privateOnly: boolean) => {
      const cloudInit = { writeFiles: [{ path: "/srv/noise", content }] };
      const worker = { role: "worker", cloudInit, nodes: { w1: { privateOnly }, w2: {} } };
      return problem({ pools: { ...good.pools, worker } });
    };
    const bytesOf = (message: string) => Number(/(\d+) bytes of packed user-data/.exec(message)?.[1]);
    const [open, hidden] = [false, true].map((privateOnly) => refused(text(9000), privateOnly));
    expect(open).toContain("pools.worker.cloudInit: given ");
    expect(bytesOf(hidden ?? "") - bytesOf(open ?? "")).toBeGreaterThan(400);
  });

  it.each<[string, object, string]>([
    ["no way out", { network: {} }, "network.egress: given nothing, and node w1 is private-only;"],
    [
      "an unknown way out",
      { network: { egress: { node: "gate" } } },
      "network.egress.node: given gate, which is no node; allowed: one of manager-1, w2",
    ],
    [
      "a way out that is private-only",
      { network: { egress: { node: "w1" } } },
      "network.egress.node: given w1, which is private-only itself; allowed: one of manager-1, w2",
    ],
    [
      "nobody with a public address",
      { pools: { manager: allHidden.manager }, network: { egress: { node: "manager-1" } } },
      "network.egress.node: given manager-1, which is private-only itself; allowed: a node that is not private-only",
    ],
    [
      "a private-only manager whose way out is a worker",
      { pools: allHidden, network: { egress: { node: "w2" } } },
      "network.egress.node: given worker w2; allowed: a manager, because manager manager-1 is private-only",
    ],
    [
      "a server that is there",
      {
        pools: {
          ...good.pools,
          worker: { role: "worker", nodes: { w1: { privateOnly: true, adopt: { ...adopted, address: "10.0.0.9" } } } },
        },
      },
      "pools.worker.nodes.w1.privateOnly: given true; allowed: nothing beside adopt",
    ],
    [
      "a node with an address that outlasts its servers",
      {
        pools: {
          ...good.pools,
          worker: { role: "worker", nodes: { w1: { privateOnly: true, primaryIps: { ipv4: {} } } } },
        },
      },
      "pools.worker.nodes.w1.privateOnly: given true; allowed: nothing beside primaryIps",
    ],
    [
      "no network",
      {
        pools: { manager: { role: "manager", nodes: { "manager-1": { adopt: { ...adopted, address: "10.0.0.9" } } } } },
      },
      "network.existing: given nothing, beside network.egress",
    ],
    ["an unknown bastion", { bastion: { node: "jump" } }, "bastion.node: given jump, which is no node;"],
    [
      "a bastion that is private-only",
      { bastion: { node: "w1" } },
      "bastion.node: given w1, which is private-only itself;",
    ],
    ["an empty bastion", { bastion: {} }, "bastion.node: given none of them;"],
    ["two bastions", { bastion: { node: "w2", host: "h", hostKey } }, "bastion.node: given node and host;"],
    ["a bastion without a host key", { bastion: { host: "jump.example" } }, "bastion.hostKey: given nothing;"],
    ["a key beside a node", { bastion: { node: "w2", privateKey } }, "bastion.privateKey: given [secret];"],
    ["a port beside a node", { bastion: { node: "w2", port: 22 } }, "bastion.port: given a value;"],
    [
      "an interface that is none",
      { network: { egress: { node: "w2", publicInterface: "eth0; reboot" } } },
      "network.egress.publicInterface:",
    ],
    [
      "resolvers that are none",
      { network: { egress: { node: "w2", resolvers: ["dns.example"] } } },
      "network.egress.resolvers[0]:",
    ],
    ["no resolver", { network: { egress: { node: "w2", resolvers: [] } } }, "network.egress.resolvers:"],
    [
      "another key in the wrong place",
      { bastion: { host: "h", hostKey: privateKey } },
      "bastion.hostKey: given [secret]",
    ],
  ])("are refused with %s", (_, args, expected) => {
    const text = problem(args);
    expect(text).toContain(expected);
    expect(text).not.toContain(privateKey.split("\n")[2]);
  });

  it("have a bastion: the way out, unless somebody names another", () => {
    expect(bastionNodeOf(undefined, { node: "gate" })).toBe("gate");
    expect(bastionNodeOf({ node: "jump" }, { node: "gate" })).toBe("jump");
    expect(bastionNodeOf({ host: "jump.example" }, { node: "gate" })).toBeUndefined();
    expect(bastionNodeOf(undefined, undefined)).toBeUndefined();
    expect(problem({ bastion: { host: "jump.example", hostKey, user: "me", port: 2222, privateKey } })).toBe(
      "no error",
    );
  });

  const names = ["m1", "m2", "m3", "w1", "w2", "gone"] as const;
  const bastions: fc.Arbitrary<BastionArgs | undefined> = fc.oneof(
    fc.constant(undefined),
    fc.constantFrom(...names).map((node) => ({ node })),
    fc.constant({ host: "jump.example", hostKey }),
  );
  it("are planned exactly where the way out and the bastion are nodes that everybody reaches", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...names.slice(0, 5)), fc.boolean()),
        fc.option(fc.constantFrom(...names), { nil: undefined }),
        bastions,
        (hidden, node, bastion) => {
          const is = (name: string) => hidden[name] === true;
          const pool = (role: string, some: readonly string[]) => ({
            role,
            nodes: Object.fromEntries(some.map((name) => [name, is(name) ? { privateOnly: true } : {}])),
          });
          const [managers, workers] = [names.slice(0, 3), names.slice(3, 5)];
          const text = problem({
            pools: { m: pool("manager", managers), w: pool("worker", workers) },
            network: node === undefined ? {} : { egress: { node } },
            ...(bastion === undefined ? {} : { bastion }),
          });
          const open = (name: string) => name !== "gone" && !is(name);
          const some = [...managers, ...workers].some(is);
          const wayOut = node === undefined ? !some : open(node) && (node.startsWith("m") || !managers.some(is));
          const wayIn = bastion?.node === undefined || open(bastion.node);
          expect(text === "no error", text).toBe(wayOut && wayIn);
        },
      ),
      { numRuns: 300 },
    );
  });
});
