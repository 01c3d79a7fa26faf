/** A load balancer is put before a cluster that runs, and taken away: its private address alone is let in, on its port alone. */
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import {
  api,
  type ClusterNode,
  controls,
  eventually,
  observe,
  type Port,
  parseResults,
  probeFromOutside,
  responderImage,
  responderProgram,
  withoutCloudFirewall,
} from "../../harness/src/index.js";
import { expectWhole, Life, longProbation, sessionsByNode } from "./lib.js";

let life: Life;
let swarmId: string;
beforeAll(async () => {
  life = await Life.ready();
  swarmId = life.cluster.outputs.swarmId;
  await life.become(life.wish, { timeouts });
  await life.equip();
  // On every node by itself, not through the mesh, so that a node whose container is gone does not serve.
  await life.ssh(
    life.manager,
    `docker service create --detach --quiet --no-resolve-image --mode global --name behind ` +
      `--publish published=8090,target=8000,mode=host ${responderImage} serve tcp:8000`,
  );
  await eventually("the service on every node", 600, async () => {
    const states = await life.ssh(life.manager, "docker service ps behind --format '{{.CurrentState}}'");
    return states.split("\n").filter((state) => state.startsWith("Running")).length === life.cluster.nodes.length;
  });
});

const address = "10.0.0.254";
const policy = { publishedPorts: [{ port: 80 }] };
const timeouts = longProbation;
const loadBalancer = {
  services: [{ listenPort: 8081, publishedPort: 8090, healthCheck: { interval: 5, timeout: 5, retries: 2 } }],
};

const port = (number: number, open: Port["open"], listens: Port["listens"]): Port => ({
  port: number,
  protocol: "tcp",
  what: `${number}/tcp`,
  open,
  kind: "answer",
  control: "node",
  listens,
});
const ports = [port(80, ["4"], ["4"]), port(8090, [], ["4", "6"])];

/** What is not as it must be from outside, with and without the cloud firewall, and every control that is silent. */
async function problems(): Promise<string[]> {
  const { cluster } = life;
  const inside = await controls(cluster, ports);
  const outside = [
    ...(await withoutCloudFirewall(cluster.region, () => observe(cluster, ports))),
    ...(await observe(cluster, ports)),
  ];
  return [
    ...inside.filter((seen) => !seen.result.open).map((seen) => `silent on ${seen.node.name}: ${seen.port.what}`),
    ...outside
      .filter((seen) => seen.result.open !== seen.port.open.includes(seen.family))
      .map((seen) => `${seen.node.name} ${seen.port.what} IPv${seen.family}: ${seen.result.detail}`),
  ];
}

/** Whether a node answers another machine of the private network on its private address, by port. */
async function askedByPeer(from: ClusterNode, to: ClusterNode): Promise<Record<number, boolean>> {
  const probes = [80, 8090].map((number) => ({
    id: String(number),
    network: "tcp4",
    address: to.privateIp,
    port: number,
    kind: "answer",
    timeoutMs: 5000,
    attempts: 3,
  }));
  const results = parseResults(await life.cluster.ssh(from, `${responderProgram} probe`, JSON.stringify(probes)));
  return Object.fromEntries(results.map((result) => [Number(result.id), result.open]));
}

/** A node's live rules for the port or the load balancer, without what Docker has for a port that is published. */
async function rulesFor(node: ClusterNode): Promise<string[]> {
  const saved = await life.ssh(node, "iptables-save; ip6tables-save");
  const own = saved.split("\n").filter((line) => line.startsWith("-A HC-"));
  return own.filter((line) => line.includes(address) || / 8090 /.test(line));
}

const balancersSchema = z.object({
  load_balancers: z.array(
    z.object({
      private_net: z.array(z.object({ ip: z.string() })),
      targets: z.array(
        z.object({
          targets: z.array(
            z.object({
              server: z.object({ id: z.number() }),
              health_status: z.array(z.object({ listen_port: z.number(), status: z.string() })),
            }),
          ),
        }),
      ),
    }),
  ),
});
const balancers = async () => balancersSchema.parse(await api(life.region, "GET", "/load_balancers")).load_balancers;

/** What the health checks found, by the node's name in the program. */
async function health(): Promise<Record<string, string>> {
  const [balancer] = await balancers();
  const found = (balancer?.targets ?? []).flatMap(({ targets }) => targets);
  return Object.fromEntries(
    Object.entries(life.cluster.outputs.nodes).map(([name, { serverId }]) => {
      const target = found.find(({ server }) => String(server.id) === serverId);
      return [name, target?.health_status.map(({ status }) => status).join() ?? "no target"];
    }),
  );
}
const allHealthy = { m1: "healthy", m2: "healthy", m3: "healthy", w1: "healthy" };
const isHealth = (wanted: object) => async () => {
  const found = await health();
  return Object.entries(wanted).every(([name, status]) => found[name] === status);
};

