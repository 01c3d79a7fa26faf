import { describe, expect, it } from "vitest";
import { evaluateGates, GATES } from "./gates/gates.js";
import { reportOf } from "./preview.js";
import { renderMarkdown } from "./render/markdown.js";
import { clusterSteps, diagnostic, type FakeStep, stepEvent, stream, summary, UNKNOWN_ID } from "./testing/events.js";

const SERVER = "hcloud:index/server:Server";
const HARDENING = "hcloud-swarm:index:HostHardening";
const ALL_GATES = GATES.map(([name]) => name);

async function of(events: unknown[]) {
  return (await reportOf(stream([...events, ...summary()]))).report;
}
const gatesOf = (report: Awaited<ReturnType<typeof of>>) => evaluateGates(report, ALL_GATES, [], "2030-01-01");
const fired = (report: Awaited<ReturnType<typeof of>>) =>
  gatesOf(report)
    .results.filter((it) => it.open.length > 0)
    .map((it) => it.gate);
const rows = (report: Awaited<ReturnType<typeof of>>) =>
  report.exposure.changes.map(
    (it) => `${it.kind} ${it.protocol}/${it.port} ${it.families.join("+")} ${it.before} -> ${it.after} on ${it.nodes}`,
  );

describe("adoption", () => {
  const policy = { "ssh tcp/22": "from 192.0.2.0/24", "tcp/443": "from anywhere" };
  const hardening = (op: string): FakeStep => ({
    op,
    type: HARDENING,
    name: "old",
    ...(op === "create" ? {} : { old: { inputs: { policy } } }),
    ...(op === "delete" ? {} : { new: { inputs: { policy } } }),
  });

  it("shows what a host lets in after, and that nothing is known of before", async () => {
    const report = await of([stepEvent(hardening("create"))]);
    expect(rows(report)).toEqual([
      "changes tcp/443 IPv4+IPv6 unknown -> anywhere on old",
      "closes any/all IPv4+IPv6 unknown -> closed on old",
      "changes tcp/22 IPv4 unknown -> 192.0.2.0/24 on old",
    ]);
    expect(fired(report)).toContain("world-open");
    expect(renderMarkdown(report)).toContain("open to the world");
  });

  it("takes what an imported server is from what the import read", async () => {
    const side = (serverType: string, deleteProtection: boolean) => ({
      id: "7",
      inputs: { serverType, deleteProtection },
    });
    const step: FakeStep = {
      op: "import",
      type: SERVER,
      name: "old",
      new: { id: "7", inputs: { serverType: "cx23" } },
    };
    const found = { ...step, old: side("cx23", true), new: side("cx23", true) };
    const report = await of([stepEvent(step), stepEvent(found, "resOutputsEvent"), stepEvent(hardening("create"))]);
    expect(report.counts).toMatchObject({ other: 1, replace: 0, update: 0 });
    expect(report.danger).toEqual([]);
    expect(fired(report)).not.toContain("trust");
    // Not "anywhere": its own filter and firewalls of elsewhere are not known. What will be is, so nothing is doubted.
    expect(new Set(report.exposure.changes.map((it) => it.before))).toEqual(new Set(["unknown"]));
    expect(fired(report)).toContain("world-open");
    expect(fired(report)).not.toContain("unknown-exposure");
  });

  it("calls the end of a host's hardening a lost protection", async () => {
    const report = await of([stepEvent(hardening("delete"))]);
    expect(report.danger.map((it) => it.kind)).toEqual(["lost-protection"]);
    // Never "closes": the host stays, and what it lets in is not known.
    expect(new Set(report.exposure.changes.map((it) => it.kind))).toEqual(new Set(["unknown"]));
    expect(fired(report)).toEqual(expect.arrayContaining(["lost-protection", "unknown-exposure"]));
    expect(fired(report)).not.toContain("docker-ports");
  });
});

describe("what is not known", () => {
  const nodes = { "manager-1": "manager", "worker-1": "worker" } as const;
  const before = { "tcp/443": "from anywhere" };

  it("is not taken for closed: a policy that comes after the update", async () => {
    const steps = clusterSteps("update", { before, after: before }, nodes);
    const [component] = steps;
    if (component?.new?.inputs) component.new.inputs.policy = UNKNOWN_ID;
    const report = await of(steps.map((step) => stepEvent(step)));
    expect(new Set(report.exposure.changes.map((it) => it.kind))).toEqual(new Set(["unknown"]));
    expect(fired(report)).toContain("unknown-exposure");
  });
});

describe("the rest", () => {
  const nodes = { "manager-1": "manager", "worker-1": "worker", "worker-2": "worker", "worker-10": "worker" } as const;
  const policy = { before: { "tcp/80": "from anywhere" }, after: { "tcp/81": "from anywhere" } };

  it("does not depend on the order in which the engine worked", async () => {
    const events = clusterSteps("update", policy, nodes).map((step) => stepEvent(step));
    expect(await of([...events].reverse())).toEqual(await of(events));
  });

  it("says what changes of a component, which the engine does not compare", async () => {
    const report = await of(clusterSteps("update", policy, nodes).map((step) => stepEvent(step)));
    expect(report.changes.find((it) => it.name === "prod")?.keys.sort()).toEqual(["policy.tcp/80", "policy.tcp/81"]);
  });

  it("leaves the stack's root and the providers out", async () => {
    const root: FakeStep = { op: "create", type: "pulumi:pulumi:Stack", name: "shop-dev", new: {} };
    const provider: FakeStep = { op: "create", type: "pulumi:providers:hcloud", name: "default", new: {} };
    const report = await of([root, provider].map((step) => stepEvent(step)));
    expect(report.changes).toEqual([]);
    expect(report.status).toBe("no-changes");
  });

  it("shows the image of a new server, which changes nothing that is trusted; of another it stops", async () => {
    const server = (op: string, old: string | undefined, image: string): FakeStep => ({
      op,
      type: SERVER,
      name: "web",
      ...(old ? { old: { id: "7", inputs: { image: old } } } : {}),
      new: { id: "7", inputs: { image } },
    });
    const created = await of([stepEvent(server("create", undefined, "debian-13"))]);
    expect(created.trust.map((it) => it.after)).toEqual(["debian-13"]);
    expect(fired(created)).not.toContain("trust");
    expect(fired(await of([stepEvent(server("replace", "debian-12", "debian-13"))]))).toContain("trust");
  });

  it("never calls half a preview checked", async () => {
    const failed = await of([diagnostic("error: no such image")]);
    expect(renderMarkdown(failed, { gates: gatesOf(failed) })).toMatch(/which is not the whole \(exit code 4\)/);
    const whole = await of([]);
    expect(renderMarkdown(whole, { gates: gatesOf(whole) })).toContain("none stops this change");
  });
});
