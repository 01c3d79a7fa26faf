import { describe, expect, it } from "vitest";
import { reportOf } from "./preview.js";
import { renderMarkdown } from "./render/markdown.js";
import {
  clusterSteps,
  diagnostic,
  type FakeStep,
  stepEvent,
  stream,
  summary,
  text,
  UNKNOWN_ID,
} from "./testing/events.js";
import { fired } from "./testing/gates.js";

const SERVER = "hcloud:index/server:Server";
const FIREWALL = "hcloud:index/firewall:Firewall";
const nodes = { "manager-1": "manager", "manager-2": "manager", "manager-3": "manager", "worker-1": "worker" } as const;
const usual = { "ssh tcp/22": "from 192.0.2.0/24", "tcp/80": "from anywhere" };

async function of(steps: FakeStep[], more: unknown[] = []) {
  return (await reportOf(stream([...steps.map((step) => stepEvent(step)), ...more, ...summary()]))).report;
}
const server = (
  op: string,
  old: object | undefined,
  next: object | undefined,
  more: Partial<FakeStep> = {},
): FakeStep => ({
  op,
  type: SERVER,
  name: "web",
  ...(old ? { old: { id: "7", inputs: { serverType: "cx23", ...old } } } : {}),
  ...(next ? { new: { id: old ? "7" : "", inputs: { serverType: "cx23", ...next } } } : {}),
  ...more,
});
const firewall = (op: string, old: object[] | undefined, next: object[] | undefined): FakeStep => ({
  op,
  type: FIREWALL,
  name: "fw",
  ...(old ? { old: { id: "5", inputs: { rules: old } } } : {}),
  ...(next ? { new: { id: old ? "5" : "", inputs: { rules: next } } } : {}),
});
const rule = (port: string, ...sourceIps: string[]) => ({ direction: "in", protocol: "tcp", port, sourceIps });
const rows = (report: Awaited<ReturnType<typeof of>>) =>
  report.exposure.changes.map(
    (it) =>
      `${it.kind} ${it.protocol}/${it.port} ${it.families.join("+")} ${it.before} -> ${it.after} on ${it.nodes.join()}`,
  );

describe("exposure", () => {
  it("shows one opened port of a policy and leaves the rest unchanged", async () => {
    const report = await of(
      clusterSteps("update", { before: usual, after: { ...usual, "tcp/8443": "from anywhere" } }, nodes),
    );
    expect(rows(report)).toEqual([
      "opens tcp/8443 IPv4+IPv6 closed -> anywhere on prod-manager-1,prod-manager-2,prod-manager-3,prod-worker-1",
    ]);
    expect(report.exposure.unchanged.map((it) => it.port).sort()).toEqual(["22", "80"]);
    expect(fired(report)).toEqual(["world-open"]);
  });
  it("tells narrower from wider, and SSH to the world from other ports", async () => {
    const narrowed = await of(
      clusterSteps("update", { before: usual, after: { ...usual, "tcp/80": "from 198.51.100.0/24" } }, nodes),
    );
    expect(rows(narrowed).map((it) => it.split(" ")[0])).toEqual(["narrows", "closes"]);
    expect(fired(narrowed)).toEqual([]);
    const wide = await of(
      clusterSteps("update", { before: usual, after: { ...usual, "ssh tcp/22": "from anywhere" } }, nodes),
    );
    expect(fired(wide)).toEqual(["ssh-world"]);
  });
  it("sees the world cut into two halves", async () => {
    const after = { ...usual, "tcp/9000": "from 0.0.0.0/1, 128.0.0.0/1" };
    expect(fired(await of(clusterSteps("update", { before: usual, after }, nodes)))).toEqual(["world-open"]);
  });
  it("limits an opening to its node and pool", async () => {
    const after = {
      ...usual,
      "tcp/9000 on node manager-1": "from 10.0.0.0/8",
      "udp/53 on pool worker": "from 10.0.0.0/8",
    };
    const report = await of(clusterSteps("update", { before: usual, after }, nodes));
    expect(rows(report)).toEqual([
      "opens tcp/9000 IPv4 closed -> 10.0.0.0/8 on prod-manager-1",
      "opens udp/53 IPv4 closed -> 10.0.0.0/8 on prod-worker-1",
    ]);
  });
  it("reads plain firewalls, and a server without one as open altogether", async () => {
    const both = [
      firewall("update", [rule("443", "0.0.0.0/0")], [rule("443", "0.0.0.0/0"), rule("2377", "203.0.113.9")]),
    ];
    const report = await of([...both, server("same", { firewallIds: [5] }, { firewallIds: [5] })]);
    expect(rows(report)).toEqual(["opens tcp/2377 IPv4 closed -> 203.0.113.9/32 on web"]);
    expect(fired(report)).toEqual(["docker-ports"]);
    const bare = await of([server("create", undefined, {})]);
    expect(rows(bare)).toEqual(["opens any/all IPv4+IPv6 closed -> anywhere on web"]);
    const closed = await of([
      firewall("create", undefined, [rule("443", "::/0", "0.0.0.0/0")]),
      server("update", { firewallIds: [] }, { firewallIds: [UNKNOWN_ID] }),
    ]);
    expect(rows(closed)).toContain("closes any/all IPv4+IPv6 anywhere -> closed on web");
    expect(closed.exposure.unchanged.map((it) => it.port)).toEqual(["443"]);
  });
  it("says that a firewall of elsewhere is not known", async () => {
    const report = await of([server("create", undefined, { firewallIds: [99] })]);
    expect(report.exposure.doubts).toEqual([
      { doubt: "a firewall that is not in this input is attached", nodes: ["web"], changed: true },
    ]);
    expect(fired(report)).toEqual(["unknown-exposure"]);
  });
});

