/** The host agent while somebody else changes the rules: Docker, that makes a network, and itself. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { unitFiles } from "./agentSources";
import { agentBench, digestOf, missing, payloadOf } from "./testing/agentBench";

const dropIn = "10-hcloud-iptables.conf";

describe.skipIf(missing.length > 0)(
  `host agent, with others at work (needs ${missing.join(", ") || "nothing more"})`,
  () => {
    const { home, script, name, inside, agent, chain, checks, standIn } = agentBench();

    it("looks again at what is wrong for a moment, as when Docker makes a network, and never forgives what stays", () => {
      agent(["apply"], payloadOf([80]));
      const docker = "iptables-nft -D FORWARD -j DOCKER-USER; sleep 0.35; iptables-nft -I FORWARD -j DOCKER-USER";
      const churn = inside("sh", [
        "-c",
        `(${docker}) & sleep 0.05; sh ${script} verify --json; status=$?; wait; exit $status`,
      ]);
      expect(churn.stderr).toContain("look 1 of 4: failed: jump-filter-forward-docker-user-v4");
      expect(churn.status).toBe(0);
      expect(JSON.parse(churn.stdout)).toMatchObject({ passed: true });

      inside("iptables-nft", ["-D", "FORWARD", "-j", "DOCKER-USER"]);
      const drifted = agent(["verify", "--json"]);
      expect(drifted.status).toBe(1);
      expect(drifted.stderr).toContain("look 3 of 4");
      expect(drifted.stderr).toContain("FAILED jump-filter-forward-docker-user-v4");
      expect(JSON.parse(drifted.stdout)).toMatchObject({ passed: false });
    });

    it("repairs again when Docker puts its jump back in the middle of a repair, and gives up when it does so every time", () => {
      agent(["apply"], payloadOf([80]));
      // Not in the agent's scratch namespace, which has no name.
      const docker = (whileOnce: string) =>
        standIn(
          "iptables-nft-restore",
          `/usr/sbin/iptables-nft-restore "$@" || exit
case "$*$(ip netns identify $$)" in *--test*) ;; *${name}) ${whileOnce} iptables-nft -I FORWARD -j DOCKER-USER ;; esac
exit 0`,
        );
      const jumps = () => chain("FORWARD").split("-j DOCKER-USER").length - 1;
      inside("iptables-nft", ["-D", "FORWARD", "-j", "DOCKER-USER"]);
      docker(`[ ! -e '${join(home, "bin/once")}' ] && touch '${join(home, "bin/once")}' &&`);
      const run = agent(["check"]);
      expect(run.stderr).toMatch(/is: 0 time.*is: 2 time.*repaired/s);
      expect([run.status, jumps()]).toEqual([0, 1]);

      inside("iptables-nft", ["-D", "FORWARD", "-j", "DOCKER-USER"]);
      docker("");
      const endless = agent(["check"]);
      expect(endless.stderr).toContain("still different after the repair: jump-filter-forward-docker-user-v4");
      expect([endless.status, jumps()]).toEqual([4, 2]);
    });

    it("puts back, behind a start of Docker, what had drifted before and what Docker puts first, and says so", () => {
      // What Docker's unit runs then.
      const [, command = ""] = /^ExecStartPost=-\/opt\/hcloud-iptables\.sh (.*)$/m.exec(unitFiles[dropIn]) ?? [];
      agent(["apply"], payloadOf([80]));
      inside("iptables-nft", ["-I", "HC-FWD", "1", "-j", "RETURN"]);
      inside("ip6tables-nft", ["-F", "DOCKER-USER"]);
      inside("sh", ["-c", "iptables-nft -N DOCKER-FORWARD && iptables-nft -I FORWARD -j DOCKER-FORWARD"]);
      const run = agent(command.split(" "));
      expect(run.status).toBe(0);
      expect(run.stderr.match(/drifted: \S+(?=:)/g)).toEqual([
        "drifted: chain-filter-hc-fwd-v4",
        "drifted: jump-filter-forward-docker-user-v4",
        "drifted: jump-filter-docker-user-hc-fwd-v6",
      ]);
      expect(run.stderr).toContain("repaired");
      expect(chain("FORWARD")).toMatch(/-j DOCKER-USER\n-A FORWARD -j DOCKER-FORWARD\n/);
      expect(checks().failed).toEqual([]);
    });

    it("goes back when its time is up, and repairs, however long another run holds the lock", () => {
      const [old, next] = [payloadOf([80]), payloadOf([8443])];
      agent(["apply"], old);
      agent(["apply", "--probation", "60"], next);
      const lock = join(home, "root/run/hcloud-iptables/lock");
      const held = (...words: string[]) =>
        inside("sh", ["-c", `flock '${lock}' sleep 4 & sleep 0.5; sh ${script} ${words.join(" ")}`], "", {
          HC_PATIENCE: "1",
        });
      // The control: another command gives up.
      expect(held("settle")).toMatchObject({
        status: 4,
        stderr: expect.stringMatching(/another run holds the lock: 1 s at most\n.*it still does\n$/),
      });
      inside("iptables-nft", ["-D", "DOCKER-USER", "-j", "HC-FWD"]);
      expect(held("check")).toMatchObject({ status: 0, stderr: expect.stringContaining("repaired") });
      expect(held("rollback", "--unconfirmed", digestOf(next)).status).toBe(0);
      expect(checks()).toMatchObject({ failed: [], digest: digestOf(old) });
    });

    it("serializes runs that come at once", () => {
      const payloads = [payloadOf([80, 81]), payloadOf([80, 82])];
      agent(["apply"], payloadOf([80]));
      for (const [i, payload] of payloads.entries()) writeFileSync(join(home, `${i}`), payload);
      // Each commit takes a while, and no run may begin one inside another's; nor its first before the other's last.
      const journal = join(home, "journal");
      const slow = (program: string) =>
        standIn(
          program,
          `case "$*" in *--noflush*--test*) exec /usr/sbin/${program} "$@" ;; *--noflush*) ;; *) exec /usr/sbin/${program} "$@" ;; esac
echo "begin $PPID" >>'${journal}'
sleep 0.15
/usr/sbin/${program} "$@"
status=$?
echo "end $PPID" >>'${journal}'
exit $status`,
        );
      slow("iptables-nft-restore");
      slow("ip6tables-nft-restore");
      const run = (input: number) => `{ sh ${script} apply <${home}/${input}; echo "status $?"; } &`;
      // The timer's look comes too.
      const timer = `{ sh ${script} check; echo "status $?"; } &`;
      const all = inside("sh", ["-c", `${run(0)} ${run(1)} ${timer} wait`]);
      expect(all.stdout).toBe("status 0\n".repeat(3));
      const lines = readFileSync(journal, "utf8").trim().split("\n");
      // Two runs, two families, begin and end.
      const runs = [...new Set(lines.map((line) => line.split(" ")[1]))];
      expect(lines).toEqual(runs.flatMap((id) => [`begin ${id}`, `end ${id}`, `begin ${id}`, `end ${id}`]));
      expect(runs).toHaveLength(2);
      expect(checks()).toMatchObject({ failed: [] });
      expect(payloads.map(digestOf)).toContain(checks().digest);
    });
  },
);
