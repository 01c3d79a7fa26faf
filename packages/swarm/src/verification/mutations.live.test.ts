/**
 * The verifier against a host that was broken in one place: every mutation of rules, jumps, sets and of the kernel's tables must
 * be noticed by the check that is there for it, and by no unrelated one. In a network namespace, with the agent's own files.
 *
 * A sample of the rules' mutations here, every kind in every chain; HCS_ALL_MUTATIONS=1 runs them all (ten minutes).
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileRuleset, normalizePolicy, renderBundle, renderPayload } from "../firewall";
import { parsePayload } from "../firewall/payload";
import { liveTestsBlockedBy } from "../testing/namespace";
import { parseReport } from ".";
import { egressMutations, harmlessChanges, kernelMutations } from "./testing/kernelMutations";
import { type Mutation, ruleMutations } from "./testing/ruleMutations";

const blocked = liveTestsBlockedBy("ip6tables-nft", "nft", "unshare", "flock");
const payload = renderPayload(
  compileRuleset(
    normalizePolicy({
      publishedPorts: [
        { port: 80 },
        { port: 443, sources: ["192.0.2.0/24", "198.51.100.0/24", "2001:db8:1::/48", "2001:db8:2::/48"] },
        { port: 5000, endPort: 5010, protocol: "udp", sources: ["203.0.113.0/24"] },
      ],
      hostServices: [{ port: 9100, sources: ["10.0.0.0/16"] }],
      ssh: { sources: ["192.0.2.0/24", "2001:db8::/32"], rateLimit: { perMinute: 30 } },
      containerToHost: [{ port: 53, protocol: "udp" }],
      containerEgress: { open: [{ port: 443, destinations: ["192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"] }] },
      logDrops: { enabled: true },
    }),
    {
      name: "manager-1",
      pool: "manager",
      role: "manager",
      egress: { network: "10.0.0.0/16", publicInterface: "eth0" },
    },
  ),
);
const ruleset = parsePayload(payload);
const all = ruleMutations(ruleset);

/** The first of every kind in every chain, jump and set. */
function sample(mutations: readonly Mutation[]): readonly Mutation[] {
  if (process.env.HCS_ALL_MUTATIONS === "1") return mutations;
  const key = ({ kind, caughtBy }: Mutation) => `${kind} ${caughtBy.join()}`;
  return mutations.filter((mutation, i) => mutations.findIndex((other) => key(other) === key(mutation)) === i);
}

describe("mutations", () => {
  it("are hundreds, each with its own name, and each names the checks that must notice", () => {
    expect(all.length).toBeGreaterThan(400);
    expect(new Set([...all, ...kernelMutations].map(({ name }) => name)).size).toBe(
      all.length + kernelMutations.length,
    );
    expect([...all, ...kernelMutations].filter(({ caughtBy }) => caughtBy.length === 0)).toEqual([]);
  });

  it("touch every chain, every jump and every set of the payload", () => {
    const caught = new Set(all.flatMap(({ caughtBy }) => caughtBy));
    for (const [version, tables] of [[4, ruleset.inet] as const, [6, ruleset.inet6] as const])
      for (const { name, chains } of tables)
        for (const chain of chains) expect(caught).toContain(`chain-${name}-${chain.name.toLowerCase()}-v${version}`);
    for (const { name } of ruleset.sets) expect(caught).toContain(`set-${name}`);
    expect([...caught].filter((name) => name.startsWith("jump-"))).toHaveLength(2 * ruleset.hooks.length);
  });
});

