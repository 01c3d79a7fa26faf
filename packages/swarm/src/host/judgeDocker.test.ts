/** What the verification makes of a Docker that answers: its firewall's backend, and who else listens where it publishes. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { compileRuleset, normalizePolicy, type PolicyInput, renderPayload } from "../firewall";
import { sectionOf } from "../testing/namespace";
import { agentScript } from "./agentSources";

let home = "";
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "judge-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

interface Facts {
  /** Of `GET /info`. */
  readonly info?: object;
  /** Lines of `ss -Hltunp`. */
  readonly listeners?: readonly string[];
  readonly policy?: PolicyInput;
}

/** The checks that fail, with what was found. */
function failed({ info = {}, listeners = [], policy = {} }: Facts): Record<string, string> {
  const work = join(home, "work");
  for (const folder of [join(home, "etc/hcloud-iptables"), join(work, "stored")])
    mkdirSync(folder, { recursive: true });
  const node = { name: "m", pool: "m", role: "manager" } as const;
  const payload = renderPayload(compileRuleset(normalizePolicy(policy), node));
  const facts = {
    info: JSON.stringify({ ID: "x", Swarm: { LocalNodeState: "inactive" }, ...info }),
    listeners: listeners.map((line) => `${line}\n`).join(""),
    "stored/4": sectionOf(payload, "iptables"),
    "stored/6": sectionOf(payload, "ip6tables"),
    ...{ units: "", cmdline: "", environ: "", networks: "" },
  };
  for (const [name, text] of Object.entries(facts)) writeFileSync(join(work, name), text);
  const judging = `${agentScript.replace(/\nmain "\$@"\n$/, "\n")}
    WORK=${work}
    judge_docker`;
  const run = spawnSync("sh", ["-c", judging], { encoding: "utf8", env: { ...process.env, HC_ROOT: home } });
  expect([run.status, run.stderr]).toEqual([0, ""]);
  const lines = run.stdout
    .trim()
    .split("\n")
    .map((line) => line.split("\t"));
  expect(lines.length).toBeGreaterThan(5);
  return Object.fromEntries(lines.filter(([, must, is]) => must !== is).map(([name, , is]) => [name, is ?? ""]));
}

describe("the backend of Docker's firewall", () => {
  // As Docker 29 has it in its answer; older ones say nothing.
  const backend = (Driver: string) => ({ info: { FirewallBackend: { Driver, Info: [["ReloadedAt", "2026-01-01"]] } } });

  it("may be iptables, with firewalld or without, or that of a Docker that has no other", () => {
    for (const facts of [backend("iptables"), backend("iptables+firewalld"), {}]) expect(failed(facts)).toEqual({});
  });

  it("must not be nftables: there is no DOCKER-USER", () => {
    expect(failed(backend("nftables"))).toEqual({ "docker-backend": "nftables" });
    expect(failed(backend("nftables+firewalld"))).toEqual({ "docker-backend": "nftables" });
  });
});

describe("a listener on a published port", () => {
  const policy: PolicyInput = { publishedPorts: [{ port: 443 }, { port: 5000, endPort: 5010, protocol: "udp" }] };
  const heard = (line: string, more: PolicyInput = {}) =>
    failed({ policy: { ...policy, ...more }, listeners: [line] })["no-listener-on-published-ports"];
  const nginx = 'users:(("nginx",pid=77,fd=6))';

  it("must be Docker where the port is open over IPv6", () => {
    expect(heard(`tcp LISTEN 0 511 [::]:443 [::]:* ${nginx}`)).toBe(`tcp/443 by ${nginx} `);
    expect(heard(`tcp LISTEN 0 511 *:443 *:* ${nginx}`)).toContain("tcp/443");
    expect(heard(`tcp LISTEN 0 511 [2001:db8::1]:443 [::]:* ${nginx}`)).toContain("tcp/443");
    // The kernel's own, such as WireGuard's.
    expect(heard("udp UNCONN 0 0 [::]:5005 [::]:*")).toBe("udp/5005 by the kernel ");
  });

  it("may be Docker's, or out of reach, or one that the policy names", () => {
    expect(heard('tcp LISTEN 0 4096 [::]:443 [::]:* users:(("docker-proxy",pid=9,fd=7))')).toBeUndefined();
    expect(heard('tcp LISTEN 0 4096 *:443 *:* users:(("dockerd",pid=9,fd=7))')).toBeUndefined();
    expect(heard(`tcp LISTEN 0 511 [::1]:443 [::]:* ${nginx}`)).toBeUndefined();
    expect(heard(`tcp LISTEN 0 511 0.0.0.0:443 0.0.0.0:* ${nginx}`)).toBeUndefined();
    expect(heard(`udp UNCONN 0 0 [::]:443 [::]:* ${nginx}`)).toBeUndefined();
    expect(heard(`tcp LISTEN 0 511 [::]:8080 [::]:* ${nginx}`)).toBeUndefined();
    expect(heard(`tcp LISTEN 0 511 [::]:443 [::]:* ${nginx}`, { hostServices: [{ port: 443 }] })).toBeUndefined();
  });
});
