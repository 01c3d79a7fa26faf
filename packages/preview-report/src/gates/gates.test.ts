import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundle } from "../../testing/bundle.mjs";
import { reportOf } from "../preview.js";
import { clusterSteps, diagnostic, type FakeStep, stepEvent, stream, summary, urnOf } from "../testing/events.js";
import { EXIT, EXIT_MEANINGS, evaluateGates, GATES, type GateName } from "./gates.js";
import { parseWaivers, WaiverFileError } from "./waivers.js";

const names = GATES.map(([name]) => name);
const SERVER = "hcloud:index/server:Server";
const CLUSTER = "hcloud-swarm:index:SwarmCluster";
const managers = { "manager-1": "manager", "manager-2": "manager", "manager-3": "manager" } as const;
const office = "from 192.0.2.0/24";

const steps = (...list: FakeStep[]) => list.map((step) => stepEvent(step));
const server = (op: string, before: object, after?: object, more: Partial<FakeStep> = {}) =>
  steps({
    op,
    type: SERVER,
    name: "web",
    old: { id: "7", inputs: { firewallIds: [99], ...before } },
    ...(after ? { new: { id: "7", inputs: { firewallIds: [99], ...after } } } : {}),
    ...more,
  });
const policy = (before: Record<string, string>, after: Record<string, string>) =>
  steps(...clusterSteps("update", { before, after }, managers));
const replacing = (...stopped: string[]) =>
  steps(
    ...clusterSteps("update", { after: { "tcp/80": office } }, managers, (name) =>
      stopped.includes(name) ? { op: "replace", keys: ["image"] } : {},
    ),
  );
const volume = (op: string) =>
  steps({
    op,
    type: "hcloud:index/volume:Volume",
    name: "data",
    old: { id: "3", inputs: { size: 10 } },
    ...(op === "delete" ? {} : { new: { id: "3", inputs: { size: 20 } } }),
  });
const violation = (level: string) => [
  {
    sequence: 1,
    timestamp: 1,
    policyEvent: {
      resourceUrn: urnOf(SERVER, "web"),
      message: "no",
      policyName: "world-open-ssh",
      policyPackName: "hcloud-swarm",
      policyPackVersion: "1",
      enforcementLevel: level,
    },
  },
];
const trusted = (before: object, after: object) =>
  steps({ op: "update", type: CLUSTER, name: "prod", old: { inputs: before }, new: { inputs: after } });

/** For each gate: a change that fires it, a near one that does not, and a resource that it is about. */
const cases: Record<GateName, { fires: unknown[]; passes: unknown[]; subject: string }> = {
  "delete-server": { fires: server("delete", {}), passes: volume("delete"), subject: "web" },
  "replace-server": {
    fires: server("replace", { image: "a" }, { image: "b" }, { keys: ["image"] }),
    passes: server("update", { labels: {} }, { labels: { a: "b" } }),
    subject: "web",
  },
  "ssh-world": {
    fires: policy({ "ssh tcp/22": office }, { "ssh tcp/22": "from anywhere" }),
    passes: policy({ "ssh tcp/22": "from anywhere" }, { "ssh tcp/22": "from anywhere", "tcp/80": office }),
    subject: "prod-manager-2",
  },
  "world-open": {
    fires: policy({}, { "tcp/80": "from anywhere" }),
    passes: policy({ "ssh tcp/22": office }, { "ssh tcp/22": "from anywhere", "tcp/80": office }),
    subject: "prod-manager-1",
  },
  "docker-ports": {
    fires: policy({}, { "tcp/2375": office }),
    passes: policy({}, { "tcp/2374": office, "tcp/2378": office }),
    subject: "prod-manager-3",
  },
  "unknown-exposure": {
    fires: server("update", { firewallIds: [1] }, { firewallIds: [2] }),
    passes: server("update", { labels: {} }, { labels: { a: "b" } }),
    subject: "web",
  },
  quorum: {
    fires: replacing("manager-1", "manager-2"),
    passes: replacing("manager-1"),
    subject: "prod",
  },
  reboot: {
    fires: server("update", { serverType: "cx23" }, { serverType: "cx33" }),
    passes: server("update", { name: "a" }, { name: "b" }),
    subject: "web",
  },
  "data-loss": { fires: volume("delete"), passes: volume("update"), subject: "data" },
  "lost-protection": {
    fires: server("update", { deleteProtection: true }, { deleteProtection: false }),
    passes: server("update", { deleteProtection: false }, { deleteProtection: true }),
    subject: "web",
  },
  trust: {
    fires: trusted({ docker: { version: "26" } }, { docker: { version: "27" } }),
    passes: trusted({ docker: { version: "26" } }, { docker: { version: "26" }, labels: { a: "b" } }),
    subject: "prod",
  },
  policy: { fires: violation("mandatory"), passes: violation("advisory"), subject: "web" },
};

