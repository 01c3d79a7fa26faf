/** The host agent where `iptables` is not, or no longer, of the nf_tables kind: for itself, and for the Docker that runs. */
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseReport } from "../verification";
import { agentBench, missing, payloadOf } from "./testing/agentBench";

const legacy = "/usr/sbin/xtables-legacy-multi";
const lacking = [...missing, ...(existsSync(legacy) ? [] : ["iptables-legacy"])];

describe.skipIf(lacking.length > 0)(`host agent, by backend (needs ${lacking.join(", ") || "nothing more"})`, () => {
  const { home, inside, agent, chain, everything, checks, standIn } = agentBench();

  /** As `update-alternatives --set iptables /usr/sbin/iptables-legacy` does, and likewise for IPv6, in a folder of a PATH. */
  const flip = (folder: string) => {
    for (const name of ["iptables", "ip6tables"])
      for (const suffix of ["", "-save", "-restore"]) symlinkSync(legacy, join(folder, `${name}${suffix}`));
  };
  /** The legacy tables of the namespace: nobody makes one by looking here. */
  const legacyTables = () => inside("cat", ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"]).stdout;
  /** Where the verification looks for them. */
  const showProc = () => {
    mkdirSync(join(home, "root/proc"));
    symlinkSync("/proc/net", join(home, "root/proc/net"));
  };

  it("goes on repairing the rules where Docker's are when iptables is switched to the legacy one, which it never touches", () => {
    const bin = join(home, "bin");
    showProc();
    agent(["apply"], payloadOf([80]));
    const before = everything();
    flip(bin);
    // The control: what is called iptables here is the other one.
    expect(inside(join(bin, "iptables"), ["-V"]).stdout).toContain("legacy");

    expect(agent(["check"]).stderr).toBe("");
    inside("iptables-nft", ["-F"]);
    inside("ip6tables-nft", ["-D", "INPUT", "-j", "HC-IN"]);
    const repair = agent(["check"]);
    expect([repair.status, repair.stderr]).toEqual([0, expect.stringContaining("repaired")]);
    expect(everything()).toBe(before);
    expect(agent(["apply", "--probation", "60"], payloadOf([8443])).status).toBe(0);
    expect(chain("HC-FWD")).toContain("8443");
    expect(agent(["rollback"]).status).toBe(0);
    expect(agent(["boot"]).status).toBe(0);
    expect(everything()).toBe(before);
    // Docker's next start would use it.
    expect(checks().failed).toEqual(["iptables-nft-v6", "iptables-nft-v4"]);
    expect(legacyTables()).toBe("");

    rmSync(bin, { recursive: true });
    expect(checks().failed).toEqual([]);
  });

  it("tells whether Docker's iptables sees the chains that are in force, without making the legacy one's tables", () => {
    const dockers = join(home, "docker");
    const failing = () => {
      const run = agent(["verify", "--json"], "", { HC_LOOKS: "1" });
      return parseReport(run.stdout).checks.flatMap(({ name, passed }) => (passed ? [] : [name]));
    };
    showProc();
    for (const folder of ["root/run/systemd/system", "root/proc/77"])
      mkdirSync(join(home, folder), { recursive: true });
    standIn("systemctl", 'case "$1" in show) echo MainPID=77 ;; esac');
    writeFileSync(join(home, "root/proc/77/cmdline"), "/usr/sbin/dockerd\0");
    writeFileSync(join(home, "root/proc/77/environ"), `PATH=${dockers}:/usr/sbin:/usr/bin:/bin\0`);
    mkdirSync(dockers);
    try {
      agent(["apply"], payloadOf([80]));
      // A Docker that runs without the chain has its rules elsewhere.
      expect(failing()).toContain("docker-chains-in-force");
      inside("iptables-nft", ["-t", "nat", "-N", "DOCKER"]);
      expect(failing()).not.toContain("docker-chains-in-force");

      flip(dockers);
      expect(failing()).toEqual(
        expect.arrayContaining(["docker-chains-in-force", "iptables-nft-v4", "iptables-nft-v6"]),
      );
      expect(legacyTables()).toBe("");
      rmSync(dockers, { recursive: true });
      expect(failing().filter((name) => /^(docker-chains|iptables|no-legacy)/.test(name))).toEqual([]);
    } finally {
      rmSync(dockers, { recursive: true, force: true });
    }
  });

  it("names legacy rules, whoever loaded them", () => {
    showProc();
    agent(["apply"], payloadOf([80]));
    expect(checks().failed).toEqual([]);
    inside("iptables-legacy", ["-A", "INPUT", "-j", "ACCEPT"]);
    expect(checks().failed).toEqual(["no-legacy-rules-v4"]);
  });
});
