/** Maintenance, as the program asks for it: which steps there are, in what order, on which host, and which have nothing to do. */
import * as pulumi from "@pulumi/pulumi";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { MaintenanceArgs, SwarmClusterArgs } from "../args/components";
import { planCluster } from "../plan/cluster";
import { bootstrapHostKey } from "../remote/sshKey";
import { type FakeCloud, type FakeOptions, isSecret, known, plain, tokens } from "../testing/fakeCloud";
import { madeCluster } from "../testing/madeCluster";
import { filesOf } from "../testing/userDataFiles";

const { privateKey } = bootstrapHostKey("a test", "key", "pair");
const pools: SwarmClusterArgs["pools"] = {
  m: { role: "manager", nodes: { m1: {}, m2: {}, m3: {} } },
  w: { role: "worker", nodes: { w1: {} } },
};
const swarm = [
  ...["m1", "m2", "m3"].map((name) => ({ name, role: "manager" as const })),
  { name: "w1", role: "worker" as const },
];
const parts = ["prepare", "drain", "work", "verify", "activate"];
const order = ["w1", "m2", "m3", "m1"];

const up = (maintenance: MaintenanceArgs | undefined, options: FakeOptions = {}, more: object = {}) =>
  madeCluster(
    { ssh: { privateKey }, pools, ...(maintenance === undefined ? {} : { maintenance }), ...more },
    { slow: true, swarm, founder: "1", ...options },
  );
const part = (cloud: FakeCloud, node: string, kind: string) => cloud.inputsOf(`prod-${node}-maintenance-${kind}`);
const hostOf = (cloud: FakeCloud, node: string, kind: string) => plain(part(cloud, node, kind).connection).host;