/** How many of ten questions to the load balancer's public address are answered. */
async function answered(family: "4" | "6"): Promise<number> {
  const { loadBalancerIpv4, loadBalancerIpv6 } = z
    .looseObject({ loadBalancerIpv4: z.string(), loadBalancerIpv6: z.string() })
    .parse(life.cluster.outputs);
  const results = await probeFromOutside(
    life.region,
    Array.from({ length: 10 }, (_, index) => ({
      id: String(index),
      network: `tcp${family}` as const,
      address: family === "4" ? loadBalancerIpv4 : loadBalancerIpv6,
      port: 8081,
      kind: "answer" as const,
      // A node that is busy is dialled for five seconds, and that a few times.
      timeoutMs: 30_000,
      attempts: 1,
    })),
  );
  return results.filter((result) => result.open).length;
}

describe("a load balancer", () => {
  it("is a change of policy in place for nodes that run, which the preview says", async () => {
    expect(await problems()).toEqual([]);
    for (const node of life.cluster.nodes) expect(await rulesFor(node), node.name).toEqual([]);
    await life.stack.setConfig("args", JSON.stringify({ policy, loadBalancer, timeouts }));
    const preview = await life.stack.previewDiff();
    expect(preview.sshSessions).toEqual([]);
    expect(preview.text).not.toMatch(/to (replace|delete)/);
    expect(preview.text).toMatch(/\+ *"?tcp\/8090"? *: "from 10\.0\.0\.254\/32"/);
    // Private traffic does not pass the cloud firewall, which knows nothing of it.
    expect(preview.text).not.toMatch(/port *: "8090"/);
    const run = await life.become(life.wish, { policy, loadBalancer, timeouts });
    expect(run.text).not.toMatch(/replaced/);
    const sessions = sessionsByNode(life, run);
    expect(Object.keys(sessions).sort()).toEqual(["life-m1", "life-m2", "life-m3", "life-w1"]);
    for (const [node, count] of Object.entries(sessions)) expect(count, node).toBeLessThanOrEqual(2);
    await expectWhole(life, swarmId);
    expect((await balancers()).map((one) => one.private_net)).toEqual([[{ ip: address }]]);
  });

  it("serves through its public addresses once its checks found the nodes", async () => {
    await eventually("healthy targets", 300, isHealth(allHealthy));
    expect(await answered("4")).toBe(10);
    expect(await answered("6")).toBe(10);
  });

  it("is let in alone: neither the outside nor another machine of the private network reaches its port", async () => {
    expect(await problems()).toEqual([]);
    const [one, other] = [life.node("w1"), life.node("m2")];
    // The open port shows that the way from machine to machine is there.
    expect(await askedByPeer(one, other)).toEqual({ 80: true, 8090: false });
    expect(await askedByPeer(other, one)).toEqual({ 80: true, 8090: false });
    for (const node of life.cluster.nodes) {
      const rules = await rulesFor(node);
      expect(rules.length, node.name).toBeGreaterThan(0);
      for (const line of rules) expect(line, node.name).toMatch(/ -s 10\.0\.0\.254\/32 .*--ctorigdstport 8090 /);
    }
  });

  it("leaves out a node that does not serve, until it does again", async () => {
    const worker = life.node("w1").name;
    await life.ssh(life.manager, `docker node update --availability drain ${worker}`);
    await eventually("w1 left out", 300, isHealth({ ...allHealthy, w1: "unhealthy" }));
    expect(await answered("4")).toBe(10);
    await life.ssh(life.manager, `docker node update --availability active ${worker}`);
    await eventually("w1 back", 600, isHealth(allHealthy));
  });

  it("costs nothing while nothing changes", async () => {
    const run = await life.become(life.wish);
    expect(run.sshSessions).toEqual([]);
    expect(run.text).not.toMatch(/ (created|updated|deleted|replaced) /);
  });

  it("closes its port behind it when it is taken away", async () => {
    const run = await life.become(life.wish, { policy, timeouts });
    for (const [node, count] of Object.entries(sessionsByNode(life, run))) expect(count, node).toBeLessThanOrEqual(2);
    expect(await balancers()).toEqual([]);
    for (const node of life.cluster.nodes) expect(await rulesFor(node), node.name).toEqual([]);
    expect(await problems()).toEqual([]);
    await expectWhole(life, swarmId);
  });
});
