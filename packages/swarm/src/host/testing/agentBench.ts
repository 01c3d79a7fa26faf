/** The host agent's shell on real iptables-nft and ipset, in a network namespace of its own: what its live tests share. */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import { compileRuleset, normalizePolicy, type PolicyInput, renderPayload } from "../../firewall";

/** What this machine lacks for it, and for a test that uses further tools. */
export const missingFor = (...tools: string[]) => [
  ...(process.getuid?.() === 0 ? [] : ["root"]),
  ...["ip", "iptables-nft", "ip6tables-nft", "ipset", "flock", ...tools].filter(
    (tool) => spawnSync("sh", ["-c", 'command -v "$1"', "sh", tool]).status !== 0,
  ),
];
export const missing = missingFor();
const name = `hcag-${process.pid}`;
const agentParts = join(__dirname, "..", "agent");

export const payloadOf = (ports: number[], protocol: "tcp" | "udp" = "tcp") =>
  payloadFor({ publishedPorts: ports.map((port) => ({ port, protocol })) });
export const payloadFor = (policy: PolicyInput) =>
  renderPayload(compileRuleset(normalizePolicy(policy), { name: "manager-1", pool: "manager", role: "manager" }));
export const digestOf = (payload: string) => createHash("sha256").update(payload).digest("hex");

/** To be called in a `describe`: each test has a host without rules. */
export function agentBench() {
  const home = mkdtempSync(join(tmpdir(), "agent-"));
  const script = join(home, "agent.sh");

  const inside = (command: string, args: readonly string[], input = "", environment: Record<string, string> = {}) =>
    spawnSync("ip", ["netns", "exec", name, command, ...args], {
      input,
      encoding: "utf8",
      env: { ...process.env, HC_ROOT: join(home, "root"), HC_PATH: join(home, "bin"), HC_PAUSE: "0.2", ...environment },
    });
  const agent = (args: readonly string[], input = "", environment: Record<string, string> = {}) =>
    inside("sh", [script, ...args], input, environment);
  const chain = (...args: string[]) => inside("iptables-nft", ["-S", ...args]).stdout;
  const rules = () => ["iptables-nft", "ip6tables-nft"].map((tool) => inside(tool, ["-S"]).stdout).join("");
  /** Every table and every set, without what differs from one look to the next. */
  const everything = () =>
    [
      ...["iptables-nft-save", "ip6tables-nft-save"].map((tool) => normalized(inside(tool, []).stdout)),
      // Where a hash begins is drawn anew with each set.
      inside("ipset", ["save"])
        .stdout.replaceAll(/ initval \S+/g, "")
        .split("\n")
        .sort()
        .join("\n"),
    ].join("\n");
  const checks = () => {
    const run = agent(["verify", "--json"]);
    const report = JSON.parse(run.stdout) as {
      passed: boolean;
      digest: string;
      checks: { name: string; passed: boolean }[];
    };
    expect(run.status).toBe(report.passed ? 0 : 1);
    return { ...report, failed: report.checks.filter((check) => !check.passed).map((check) => check.name) };
  };

  beforeAll(() => {
    const parts = readdirSync(agentParts).filter((part) => part.endsWith(".sh"));
    writeFileSync(
      script,
      parts
        .sort()
        .map((part) => readFileSync(join(agentParts, part), "utf8"))
        .join(""),
    );
  });
  beforeEach(() => {
    spawnSync("ip", ["netns", "del", name]);
    execFileSync("ip", ["netns", "add", name]);
    rmSync(join(home, "root"), { recursive: true, force: true });
    rmSync(join(home, "bin"), { recursive: true, force: true });
    mkdirSync(join(home, "root"));
    mkdirSync(join(home, "bin"));
  });
  /** A stand-in for a program; what it is called with is in the file of its name. */
  const standIn = (program: string, body: string) => {
    const log = `echo "$*" >>'${join(home, "bin", `${program}.log`)}'`;
    writeFileSync(join(home, "bin", program), `#!/bin/sh\n${log}\n${body}\n`, { mode: 0o755 });
  };
  const called = (program: string) => readFileSync(join(home, "bin", `${program}.log`), "utf8");
  afterAll(() => {
    spawnSync("ip", ["netns", "del", name]);
    rmSync(home, { recursive: true, force: true });
  });

  return { home, script, name, inside, agent, chain, rules, everything, checks, standIn, called };
}

/** What `iptables-save` printed, in the order of the tables' and the chains' names. Chains of the kernel are there once somebody looks. */
function normalized(saved: string): string {
  let table = "";
  const lines = saved.split("\n").flatMap((line) => {
    if (line.startsWith("*")) table = line;
    if (!/^(:|-A )/.test(line) || /^:[A-Z]+ ACCEPT/.test(line)) return [];
    const [word = "", second = ""] = line.split(" ");
    return [{ key: `${table} ${word === "-A" ? second : word.slice(1)}`, text: line.replace(/ \[\d+:\d+\]$/, "") }];
  });
  const keys = [...new Set(lines.map(({ key }) => key))].sort();
  return keys.flatMap((key) => [key, ...lines.filter((line) => line.key === key).map(({ text }) => text)]).join("\n");
}
