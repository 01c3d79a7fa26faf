import { describe, expect, it } from "vitest";
import { reportOf } from "../preview.js";
import { clusterSteps, type FakeStep, stepEvent, stream, summary } from "../testing/events.js";

const NETWORK = "hcloud:index/loadBalancerNetwork:LoadBalancerNetwork";
const SERVICE = "hcloud:index/loadBalancerService:LoadBalancerService";
const made = (type: string, name: string, inputs: Record<string, unknown>): FakeStep => ({
  op: "create",
  type,
  name,
  new: { inputs },
});

async function exposure(steps: FakeStep[]): Promise<string[]> {
  const { report } = await reportOf(stream([...steps.map((it) => stepEvent(it)), ...summary()]));
  return report.exposure.changes.map((it) => `${it.kind} ${it.nodes.join()} ${it.protocol}/${it.port} ${it.after}`);
}

describe("a load balancer in front of a cluster", () => {
  const before = { "ssh tcp/22": "from 198.51.100.0/24" };
  const after = { ...before, "tcp/8080": "from 10.0.0.254/32, 192.0.2.7/32" };
  const cluster = clusterSteps("update", { before, after }, { "manager-1": "manager" });

  it("is named where the nodes let it in, and is itself open to the world", async () => {
    const steps = [
      ...cluster,
      made(NETWORK, "prod-load-balancer-network", { ip: "10.0.0.254" }),
      made(SERVICE, "prod-load-balancer-service-80", { listenPort: 80, protocol: "tcp", destinationPort: 8080 }),
    ];
    expect(await exposure(steps)).toEqual([
      "opens load balancer prod-load-balancer-service-80 tcp/80 anywhere",
      "opens prod-manager-1 tcp/8080 10.0.0.254/32 (the load balancer), 192.0.2.7/32",
    ]);
  });

  it("is not made up where no load balancer has that address", async () => {
    const steps = [...cluster, made(NETWORK, "prod-load-balancer-network", { ip: "10.0.0.253" })];
    expect(await exposure(steps)).toEqual(["opens prod-manager-1 tcp/8080 10.0.0.254/32, 192.0.2.7/32"]);
  });

  it("is still named when it goes", async () => {
    const gone: FakeStep = {
      op: "delete",
      type: NETWORK,
      name: "lb",
      old: { inputs: { ip: "10.0.0.254" }, id: "1-2" },
    };
    const closing = clusterSteps("update", { before: after, after: before }, { "manager-1": "manager" });
    const { report } = await reportOf(stream([...[...closing, gone].map((it) => stepEvent(it)), ...summary()]));
    expect(report.exposure.changes.map((it) => [it.kind, it.before, it.after])).toEqual([
      ["closes", "10.0.0.254/32 (the load balancer), 192.0.2.7/32", "closed"],
    ]);
  });
});