describe("danger", () => {
  it.each([
    ["serverType", {}, { serverType: "cx33" }, "reboot"],
    ["publicNets", {}, { publicNets: [{ ipv4Enabled: false }] }, "reboot"],
    ["leaving a placement group", { placementGroupId: 3 }, {}, "reboot"],
    ["protection", { deleteProtection: true }, { deleteProtection: false }, "lost-protection"],
  ])("finds what hides in an update: %s", async (_name, old, next, kind) => {
    const ids = { firewallIds: [99] };
    const report = await of([server("update", { ...old, ...ids }, { ...next, ...ids })]);
    expect(report.danger.map((it) => it.kind)).toEqual([kind]);
    expect((await of([server("update", { labels: {}, ...ids }, { labels: { a: "b" }, ...ids })])).danger).toEqual([]);
  });
  it("names what forces a replacement", async () => {
    const steps = ["create-replacement", "replace", "delete-replaced"].map((op) =>
      server(op, {}, {}, { keys: ["image"] }),
    );
    const report = await of(steps);
    expect(report.danger[0]?.what).toContain("because of image");
    expect(report.counts).toMatchObject({ replace: 1, create: 0, delete: 0 });
    expect(fired(report)).toContain("replace-server");
  });
  it("counts managers that stop at once, and fault tolerance that goes", async () => {
    const stop = (names: string[]) => (name: string) =>
      names.includes(name) ? { op: "replace", keys: ["image"] } : {};
    const policy = { before: usual, after: usual };
    expect(fired(await of(clusterSteps("update", policy, nodes, stop(["manager-1"]))))).not.toContain("quorum");
    expect(fired(await of(clusterSteps("update", policy, nodes, stop(["manager-1", "manager-2"]))))).toContain(
      "quorum",
    );
    const steps = clusterSteps("update", policy, nodes);
    const [component] = steps;
    if (component?.new?.inputs)
      component.new.inputs.nodes = { "manager-1": { role: "manager" }, "manager-2": { role: "manager" } };
    expect(fired(await of(steps))).toContain("quorum");
  });
});

describe("input", () => {
  it("reads the same from plain preview --json", async () => {
    const urn = "urn:pulumi:dev::shop::hcloud:index/server:Server::web";
    const state = (serverType: string) => ({
      urn,
      type: SERVER,
      id: "7",
      custom: true,
      inputs: { serverType },
      outputs: {},
    });
    const digest = {
      steps: [{ op: "update", urn, oldState: state("cx23"), newState: state("cx33"), detailedDiff: null }],
      changeSummary: { update: 1 },
    };
    for (const form of [JSON.stringify(digest), JSON.stringify(digest, null, 4)]) {
      const { report } = await reportOf(text(`some chatter\n${form}\n`));
      expect(report.status).toBe("changes");
      expect(report.danger.map((it) => it.kind)).toEqual(["reboot"]);
      expect(report.policy.known).toBe(false);
    }
    const cut = JSON.stringify(digest, null, 4).replace(/"changeSummary"[\s\S]*/, "");
    const { report } = await reportOf(text(cut));
    expect(report.status).toBe("incomplete");
    expect(report.danger).toHaveLength(1);
  });
  it("survives unknown events, and says that a cut log is cut", async () => {
    const events = [
      { sequence: 1, timestamp: 1, holographicEvent: { a: 1 } },
      stepEvent(server("delete", {}, undefined)),
    ];
    expect((await of([], events)).status).toBe("changes");
    const lines = events.map((event) => JSON.stringify(event)).join("\n");
    for (const form of [lines, `${lines}\n{"sequence":3,"resourcePre`]) {
      const { report, status } = await reportOf(text(form));
      expect(status.complete).toBe(false);
      expect(report.problems[0]).toMatch(/cut off/);
      expect(report.danger.map((it) => it.kind)).toEqual(["delete-server"]);
    }
    for (const none of ["", "hello\nworld\n", "{}", "[1]"])
      expect((await reportOf(text(none))).status.complete).toBe(false);
  });
  it("does not depend on where chunks end", async () => {
    const events = [stepEvent(server("create", undefined, { name: "ünï😀" })), ...summary()];
    const whole = await reportOf(stream(events));
    expect(await reportOf(stream(events, 3))).toEqual(whole);
  });
  it("tells a failed preview", async () => {
    const report = await of([], [diagnostic("<{%fg 1%}>error: no such image<{%reset%}>\n"), diagnostic("  at line 2")]);
    expect(report.status).toBe("failed");
    expect(report.errors).toEqual([{ resource: "", message: "error: no such image\n  at line 2" }]);
    expect(renderMarkdown(report)).toContain("The preview failed");
  });
});

it("fits a hundred nodes into a comment in under a second of work, and cuts the rest", async () => {
  const names = Object.fromEntries(
    [...Array(100)].map((_, index) => [`n${index * 2}`, index < 7 ? "manager" : "worker"] as const),
  );
  const after = { ...usual, "tcp/8443": "from anywhere" };
  const events = clusterSteps("update", { before: usual, after }, names, () => ({
    op: "replace",
    keys: ["image"],
  })).map((step) => stepEvent(step));
  // Of the processor, so that a busy machine does not fail it.
  const started = process.cpuUsage();
  const { report } = await reportOf(stream([...events, ...summary()]));
  const markdown = renderMarkdown(report);
  const { user, system } = process.cpuUsage(started);
  expect((user + system) / 1e6).toBeLessThan(1);
  expect(markdown.length).toBeLessThan(60_000);
  const small = renderMarkdown(report, { maxChars: 8000 });
  expect(small.length).toBeLessThanOrEqual(8000);
  for (const part of ["Dangerous changes", "Server replaced", "prod-n198", "8443", "Cut to fit"])
    expect(small).toContain(part);
});