describe.skipIf(blocked !== undefined)(`verifier${blocked === undefined ? "" : ` (skipped: ${blocked})`}`, () => {
  const name = `hcmu-${process.pid}`;
  const home = mkdtempSync(join(tmpdir(), "mutations-"));
  const script = join(home, "agent.sh");
  const root = join(home, "root");
  const forwarding = join(root, "proc/sys/net/ipv4/ip_forward");

  const inside = (text: string, input = "") =>
    spawnSync("ip", ["netns", "exec", name, "sh", "-c", text], {
      input,
      encoding: "utf8",
      env: { ...process.env, AGENT: script, HC_ROOT: root, HC_LOOKS: "1" },
    });
  const must = (text: string, input = "") => {
    const run = inside(text, input);
    if (run.status !== 0) throw new Error(`${text}\nended with ${run.status}: ${run.stderr}`);
    return run.stdout;
  };
  /** Names of the checks that fail; exit status and report must say the same. */
  const failing = () => {
    const run = inside('sh "$AGENT" verify --json');
    const report = parseReport(run.stdout);
    expect(run.status).toBe(report.passed ? 0 : 1);
    return report.checks.filter((check) => !check.passed).map((check) => check.name);
  };

  beforeAll(() => {
    execFileSync("ip", ["netns", "add", name]);
    mkdirSync(join(root, "proc/sys/net/ipv4"), { recursive: true });
    writeFileSync(forwarding, "1\n");
    const folder = join(__dirname, "../host/agent");
    const parts = readdirSync(folder).filter((part) => part.endsWith(".sh"));
    const text = parts.sort().map((part) => readFileSync(join(folder, part), "utf8"));
    writeFileSync(script, text.join(""), { mode: 0o755 });
    must('sh "$AGENT" apply', renderBundle({ payload, peers: ["10.0.0.3", "fd00::3"] }));
  }, 60_000);
  afterAll(() => {
    spawnSync("ip", ["netns", "del", name]);
    rmSync(home, { recursive: true, force: true });
  });

  it("finds nothing wrong with the host as it is", () => {
    expect(failing()).toEqual([]);
  });

  it.each(sample(all).map((mutation) => ({ ...mutation, title: mutation.name.slice(0, 110) })))(
    "notices $title",
    ({ apply, undo, caughtBy }) => {
      must(apply);
      const failed = failing();
      must(undo);
      expect(failed).toEqual(expect.arrayContaining([...caughtBy]));
      // The kernel asked by nft sees most of them too, and what the next payload would clear away; nothing else is wrong.
      const others = failed.filter((check) => !caughtBy.includes(check));
      expect(others.filter((check) => !/^(kernel-rules|apply-again-changes-nothing)-v[46]$/.test(check))).toEqual([]);
    },
    20_000,
  );

  it.each([...kernelMutations, ...egressMutations])(
    "notices $name",
    ({ apply, undo, caughtBy }) => {
      must(apply);
      const failed = failing();
      must(undo);
      expect(failed).toEqual(expect.arrayContaining([...caughtBy]));
      expect(failing()).toEqual([]);
    },
    20_000,
  );

  it.each(harmlessChanges)(
    "is not alarmed by $name",
    ({ apply, undo }) => {
      must(apply);
      const failed = failing();
      must(undo);
      expect(failed).toEqual([]);
    },
    20_000,
  );

  it("notices that a way out is none where the kernel hands nothing on", () => {
    writeFileSync(forwarding, "0\n");
    const failed = failing();
    writeFileSync(forwarding, "1\n");
    expect(failed).toEqual(["egress-forwarding"]);
  });

  it("goes with the way out, on probation too, and the way out comes back whole", () => {
    const nat = () => must("iptables-nft -t nat -S; ip6tables-nft -t nat -S");
    const shut = parsePayload(payload);
    const without = { ...shut, hooks: shut.hooks.filter(({ table }) => table !== "nat") };
    const noNat = <T extends { readonly name: string }>(tables: readonly T[]) => tables.filter((t) => t.name !== "nat");
    const other = renderPayload({ ...without, inet: noNat(shut.inet), inet6: noNat(shut.inet6) });
    expect(nat().match(/^-A POSTROUTING -j HC-NAT$/gm)).toHaveLength(2);
    must('sh "$AGENT" apply', other);
    expect(nat()).not.toContain("HC-NAT");
    expect(failing()).toEqual([]);
    writeFileSync(forwarding, "0\n");
    must('sh "$AGENT" apply --probation 60', payload);
    expect(nat()).toContain("-A HC-NAT -s 10.0.0.0/16 -o eth0 -j MASQUERADE");
    expect(readFileSync(forwarding, "utf8")).toBe("1\n");
    must('sh "$AGENT" rollback');
    expect(nat()).not.toContain("HC-NAT");
    must('sh "$AGENT" apply', payload);
    must("iptables-nft -t nat -D POSTROUTING -j HC-NAT; iptables-nft -t nat -F HC-NAT");
    must('sh "$AGENT" check');
    expect(nat().match(/^-A POSTROUTING -j HC-NAT$/gm)).toHaveLength(2);
  }, 60_000);

  it("finds nothing wrong when all is undone", () => {
    expect(failing()).toEqual([]);
  });
});