describe("maintenance", () => {
  it("adds nothing to a cluster whose program does not name it", async () => {
    const { cloud } = await up(undefined);
    expect(cloud.asked.filter(({ name }) => /maintenance/.test(name))).toEqual([]);
    expect(cloud.ofType("hcloud-swarm:index:SwarmCluster")[0]?.inputs).not.toHaveProperty("maintenance");
  });

  it("looks at every node before the first is touched, and takes one at a time, when everything else is done", async () => {
    for (let round = 0; round < 3; round += 1) {
      const { cloud } = await up({ number: 1 });
      const before = (earlier: string, later: string) =>
        expect(cloud.isDoneBefore(`prod-${earlier}`, `prod-${later}`), `${earlier} before ${later}`).toBe(true);
      for (const node of order) {
        before(`${node}-peers`, "w1-maintenance-prepare");
        before(`${node}-maintenance-prepare`, "w1-maintenance-drain");
      }
      const row = order.flatMap((node) => parts.slice(1).map((kind) => `${node}-maintenance-${kind}`));
      for (const [index, step] of row.entries()) if (index > 0) before(row[index - 1] ?? "", step);
    }
  });

  it("is over before a rotated SSH key is taken away: a node that restarts could not be reached", async () => {
    const was = bootstrapHostKey("the key before", "key", "pair");
    const { cloud } = await up({ number: 1 }, {}, { ssh: { privateKey, previousPrivateKey: was.privateKey } });
    for (const node of order)
      expect(cloud.isDoneBefore("prod-m1-maintenance-activate", `prod-${node}-old-key`), node).toBe(true);
  });

  it("drains and activates a node on another manager, and works on the node itself", async () => {
    const { cloud, cluster } = await up({ number: 1 });
    const nodes = await known(cluster.nodes);
    for (const node of order) {
      const manager = nodes[node === "m1" ? "m2" : "m1"]?.publicIpv4;
      for (const kind of ["drain", "activate"]) {
        expect(hostOf(cloud, node, kind), `${node} ${kind}`).toBe(await known(pulumi.output(manager)));
        expect(plain(part(cloud, node, kind).stdin)).toContain(`id='id-${node}'\nnode='prod-${node}'\n`);
      }
      for (const kind of ["prepare", "work", "verify"])
        expect(hostOf(cloud, node, kind)).toBe(await known(pulumi.output(nodes[node]?.publicIpv4)));
    }
    const dials = (kind: string) => plain(part(cloud, "w1", kind).connection).dialErrorLimit;
    expect(dials("verify"), "a restart has time").toBeGreaterThan(2 * dials("work"));
  });

  it("says in what is previewed which node gets what, and nothing else", async () => {
    const { cloud } = await up({ number: 2, upgrade: "all", dockerVersion: "28.5" });
    const text =
      "maintenance 2: drained, Docker 28.5 where it has another, all packages upgraded, restarted, verified, active again";
    expect(part(cloud, "w1", "prepare").create).toBe(`timeout --verbose 2700 sh -s # prod-w1, ${text}`);
    expect(part(cloud, "w1", "drain").create).toBe("timeout --verbose 1560 sh -s # prod-w1, maintenance 2: drained");
    expect(cloud.ofType("hcloud-swarm:index:SwarmCluster")[0]?.inputs.maintenance).toEqual(
      Object.fromEntries(order.map((node) => [node, text])),
    );
    for (const node of order) for (const kind of parts) expect(isSecret(part(cloud, node, kind).stdin)).toBe(true);
  });

  it("opens one connection to a node that has had it, and none for it to a manager", async () => {
    const { cloud } = await up({ number: 1 }, { maintenance: { "prod-w1": "nothing", "prod-m1": "nothing" } });
    const due = (node: string) => parts.filter((kind) => part(cloud, node, kind).create !== undefined);
    expect(order.map(due)).toEqual([["prepare"], parts, parts, ["prepare"]]);
  });

  it("previews when nothing is known yet: the first text is, the others follow from it", async () => {
    const { cloud } = await up({ number: 1 }, { preview: true, swarm: [] });
    expect(part(cloud, "w1", "prepare").create).toMatch(/ sh -s # prod-w1, maintenance 1: drained, restarted/);
    expect(cloud.ofType("command:remote:Command").filter(({ name }) => /-maintenance-/.test(name))).toHaveLength(20);
  });

  it("hands the unlock key to managers that lock themselves, and to nobody else", async () => {
    const { cloud } = await up({ number: 1 }, {}, { swarm: { autolock: true } });
    const tells = (node: string, kind: string) => plain(part(cloud, node, kind).stdin).includes(tokens.unlock);
    for (const node of order)
      expect(
        parts.filter((kind) => tells(node, kind)),
        node,
      ).toEqual(node === "w1" ? [] : ["verify"]);
    const open = (await up({ number: 1 })).cloud;
    expect(plain(part(open, "m1", "verify").stdin)).toContain("unlock_key=''");
  });

  it("lets servers that are made have had it, and those of other programs boot as before", async () => {
    const born = (cloud: FakeCloud) => filesOf(plain(cloud.inputsOf("prod-w1").userData));
    const record = (cloud: FakeCloud) => born(cloud).get("/var/lib/hcloud-swarm/maintenance");
    expect(record((await up({ number: 7 })).cloud)).toBe("7 new - ok\n");
    const [none, version] = [(await up(undefined)).cloud, (await up({ dockerVersion: "28.5" })).cloud];
    expect(record(none)).toBeUndefined();
    expect(born(version)).toEqual(born(none));
  });
});

describe("a server type that changes", () => {
  afterEach(() => void vi.restoreAllMocks());
  const there = {
    serverType: "cx23",
    ipv4Address: "203.0.113.9",
    ipv6Address: "2001:db8::9",
    networks: [{ ip: "10.0.0.9" }],
  };
  const warnings = async (server: string, managers: Record<string, object>) => {
    const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
    const larger = {
      m: { role: "manager" as const, serverType: "cx33", nodes: managers },
      w: { role: "worker" as const, serverType: "cx33", nodes: { w1: {} } },
    };
    await up(undefined, { servers: { [server]: there } }, { pools: larger });
    return warn.mock.calls.map(([text]) => text);
  };

  it.each([
    ["a worker", "prod-w1", { m1: {} }],
    ["a manager with others", "prod-m1", { m1: {}, m2: {}, m3: {} }],
  ])("waits for a replacement, with the way told: %s", async (_, server, managers) => {
    expect(await warnings(server, managers)).toEqual([
      expect.stringMatching(new RegExp(`${server} is a cx23 and stays one\\. For a cx33 raise its 'replacement'`)),
    ]);
  });

  it("is changed in place on a lone manager, which nobody could take the place of", async () => {
    expect(await warnings("prod-m1", { m1: {} })).toEqual([]);
  });
});

describe("arguments", () => {
  const plan = (maintenance: object) => planCluster("prod", { ssh: { privateKey }, pools, maintenance }).maintenance;

  it("have defaults", () => {
    expect(plan({ number: 1 })).toEqual({ number: 1, upgrade: "none", reboot: true, timeout: 1800 });
    expect(planCluster("prod", { ssh: { privateKey }, pools }).maintenance).toBeUndefined();
  });

  it.each<[object, RegExp]>([
    [{ number: -1 }, /maintenance\.number: given -1; allowed: a whole number from 0 to 9999/],
    [{ upgrade: "some" }, /maintenance\.upgrade: given "some"; allowed: none or docker or all/],
    [
      { dockerVersion: "latest; reboot" },
      /maintenance\.dockerVersion: given .*; allowed: the first parts of a version/,
    ],
    [{ number: 1, reboot: false }, /maintenance\.number: given 1 with nothing to do/],
    [{ timeout: 1 }, /maintenance\.timeout: given 1/],
  ])("are refused: %o", (given, message) => {
    expect(() => plan(given)).toThrow(message);
  });
});
