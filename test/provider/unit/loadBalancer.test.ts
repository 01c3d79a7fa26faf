/** A cluster's load balancer with the real engine and provider, against Hetzner Cloud's API without machines. */
import { expect, test } from "vitest";
import { fileDeployment, timeout } from "../parts";

const deployment = fileDeployment();

/** Two labelled servers and one that was there before, in front of which the component's own functions put a load balancer. */
const program = (balancer?: object) => `
const pulumi = require("@pulumi/pulumi");
const { loadBalancer } = part("cloud/loadBalancer");
const { planCluster } = part("plan/cluster");
const { numberOf } = part("cloud/infrastructure");
class Owner extends pulumi.ComponentResource {}
const component = new Owner("test:index:Owner", "prod");
const parent = { parent: component };
const network = numberOf(new hcloud.Network("network", { name: "prod", ipRange: "10.0.0.0/16" }, parent).id);
const range = { networkId: network, type: "cloud", networkZone: "eu-central", ipRange: "10.0.0.0/24" };
const subnet = new hcloud.NetworkSubnet("subnet", range, parent);
const server = (name, labels) =>
  new hcloud.Server(
    name,
    { name, labels, serverType: "cx23", image: "debian-13", location: "fsn1", networks: [{ networkId: network, aliasIps: [] }] },
    { ...parent, dependsOn: [subnet] },
  );
const labels = (pool) => ({ "hcloud-swarm-cluster": "prod", "hcloud-swarm-pool": pool });
server("a", labels("manager"));
server("b", labels("worker"));
const old = server("old", {});
const pools = {
  manager: { role: "manager", nodes: { a: {} } },
  worker: { role: "worker", nodes: { b: {}, old: { adopt: { id: "1", hostKey, address: "10.0.0.4" } } } },
};
const plan = planCluster("prod", { ssh, pools, network: { existing: { id: "1" }, subnetRange: range.ipRange }, ...${JSON.stringify({ loadBalancer: balancer })} });
if (plan.loadBalancer) {
  const owner = { component, name: "prod", prefix: "prod", labels: plan.labels, deleteProtection: false };
  const nodes = plan.nodes.map((node) => ({ ...node, server: node.adopt ? old : undefined }));
  module.exports = { ipv4: loadBalancer(owner, plan.loadBalancer, { network: { id: network, subnets: [subnet] }, nodes }).ipv4 };
}
`;

const first = { services: [{ listenPort: 80, publishedPort: 8080 }] };
const more = {
  ...first,
  algorithm: "least_connections",
  type: "lb21",
  services: [
    { ...first.services[0], proxyProtocol: true, healthCheck: { interval: 5, retries: 2 } },
    {
      listenPort: 81,
      protocol: "http",
      healthCheck: { path: "/up", domain: "a.test", statusCodes: ["200"], response: "ok" },
    },
    { listenPort: 82, protocol: "http", healthCheck: { protocol: "tcp", port: 83 } },
  ],
};

const up = async (balancer?: object): Promise<readonly string[]> =>
  (await deployment.apply(program(balancer))).filter((step) => /LoadBalancer/.test(step));

// biome-ignore lint/suspicious/noExplicitAny: answers are JSON that each test knows the shape of
async function balancers(): Promise<readonly any[]> {
  return (await deployment.cloud.call("GET", "/load_balancers")).load_balancers;
}

test("is made, and its targets are the cluster's servers on their private addresses", { timeout }, async () => {
  expect(await up(first)).toEqual([
    "create LoadBalancer prod-load-balancer",
    "create LoadBalancerNetwork prod-load-balancer-network",
    "create LoadBalancerService prod-load-balancer-service-80",
    "create LoadBalancerTarget prod-load-balancer-target-old",
    "create LoadBalancerTarget prod-load-balancer-targets",
  ]);
  const [balancer] = await balancers();
  expect(balancer).toMatchObject({
    name: "prod",
    load_balancer_type: { name: "lb11" },
    algorithm: { type: "round_robin" },
    labels: { "hcloud-swarm-cluster": "prod" },
    private_net: [{ ip: "10.0.0.254" }],
    services: [
      {
        protocol: "tcp",
        listen_port: 80,
        destination_port: 8080,
        proxyprotocol: false,
        health_check: { protocol: "tcp", port: 8080, interval: 15, timeout: 10, retries: 3 },
      },
    ],
    targets: [
      { label_selector: { selector: "hcloud-swarm-cluster=prod" }, use_private_ip: true, targets: [{}, {}] },
      { type: "server", use_private_ip: true },
    ],
  });
  expect(JSON.parse(await deployment.project.run(["stack", "output", "--json"]))).toEqual({
    ipv4: balancer.public_net.ipv4.ip,
  });
});