const report = async (events: readonly unknown[]) => (await reportOf(stream([...events, ...summary()]))).report;
const yaml = (entry: Record<string, string>) => `waivers:\n  - ${JSON.stringify(entry)}\n`;
const waiver = (gate: string, resource: string, expires = "2030-06-30") =>
  yaml({ gate, resource, reason: "it is meant", expires });

it("has a case for each gate, and a code of its own for each", () => {
  expect(Object.keys(cases).sort()).toEqual([...names].sort());
  const codes = [...EXIT_MEANINGS.map(([code]) => code), ...GATES.map(([, code]) => code)];
  expect(new Set(codes).size).toBe(codes.length);
  expect(EXIT_MEANINGS.map(([code]) => code)).toEqual(Object.values(EXIT).sort());
});

describe.each(names)("gate %s", (gate) => {
  const { fires, passes, subject } = cases[gate];
  it("fires for what it is about and for nothing near it", async () => {
    const [fired] = evaluateGates(await report(fires), [gate], [], "2030-01-01").results;
    expect(fired?.open.map((it) => it.subject)).toContain(subject);
    expect(evaluateGates(await report(passes), [gate], [], "2030-01-01")).toMatchObject({ exitCode: 0 });
    expect(evaluateGates(await report(fires), [], [], "2030-01-01").exitCode).toBe(0);
  });
  it("is waived through the day on which the waiver expires", async () => {
    const change = await report(fires);
    const code = GATES.find(([name]) => name === gate)?.[1];
    const until = (today: string, text = waiver(gate, "*")) =>
      evaluateGates(change, [gate], parseWaivers(text, names), today);
    expect(until("2030-06-29").exitCode).toBe(0);
    expect(until("2030-06-30")).toMatchObject({ exitCode: 0, rejected: [] });
    expect(until("2030-06-30").results[0]?.waived[0]).toMatchObject({ reason: "it is meant", expires: "2030-06-30" });
    expect(until("2030-07-01")).toMatchObject({ exitCode: code, rejected: [{ why: "it expired on 2030-06-30" }] });
    expect(until("2030-06-30", waiver(gate, `${subject}-not`)).exitCode).toBe(code);
    const other = names.find((name) => name !== gate) ?? "";
    expect(until("2030-06-30", waiver(other, "*")).exitCode).toBe(code);
  });
});

it("takes the first gate's code of several, and lets a waiver for one leave the others", async () => {
  const both = await report([...cases["delete-server"].fires, ...cases["data-loss"].fires]);
  const outcome = (text: string) => evaluateGates(both, names, parseWaivers(text, names), "2030-01-01").exitCode;
  expect(outcome("waivers: []")).toBe(10);
  expect(outcome(waiver("delete-server", "w*b"))).toBe(18);
  expect(
    outcome(
      `${waiver("delete-server", "web")}  - ${JSON.stringify({ gate: "data-loss", resource: "data", reason: "r", expires: "2030-01-01" })}`,
    ),
  ).toBe(0);
});

it.each([
  ["no YAML", "waivers: [", /no YAML \(line 1\)/],
  ["a key twice", "waivers: []\nwaivers: []\n", /no YAML \(line 2\)/],
  ["another document", "- a\n", /wrong at its top/],
  ["an unknown field", yaml({ gate: "policy", reason: "r", expires: "2030-01-01", until: "x" }), /waivers\.0.*until/],
  ["an unknown gate", waiver("world-opened", "*"), /waivers\.0\.gate: one of delete-server, /],
  ["no gate", yaml({ reason: "r", expires: "2030-01-01" }), /waivers\.0\.gate/],
  ["a list as reason", "waivers:\n  - {gate: policy, reason: [r], expires: 2030-01-01}\n", /waivers\.0\.reason/],
  [
    "two for the same",
    `${waiver("policy", "web")}  - {gate: policy, resource: web, reason: r, expires: 2031-01-01}\n`,
    /waivers\.1\.gate: waivers\.0 is for the same/,
  ],
  [
    "two for all",
    "waivers:\n  - {gate: policy}\n  - {gate: policy, resource: '*'}\n",
    /for the same gate and resource/,
  ],
  ["an alias", "waivers:\n  - &a {gate: policy}\n  - *a\n", /no YAML/],
])("refuses a waivers file with %s", (_name, text, message) => {
  expect(() => parseWaivers(text, names)).toThrow(WaiverFileError);
  expect(() => parseWaivers(text, names)).toThrow(message);
});

it("reads an empty file, dates without quotes, and one gate for several resources", () => {
  expect(parseWaivers("", names)).toEqual([]);
  const text =
    "waivers:\n  - {gate: policy, resource: a, reason: r, expires: 2030-01-01}\n  - {gate: policy, resource: b, reason: r, expires: 2030-01-01}\n";
  expect(parseWaivers(text, names).map((it) => it.expires)).toEqual(["2030-01-01", "2030-01-01"]);
});

