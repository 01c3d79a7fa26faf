import { describe, expect, test } from "vitest";
import { reportOf } from "../preview.js";
import { stepEvent, stream, summary } from "../testing/events.js";
import { listeningRules } from "./listening.js";

const policy = {
  "ssh tcp/22": "from anywhere",
  "tcp/80": "from anywhere",
  "tcp/443": "from anywhere",
  "icmp echo": "from anywhere",
};
const nodes = {
  "manager-1": { pool: "manager", role: "manager", adopted: true },
  "worker-1": { pool: "worker", role: "worker", serverType: "cx23" },
};
const cluster = {
  type: "hcloud-swarm:index:SwarmCluster",
  name: "prod",
  op: "create",
  new: { inputs: { policy, nodes } },
};
const listens = listeningRules(`
tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:*
tcp LISTEN 0 128 [::]:22 [::]:*
tcp LISTEN 0 4096 *:80 *:*
tcp LISTEN 0 4096 0.0.0.0:5432 0.0.0.0:*
tcp LISTEN 0 4096 127.0.0.1:6379 0.0.0.0:*
`);

async function rows(step: object, listening = new Map<string, typeof listens>()) {
  const events = [stepEvent(step as Parameters<typeof stepEvent>[0]), ...summary()];
  const { exposure } = (await reportOf(stream(events), { listening })).report;
  return {
    changes: exposure.changes.map(
      ({ kind, protocol, port, nodes: on }) => `${kind} ${protocol}/${port} on ${[...on].sort().join()}`,
    ),
    doubts: exposure.doubts.map(({ doubt }) => doubt).join("\n"),
  };
}

describe("a host that is adopted", () => {
  test("closes what listens on it and the policy does not name", async () => {
    const { changes, doubts } = await rows(cluster, new Map([["prod-manager-1", listens]]));
    // Nobody listens on 443, and an unfiltered host lets it in all the same: nothing opens.
    expect(changes.filter((change) => change.endsWith("prod-manager-1"))).toEqual([
      "closes tcp/5432 on prod-manager-1",
    ]);
    expect(changes.join("\n")).not.toMatch(/6379|opens .*prod-manager-1/);
    // The other one is made: it had no ports.
    expect(changes).toContain("opens tcp/80 on prod-worker-1");
    expect(doubts).toBe("");
  });

  test("is not said to open anything where nobody tells what listens on it", async () => {
    const { changes, doubts } = await rows(cluster);
    expect(changes.join("\n")).not.toMatch(/opens .*prod-manager-1/);
    expect(doubts).toMatch(/--listening/);
  });

  test("opens again, to whatever listens on it, when the component goes", async () => {
    const gone = { ...cluster, op: "delete", old: cluster.new, new: undefined };
    const { changes } = await rows(gone, new Map([["prod-manager-1", listens]]));
    expect(changes).toContain("opens tcp/5432 on prod-manager-1");
  });

  test("is not a host that the preview does not know", async () => {
    const { doubts } = await rows(cluster, new Map([["prod-manager-2", listens]]));
    expect(doubts).toMatch(/--listening names a host that is not adopted here/);
  });
});