test("is changed in place, and gets more services", { timeout }, async () => {
  expect(await up(more)).toEqual([
    "create LoadBalancerService prod-load-balancer-service-81",
    "create LoadBalancerService prod-load-balancer-service-82",
    "update LoadBalancer prod-load-balancer",
    "update LoadBalancerService prod-load-balancer-service-80",
  ]);
  const [balancer] = await balancers();
  expect(balancer).toMatchObject({ load_balancer_type: { name: "lb21" }, algorithm: { type: "least_connections" } });
  expect(balancer.services).toMatchObject([
    { listen_port: 80, proxyprotocol: true, health_check: { interval: 5, timeout: 5, retries: 2 } },
    {
      listen_port: 81,
      health_check: { http: { path: "/up", domain: "a.test", status_codes: ["200"], response: "ok" } },
    },
    { listen_port: 82, protocol: "http", health_check: { protocol: "tcp", port: 83 } },
  ]);
});

test("gets another address, other pools and another protocol on the same port", { timeout }, async () => {
  const [before] = await balancers();
  const services = [{ ...first.services[0], protocol: "http" }];
  const steps = await up({ services, privateIp: "10.0.0.200", pools: ["worker"] });
  expect(steps.filter((step) => / (LoadBalancer|LoadBalancerTarget) /.test(step)).sort()).toEqual([
    "create LoadBalancerTarget prod-load-balancer-targets-worker",
    "delete LoadBalancerTarget prod-load-balancer-targets",
    "update LoadBalancer prod-load-balancer",
  ]);
  const [after] = await balancers();
  expect(after).toMatchObject({
    id: before.id,
    load_balancer_type: { name: "lb11" },
    private_net: [{ ip: "10.0.0.200" }],
    services: [
      { listen_port: 80, protocol: "http", health_check: { http: { path: "/", status_codes: ["2??", "3??"] } } },
    ],
  });
  expect(after.services).toHaveLength(1);
  expect(after.targets).toHaveLength(2);
  expect(after.targets).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ label_selector: { selector: "hcloud-swarm-cluster=prod,hcloud-swarm-pool=worker" } }),
      expect.objectContaining({ type: "server" }),
    ]),
  );
});

test("is replaced, with all that belongs to it, where its location changes", { timeout }, async () => {
  const [before] = await balancers();
  await up({ ...first, location: "nbg1" });
  const [after, ...others] = await balancers();
  expect(others).toEqual([]);
  expect(after.id).not.toBe(before.id);
  expect(after).toMatchObject({ name: "prod", location: { name: "nbg1" }, private_net: [{ ip: "10.0.0.254" }] });
  expect([after.services.length, after.targets.length]).toEqual([1, 2]);
});

test("goes, and the rest stays; all goes with the rest", { timeout }, async () => {
  expect(await up()).toEqual([
    "delete LoadBalancer prod-load-balancer",
    "delete LoadBalancerNetwork prod-load-balancer-network",
    "delete LoadBalancerService prod-load-balancer-service-80",
    "delete LoadBalancerTarget prod-load-balancer-target-old",
    "delete LoadBalancerTarget prod-load-balancer-targets",
  ]);
  expect(await balancers()).toEqual([]);
  expect((await deployment.cloud.call("GET", "/servers")).servers).toHaveLength(3);
  await up(more);
  await deployment.project.run(["destroy", "--yes", "--skip-preview", "--non-interactive"]);
  expect(await balancers()).toEqual([]);
  expect((await deployment.cloud.call("GET", "/networks")).networks).toEqual([]);
});