/** As CI runs it: the one file of the action, made from these sources, as a process. */
describe("command line", () => {
  let directory: string;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "preview-gates-"));
    writeFileSync(join(directory, "cli.mjs"), await bundle());
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const log = (events: readonly unknown[]) =>
    file("events.json", [...events, ...summary()].map((event) => `${JSON.stringify(event)}\n`).join(""));
  async function run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const child = spawn(process.execPath, [join(directory, "cli.mjs"), ...args], {
      env: { PATH: process.env.PATH ?? "" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (data) => (stdout += data));
    child.stderr.on("data", (data) => (stderr += data));
    const code = await new Promise<number | null>((done) => child.on("close", done));
    return { code, stdout, stderr };
  }

  it.each(GATES.map(([name, code]) => [name, code] as const))(
    "ends with the code of %s: %i",
    async (gate, code) => {
      const events = log(cases[gate].fires);
      const stopped = await run(events, "--fail-on", gate);
      expect(stopped.code).toBe(code);
      expect(stopped.stderr).toContain(`${gate} stops this change (exit code ${code}): `);
      const waivers = file("waivers.yaml", waiver(gate, "*"));
      const waived = await run(events, "--fail-on", gate, "--waivers", waivers, "--today", "2030-06-30");
      expect(waived.code).toBe(0);
      expect(waived.stderr).toContain(`${gate} is waived until 2030-06-30: it is meant`);
    },
    60_000,
  );

  it("judges a waiver by today in UTC unless told", async () => {
    const events = log(cases.reboot.fires);
    // The clock may pass midnight in between: a day's leave on both sides.
    const day = (offset: number) => new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);
    const until = (expires: string) => file("waivers.yaml", waiver("reboot", "*", expires));
    expect((await run(events, "--fail-on", "reboot", "--waivers", until(day(1)))).code).toBe(0);
    expect((await run(events, "--fail-on", "reboot", "--waivers", until(day(-2)))).code).toBe(17);
  }, 60_000);

  it.each([
    [
      "an unknown gate",
      ["--fail-on", "replace-server,nothing"],
      EXIT.usage,
      /no gate "nothing"\. Gates: delete-server/,
    ],
    ["a date that is none", ["--today", "2030-02-30"], EXIT.usage, /YYYY-MM-DD/],
    ["a flag that is none", ["--no-such"], EXIT.usage, /unknown option/],
    [
      "a waivers file that is not there",
      ["--waivers", "/nonexistent/waivers.yaml"],
      EXIT.usage,
      /cannot read .*ENOENT/,
    ],
  ])("refuses %s", async (_name, args, code, message) => {
    const { code: ended, stdout, stderr } = await run(log(cases.reboot.passes), ...args);
    expect(ended).toBe(code);
    expect(stderr).toMatch(message);
    expect(stdout).toBe("");
  });

  it.each([
    ["no YAML", "waivers: {", /the waivers file is no YAML/],
    ["an unknown gate", waiver("nothing", "*"), /waivers\.0\.gate: one of/],
    ["no reason", yaml({ gate: "reboot", expires: "2030-06-30" }), /does not count: it has no reason/],
    ["no date", yaml({ gate: "reboot", reason: "r" }), /does not count: it has no date/],
    ["a date that is none", waiver("reboot", "*", "2030-02-30"), /does not count: `expires` is no date/],
  ])("has a code for waivers with %s, where no gate fires", async (_name, text, message) => {
    const args = ["--waivers", file("waivers.yaml", text), "--today", "2030-01-01", "--fail-on", "reboot"];
    const { code, stderr } = await run(log(cases.reboot.passes), ...args);
    expect(code).toBe(EXIT.waivers);
    expect(stderr).toMatch(message);
    if (message.source.startsWith("does not")) expect((await run(log(cases.reboot.fires), ...args)).code).toBe(17);
  });

  it("has codes for cut input and for a failed preview", async () => {
    const cut = file("cut.json", `${JSON.stringify(cases.reboot.passes[0])}\n`);
    expect((await run(cut, "--fail-on", "all")).code).toBe(EXIT.incomplete);
    expect((await run(log([diagnostic("no such image")]), "--fail-on", "all")).code).toBe(EXIT.failed);
    expect((await run("/nonexistent/events.json")).code).toBe(EXIT.usage);
  });

  it("documents its exit codes in --help", async () => {
    const { code, stdout } = await run("--help");
    expect(code).toBe(0);
    for (const [exit, meaning] of EXIT_MEANINGS) expect(stdout).toContain(`\n  ${exit}   ${meaning}\n`);
    for (const [gate, exit, meaning] of GATES) expect(stdout).toContain(`\n  ${exit}  ${gate}: ${meaning}\n`);
  });
});
