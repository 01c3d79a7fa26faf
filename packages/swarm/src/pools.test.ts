import { describe, expect, it } from "vitest";
import type { SwarmClusterArgs } from "./args/components";
import { refuseElsewhere } from "./cloud/primaryIps";
import { bootstrapHostKey } from "./remote/sshKey";
import { SwarmCluster } from "./swarmCluster";
import { type FakeCloud, type FakeOptions, fakeCloud, plain } from "./testing/fakeCloud";
import { madeCluster } from "./testing/madeCluster";
import { filesOf } from "./testing/userDataFiles";

const { privateKey } = bootstrapHostKey("a test", "key", "pair");

const up = async (args: Partial<SwarmClusterArgs> & Pick<SwarmClusterArgs, "pools">, options: FakeOptions = {}) =>
  (await madeCluster({ ssh: { privateKey }, ...args }, options)).cloud;

describe("labels in the swarm", () => {
  const pools = {
    manager: { role: "manager", nodes: { m1: {} } },
    worker: {
      role: "worker",
      nodeLabels: { disk: "hdd", zone: "a" },
      nodes: { w1: { nodeLabels: { disk: "ssd" } }, w2: {} },
    },
  } as const;

  it("are a step on a manager, after the joins and before anything leaves", async () => {
    for (let round = 0; round < 3; round += 1) {
      const cloud = await up({ pools }, { slow: true });
      const { create, stdin, delete: undo, connection } = cloud.inputsOf("prod-labels");
      expect([create, undo]).toEqual(
        ["sh -s", "sh -s forget"].map((text) => expect.stringMatching(`^timeout --verbose \\d+ ${text}$`)),
      );
      expect(stdin).toContain("wish='prod-m1\nprod-w1 disk=ssd zone=a\nprod-w2 disk=hdd zone=a\n'\n");
      expect(stdin).toMatch(/\n# servers \d+ \d+ \d+\n$/);
      expect(connection.host).toBe(cloud.inputsOf("prod-m1-policy").connection.host);
      for (const node of ["m1", "w1", "w2"])
        expect(cloud.isDoneBefore(`prod-${node}-membership`, "prod-labels"), node).toBe(true);
      expect(cloud.isDoneBefore("prod-labels", "prod-roster")).toBe(true);
    }
  });

  it("cost no session on the nodes that have them", async () => {
    const [plain, labelled] = [
      await up({ pools: { ...pools, worker: { role: "worker", nodes: { w1: {}, w2: {} } } } }),
      await up({ pools }),
    ].map((cloud) =>
      cloud
        .ofType("command:remote:Command")
        .map((one) => one.name)
        .sort(),
    );
    expect(labelled?.filter((name) => !plain?.includes(name))).toEqual(["prod-labels"]);
  });

  it("show in a preview, node by node, and only where there are some", async () => {
    const cloud = await up({ pools }, { preview: true });
    expect(cloud.inputsOf("prod").nodes).toMatchObject({
      w1: { nodeLabels: { disk: "ssd", zone: "a" } },
      w2: { nodeLabels: { disk: "hdd", zone: "a" } },
    });
    expect(cloud.inputsOf("prod").nodes.m1).not.toHaveProperty("nodeLabels");
  });

  it("are no step where nobody has any", async () => {
    const cloud = await up({ pools: { manager: { role: "manager", count: 1, nodeLabels: {} } } });
    expect(cloud.asked.map((one) => one.name)).not.toContain("prod-labels");
  });

  it.each([
    [
      { "hcloud-swarm.leaving": "1" },
      /pools\.worker\.nodes\.w1\.nodeLabels\.hcloud-swarm\.leaving: .*not beginning with/,
    ],
    [{ "two words": "1" }, /pools\.worker\.nodes\.w1\.nodeLabels\.two words: .*a key of up to 128/],
    [{ disk: "a b" }, /pools\.worker\.nodes\.w1\.nodeLabels\.disk: given "a b"; allowed: up to 255/],
    [{ disk: "$(reboot)" }, /nodeLabels\.disk/],
    [{ disk: true }, /nodeLabels\.disk: given true/],
  ])("are words: %j", async (nodeLabels, message) => {
    await fakeCloud();
    const worker = { role: "worker", nodes: { w1: { nodeLabels } } };
    expect(
      () => new SwarmCluster("prod", { ssh: { privateKey }, pools: { ...pools, worker } as SwarmClusterArgs["pools"] }),
    ).toThrow(message);
  });
});

const bornWith = (cloud: FakeCloud, server: string) => filesOf(plain(cloud.inputsOf(server).userData));

/** What the program is refused with. */
async function refusal(pools: object): Promise<string> {
  await fakeCloud();
  try {
    new SwarmCluster("prod", { ssh: { privateKey }, pools: pools as SwarmClusterArgs["pools"] });
  } catch (error) {
    return String(error);
  }
  return "no refusal";
}

describe("Docker of a pool", () => {
  it("is the cluster's but for what the pool says", async () => {
    const cloud = await up({
      docker: { daemonOptions: { "registry-mirrors": ["https://one.example"], debug: true } },
      pools: {
        manager: { role: "manager", count: 1 },
        worker: {
          role: "worker",
          count: 1,
          docker: { channel: "docker", daemonOptions: { "registry-mirrors": ["https://two.example"], mtu: 1400 } },
        },
      },
    });
    const optionsOf = (node: string) =>
      JSON.parse(bornWith(cloud, `prod-${node}`).get("/etc/docker/daemon.json") ?? "{}");
    const setupOf = (node: string) => bornWith(cloud, `prod-${node}`).get("/opt/hcloud-swarm-setup.sh") ?? "";
    expect(optionsOf("manager-1")).toMatchObject({ "registry-mirrors": ["https://one.example"], debug: true });
    expect(optionsOf("manager-1")).not.toHaveProperty("mtu");
    expect(optionsOf("worker-1")).toMatchObject({
      "registry-mirrors": ["https://two.example"],
      debug: true,
      mtu: 1400,
      "log-opts": { "max-size": "10m" },
    });
    expect(setupOf("manager-1")).not.toContain("docker-ce");
    expect(setupOf("worker-1")).toContain("docker-ce");
  });

  it.each([
    [{ iptables: false }, /docker\.daemonOptions\.iptables: .*anything but what opens the firewall/],
    [{ mtu: "1400" }, /docker\.daemonOptions\.mtu: given "1400"; allowed: a whole number from 576 to 9000/],
    [{ "registry-mirrors": "https://one.example" }, /registry-mirrors: .*a list of URLs/],
    [{ "registry-mirrors": ["https://one.example", "one.example"] }, /registry-mirrors\[1\]: .*a URL such as/],
    [{ "registry-mirrors": ["https://ann:secret@one.example"] }, /without a password/],
  ])("is refused with %j", async (daemonOptions, message) => {
    expect(await refusal({ manager: { role: "manager", count: 1, docker: { daemonOptions } } })).toMatch(message);
  });
});

describe("cloudInit of a pool", () => {
  const manager = { role: "manager", count: 1 } as const;
  const cloudInit = {
    packages: ["jq"],
    writeFiles: [{ path: "/etc/sysctl.d/60-mine.conf", content: "vm.max_map_count = 262144\n" }],
    runcmd: ["sysctl --system"],
  };

  it("is in the user-data of its servers, and nobody else's", async () => {
    const cloud = await up({ pools: { manager, worker: { role: "worker", count: 1, cloudInit } } });
    const worker = bornWith(cloud, "prod-worker-1");
    expect(worker.get("/etc/sysctl.d/60-mine.conf")).toBe("vm.max_map_count = 262144\n");
    expect(worker.get("/opt/hcloud-swarm-setup.sh")).toContain("own 0 'sysctl --system'");
    const other = bornWith(cloud, "prod-manager-1");
    expect(other.has("/etc/sysctl.d/60-mine.conf")).toBe(false);
    expect(other.get("/opt/hcloud-swarm-setup.sh")).not.toContain("sysctl");
  });

  it.each([
    [
      { bootcmd: ["ufw disable"] },
      /pools\.worker\.cloudInit\.bootcmd: given an unknown argument; allowed: packages, writeFiles, runcmd/,
    ],
    [{ users: [] }, /pools\.worker\.cloudInit\.users/],
    [{ ssh_pwauth: true }, /pools\.worker\.cloudInit\.ssh_pwauth/],
    [
      { packages: ["ufw"] },
      /cloudInit\.packages\[0\]: given "ufw"; allowed: a package that brings neither a firewall nor a Docker/,
    ],
    [{ packages: ["docker.io-"] }, /cloudInit\.packages\[0\]: .*a package's name/],
    [{ packages: ["jq; reboot"] }, /cloudInit\.packages\[0\]/],
    [
      { writeFiles: [{ path: "/etc/docker/daemon.json", content: "{}" }] },
      /writeFiles\[0\]\.path: .*docker\.daemonOptions/,
    ],
    [{ writeFiles: [{ path: "/etc/x/../ssh/sshd_config", content: "" }] }, /writeFiles\[0\]\.path: .*an absolute path/],
    [{ writeFiles: [{ path: "/etc//ssh/sshd_config", content: "" }] }, /writeFiles\[0\]\.path: .*an absolute path/],
    [
      {
        writeFiles: [
          { path: "/etc/a", content: "" },
          { path: "/etc/a", content: "" },
        ],
      },
      /writeFiles\[1\]\.path: .*each path once/,
    ],
    [{ writeFiles: [{ path: "/etc/a", content: "", permissions: "rwx" }] }, /permissions: .*octal/],
    [{ runcmd: [["sh", "-c", "true"]] }, /cloudInit\.runcmd\[0\]: .*a command for sh/],
  ])("is refused with %j", async (wrong, message) => {
    expect(await refusal({ manager, worker: { role: "worker", count: 1, cloudInit: wrong } })).toMatch(message);
  });

  it("is refused before anything is made where it does not fit, in bytes", async () => {
    const content = Array.from({ length: 9000 }, (_, i) => ((i * 7919) % 9973).toString(36)).join("");
    const big = { writeFiles: [{ path: "/etc/big", content }] };
    const pools = { manager, worker: { role: "worker", count: 2, cloudInit: big } };
    const [, bytes, own, over] =
      /pools\.worker\.cloudInit: given (\d+) bytes of packed user-data, of which (\d+) are cloudInit's; allowed: .* 32768 bytes: shorten it by (\d+)/.exec(
        await refusal(pools),
      ) ?? [];
    expect(Number(bytes) - Number(over)).toBe(32768);
    expect(Number(own)).toBeLessThan(Number(bytes));
  });

  it("takes what just fits when it is packed, and the servers' own user-data is not longer than that", async () => {
    const noise = Array.from({ length: 420 }, (_, i) => ((i * 7919) % 9973).toString(36)).join("");
    const cloud = await up({
      pools: { manager: { ...manager, cloudInit: { writeFiles: [{ path: "/etc/some", content: noise }] } } },
    });
    expect(bornWith(cloud, "prod-manager-1").get("/etc/some")).toBe(noise);
    expect(Buffer.byteLength(plain(cloud.inputsOf("prod-manager-1").userData))).toBeLessThanOrEqual(32768);
  });
});

describe("primary IPs of a node", () => {
  const pools = (w1: object): SwarmClusterArgs["pools"] => ({
    manager: { role: "manager", count: 1 },
    worker: { role: "worker", nodes: { w1, w2: {} } },
  });
  const address = { type: "ipv4", ipAddress: "198.51.100.7", location: "fsn1", assigneeId: 0 };
  const existing = { primaryIps: { ipv4: { existing: { id: "4711" } } } };
  it("are made for the node, not for its server, and outlast it", async () => {
    for (const replacement of [0, 3]) {
      const cloud = await up({ pools: pools({ primaryIps: { ipv4: {}, ipv6: {} }, replacement }) });
      const server = cloud.inputsOf(replacement === 0 ? "prod-w1" : "prod-w1-r3");
      expect(server.publicNets).toEqual([
        { ipv4Enabled: true, ipv6Enabled: true, ipv4: expect.any(Number), ipv6: expect.any(Number) },
      ]);
      expect(cloud.inputsOf("prod-w1-ipv4")).toMatchObject({
        ...{ name: "prod-w1-ipv4", type: "ipv4", location: "fsn1", assigneeType: "server", autoDelete: false },
        labels: { "hcloud-swarm-cluster": "prod" },
      });
      expect(cloud.ofType("hcloud:index/primaryIp:PrimaryIp").map((one) => one.name)).toEqual([
        "prod-w1-ipv4",
        "prod-w1-ipv6",
      ]);
    }
  });

  it("change nothing for other nodes", async () => {
    const cloud = await up({ pools: pools(existing) }, { primaryIps: { "4711": address } });
    expect(cloud.inputsOf("prod-w2")).not.toHaveProperty("publicNets");
    expect(cloud.inputsOf("prod-w1").publicNets).toEqual([{ ipv4Enabled: true, ipv6Enabled: true, ipv4: 4711 }]);
    expect(cloud.ofType("hcloud:index/primaryIp:PrimaryIp")).toEqual([]);
  });

  it("that are spare are kept, and a server that is made gets others", async () => {
    const cloud = await up({ pools: pools({ primaryIps: { ipv4: { spare: true } }, replacement: 1 }) });
    expect(cloud.inputsOf("prod-w1-ipv4").autoDelete).toBe(false);
    expect(cloud.inputsOf("prod-w1-r1").publicNets).toEqual([{ ipv4Enabled: true, ipv6Enabled: true }]);
  });

  it("stay where they are when the server is there already, in the preview too", async () => {
    for (const preview of [true, false]) {
      const there = { primaryIps: { "4711": { ...address, assigneeId: 9 } }, servers: { "9": { name: "prod-w1" } } };
      const cloud = await up({ pools: pools(existing) }, { preview, ...there });
      expect(cloud.inputsOf("prod-w1").publicNets).toEqual([{ ipv4Enabled: true, ipv6Enabled: true, ipv4: 4711 }]);
    }
  });

  it.each([
    [{}, "prod-w1", undefined],
    [{ holder: "prod-w1", location: "hel1" }, "prod-w1", undefined],
    [
      { holder: "prod-w1" },
      "prod-w1-r1",
      /^SwarmCluster "prod": pools\.worker\.nodes\.w1\.primaryIps\.ipv4: 198\.51\.100\.7 \(4711\) is at the server prod-w1, and prod-w1-r1 comes up before.*spare: true/,
    ],
    [{ type: "ipv6" }, "prod-w1", /is an ipv6 address/],
    [{ location: "hel1" }, "prod-w1", /is in hel1, and a server in fsn1 cannot have it/],
  ])("may be at no server or at the node's own: %j for %s", (more, serverName, message) => {
    const node = { component: 'SwarmCluster "prod"', path: "pools.worker.nodes.w1", serverName, location: "fsn1" };
    const found = { id: 4711, type: "ipv4", address: "198.51.100.7", location: "fsn1", holder: "", ...more };
    const judge = () => refuseElsewhere(node, "ipv4", found);
    if (message === undefined) expect(judge).not.toThrow();
    else expect(judge).toThrow(message);
  });

  it("are refused beside adopt, and at two nodes", async () => {
    const adopt = { id: "1", hostKey: `ssh-ed25519 ${"A".repeat(68)}` };
    expect(await refusal(pools({ ...existing, adopt }))).toMatch(/nodes\.w1\.primaryIps: .*nothing beside adopt/);
    const both = {
      manager: { role: "manager", nodes: { m1: existing } },
      worker: { role: "worker", nodes: { w1: existing } },
    };
    expect(await refusal(both)).toMatch(/nodes\.w1\.primaryIps\.ipv4\.existing\.id: .*no other node has \(m1/);
  });
});
