/** The host agent when something fails half-way: the rules, sets and files of before are all there again, in every table. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { renderBundle } from "../firewall";
import { agentBench, digestOf, missing, payloadFor } from "./testing/agentBench";

const old = payloadFor({
  publishedPorts: [
    { port: 80 },
    { port: 443, sources: ["192.0.2.0/24", "198.51.100.0/24", "2001:db8:1::/48", "2001:db8:2::/48"] },
    { port: 5000, protocol: "udp", sources: ["203.0.113.0/24", "192.0.2.7"] },
  ],
  ssh: { sources: ["192.0.2.0/24", "198.51.100.0/24"] },
});
// Sets that gain, that lose, that do both; one that is new, one that is no more; rules of each table.
const next = payloadFor({
  publishedPorts: [
    { port: 8443, sources: ["192.0.2.0/24", "203.0.113.0/24"] },
    { port: 443, sources: ["192.0.2.0/24", "203.0.113.0/24", "2001:db8:1::/48"] },
    { port: 5000, protocol: "udp", sources: ["203.0.113.0/24", "192.0.2.7", "192.0.2.8"] },
  ],
  ssh: { port: 2222, sources: ["198.51.100.0/24", "203.0.113.0/24"] },
});

describe.skipIf(missing.length > 0)(`host agent, half-way (needs ${missing.join(", ") || "nothing more"})`, () => {
  const { home, inside, agent, everything, checks, standIn, called } = agentBench();
  const root = join(home, "root");
  const digestInForce = () => digestOf(readFileSync(join(root, "etc/hcloud-iptables/payload"), "utf8"));

  /** Fails its first `times` calls whose arguments or input fit, and does as it is told otherwise. */
  const failing = (program: string, times: number, fits: string) =>
    standIn(
      program,
      `case "$0 $*" in *restore*) cat >'${home}/bin/input' ;; *) exec /usr/sbin/${program} "$@" ;; esac
if ${fits} && [ "$(cat '${home}/bin/failed' 2>/dev/null | wc -l)" -lt ${times} ]; then
  echo >>'${home}/bin/failed'
  echo 'out of order' >&2
  exit 1
fi
exec /usr/sbin/${program} "$@" <'${home}/bin/input'`,
    );
  const committing = `case "$*" in *--noflush*--test*) false ;; *--noflush*) : ;; *) false ;; esac`;
  const swapping = `grep -q '^swap' '${home}/bin/input'`;

  it.each([
    // Twice: the agent tries each once more.
    ["IPv6 is not committed, when IPv4 and the sets are", "ip6tables-nft-restore", 2, committing],
    ["IPv4 is not committed, when the sets are", "iptables-nft-restore", 2, committing],
    ["the sets are not swapped", "ipset", 1, swapping],
    ["what sets gain is not swapped in, when all rules are committed", "ipset", 1, `${swapping} && ipset_late`],
  ])("puts back all tables and all sets when %s", (_what, program, times, fits) => {
    expect(agent(["apply"], renderBundle({ payload: old, peers: ["10.0.0.3", "fd00::3"] })).status).toBe(0);
    const before = everything();
    expect(before).toContain("add hc-p-tcp-443-6 2001:db8:2::/48");
    expect(before).toContain("*mangle HC-BELT");
    failing(program, times, fits.replace("ipset_late", "iptables-nft -S HC-IN | grep -q -e '--dport 2222 '"));
    const run = agent(["apply", "--probation", "60"], next);
    expect(readFileSync(join(home, "bin/failed"), "utf8")).toBe("\n".repeat(times));
    expect([run.status, run.stderr]).toEqual([4, expect.stringContaining("nothing changed")]);
    expect(run.stderr).not.toContain("COULD NOT BE PUT BACK");
    expect(everything()).toBe(before);
    expect(digestInForce()).toBe(digestOf(old));
    expect(agent(["rollback"]).stderr).toContain("nothing to roll back to");
    expect(checks()).toMatchObject({ failed: [], digest: digestOf(old) });
    // The stand-in does as it is told by now.
    expect(agent(["apply"], next).status).toBe(0);
    expect(checks()).toMatchObject({ failed: [], digest: digestOf(next) });
    expect(everything()).not.toBe(before);
  });

  it("leaves neither family open when a boot commits IPv4 and cannot commit IPv6", () => {
    expect(agent(["apply"], old).status).toBe(0);
    inside("sh", ["-c", "nft flush ruleset; ipset destroy"]);
    failing("ip6tables-nft-restore", 2, committing);
    const run = agent(["boot"]);
    expect(readFileSync(join(home, "bin/failed"), "utf8")).toBe("\n\n");
    expect(run).toMatchObject({
      status: 0,
      stderr: expect.stringContaining("SSH stays open, everything else is shut"),
    });
    for (const tool of ["iptables-nft", "ip6tables-nft"])
      for (const [table, hook, chain] of [
        ["filter", "INPUT", "HC-IN"],
        ["mangle", "FORWARD", "HC-BELT"],
      ] as const) {
        const rules = (of: string) => inside(tool, ["-t", table, "-S", of]).stdout;
        expect(rules(hook)).toContain(`-A ${hook} -j ${chain}\n`);
        expect(rules(chain)).toMatch(new RegExp(`-A ${chain} -j DROP\n$`));
      }
    // The stand-in does as it is told by now.
    expect(agent(["check"]).status).toBe(0);
    expect(checks()).toMatchObject({ failed: [], digest: digestOf(old) });
  });

  it.each([
    ["var/lib/hcloud-iptables", 0, ["--probation", "60"], "nothing changed: the old payload could not be kept"],
    ["etc/hcloud-iptables", 0, [], "nothing changed: the payload could not be stored"],
    // It would do for this change. One that writes down more would take half of the old rules for all of them.
    ["run/hcloud-iptables", 124, [], "/run/hcloud-iptables is full"],
    ["run/hcloud-iptables", 0, [], "/run/hcloud-iptables is full"],
  ])("keeps rules and files when the disk of %s has %d KiB left", (folder, left, options, told) => {
    const files = (at: string) =>
      readdirSync(join(root, at), { withFileTypes: true })
        .filter((entry) => entry.isFile() && !["filling", "lock"].includes(entry.name))
        .map(({ name }) => [name, readFileSync(join(root, at, name), "utf8")]);
    const stored = () => ["etc", "var/lib"].map((at) => files(`${at}/hcloud-iptables`));
    const path = join(root, folder);
    mkdirSync(path, { recursive: true });
    const disk = ["-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", path];
    expect(spawnSync("mount", disk).status).toBe(0);
    try {
      expect(agent(["apply"], renderBundle({ payload: old, peers: ["10.0.0.3"] })).status).toBe(0);
      const [rules, kept] = [everything(), stored()];
      const fill = `cd "$1" && head -c ${left}k /dev/zero >spare && { cat /dev/zero >filling || rm spare; }`;
      spawnSync("sh", ["-c", fill, "sh", path]);
      const run = agent(["apply", ...options], next);
      expect(run.status).toBe(4);
      expect(run.stderr).toContain("No space left on device");
      expect(run.stderr).toContain(told);
      expect(run.stderr).not.toContain("COULD NOT BE PUT BACK");
      expect(everything()).toBe(rules);
      expect(stored()).toEqual(kept);
      writeFileSync(join(path, "filling"), "");
      expect(checks()).toMatchObject({ failed: [], digest: digestOf(old) });
      expect(agent(["apply"], next).status).toBe(0);
    } finally {
      spawnSync("umount", [path]);
    }
  });

  it("changes nothing when it cannot learn which sets there are, for there would be no whole way back", () => {
    agent(["apply"], old);
    const before = everything();
    standIn(
      "ipset",
      `[ "$1" != save ] || [ -e '${home}/bin/failed' ] || { : >'${home}/bin/failed'; exit 1; }
exec /usr/sbin/ipset "$@"`,
    );
    expect(agent(["apply"], next)).toMatchObject({ status: 3, stderr: expect.stringContaining("nothing changed") });
    expect(everything()).toBe(before);
    // The control: it fails once.
    expect(agent(["apply"], next).status).toBe(0);
    expect(checks()).toMatchObject({ failed: [], digest: digestOf(next) });
  });

  it("ends as applied when the host's addresses cannot be listed once the rules are in force", () => {
    agent(["apply"], old);
    standIn("ip", "exit 1");
    const run = agent(["apply"], renderBundle({ payload: next, peers: ["10.0.0.4"] }));
    expect(called("ip")).toContain("addr show");
    expect(run).toMatchObject({ status: 0, stderr: expect.stringContaining(`applied ${digestOf(next)}`) });
    expect(checks()).toMatchObject({ failed: [], digest: digestOf(next) });
    expect(inside("ipset", ["save", "hc-peers4"]).stdout).toContain("10.0.0.4");
  });

  it("ends the refused flows of one family when those of the other cannot be listed", () => {
    agent(["apply"], old);
    const flow = (from: string, to: string) =>
      `tcp 6 299 ESTABLISHED src=${from} dst=${to} sport=40000 dport=7000 src=${to} dst=${from} sport=7000 dport=40000 [ASSURED] mark=0 use=1`;
    const ended = join(home, "bin/ended");
    standIn(
      "conntrack",
      `case "$*" in
  *ipv4) exit 1 ;;
  *ipv6) echo '${flow("2001:db8::9", "2001:db8::1")}' ;;
  -R*) cp "$2" '${ended}' ;;
esac`,
    );
    expect(agent(["apply"], next).status).toBe(0);
    expect(readFileSync(ended, "utf8")).toBe("-D -p tcp -s 2001:db8::9 -d 2001:db8::1 --sport 40000 --dport 7000\n");
  });

  describe("when no more files can be made", () => {
    // Room counts bytes; a file system may have no more files first.
    const path = join(root, "run/hcloud-iptables");
    const withFewFiles = (body: () => void) => {
      mkdirSync(path, { recursive: true });
      const disk = ["-t", "tmpfs", "-o", "size=16m,nr_inodes=60,mode=700", "tmpfs", path];
      expect(spawnSync("mount", disk).status).toBe(0);
      try {
        body();
      } finally {
        spawnSync("umount", [path]);
      }
    };
    const named = (beginning: string) => readdirSync(path).filter((name) => name.startsWith(beginning));
    /** Leaves room for so many more, and no other. */
    const leave = (files: number) => {
      const fill = `cd "$1"; i=0; while : 2>/dev/null >"spare$i"; do i=$((i + 1)); done; true`;
      spawnSync("sh", ["-c", fill, "sh", path]);
      for (const file of named("spare").slice(0, files)) rmSync(join(path, file));
    };

    it("changes nothing, waits for no confirmation, and leaves nothing behind", () => {
      withFewFiles(() => {
        expect(agent(["apply"], old).status).toBe(0);
        const rules = everything();
        const statuses = Array.from({ length: 32 }, (_, left) => {
          leave(left);
          const run = agent(["apply", "--probation", "60"], next);
          const waits = existsSync(join(root, "var/lib/hcloud-iptables/probation"));
          expect({ left, behind: named("work.") }).toEqual({ left, behind: [] });
          if (run.status === 0) agent(["apply"], old);
          else expect({ left, waits, kept: everything() === rules }).toEqual({ left, waits: false, kept: true });
          return run.status;
        });
        // The controls: with few it fails, with enough it is applied.
        expect(statuses.slice(0, 4)).toEqual([4, 4, 4, 4]);
        expect(statuses.at(-1)).toBe(0);
      });
    }, 120_000);

    it("calls no host healthy that it cannot look at", () => {
      withFewFiles(() => {
        const verify = () => agent(["verify", "--json"]);
        expect(agent(["apply"], old).status).toBe(0);
        expect(verify().status).toBe(0);
        inside("iptables-nft", ["-N", "HC-OLD"]);
        const runs = Array.from({ length: 40 }, (_, left) => {
          leave(left);
          const { status, stdout } = verify();
          expect({ left, status }).not.toEqual({ left, status: 0 });
          expect({ left, behind: named("work.") }).toEqual({ left, behind: [] });
          return { status, stdout };
        });
        // The control: with enough it says what it is.
        expect(runs.at(-1)).toMatchObject({ status: 1, stdout: expect.stringContaining("HC-OLD") });
      });
    }, 120_000);
  });

  it("plans nothing anew from rules that it cannot read", () => {
    expect(agent(["apply"], old).status).toBe(0);
    const before = everything();
    // Between the first commit, which fails, and the plan that is made anew.
    failing("iptables-nft-restore", 1, committing);
    standIn(
      "ip6tables-nft-save",
      `[ ! -e '${home}/bin/failed' ] || [ -e '${home}/bin/blind' ] || { echo >'${home}/bin/blind'; exit 1; }; exec /usr/sbin/ip6tables-nft-save`,
    );
    const run = agent(["apply"], next);
    expect(existsSync(join(home, "bin/blind"))).toBe(true);
    expect([run.status, run.stderr]).toEqual([4, expect.stringContaining("nothing changed")]);
    expect(run.stderr).not.toContain("COULD NOT BE PUT BACK");
    expect(everything()).toBe(before);
  });

  it("says so when what was there before cannot be put back, and the next look repairs it", () => {
    agent(["apply"], old);
    const before = everything();
    failing("ip6tables-nft-restore", 1000, committing);
    const run = agent(["apply"], next);
    expect([run.status, run.stderr]).toEqual([4, expect.stringContaining("COULD NOT BE PUT BACK")]);
    inside("rm", [join(home, "bin/ip6tables-nft-restore")]);
    expect(agent(["check"]).status).toBe(0);
    expect(everything()).toBe(before);
  });
});
