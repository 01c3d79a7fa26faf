/** The host agent while somebody else changes the rules: Docker, that makes a network, and itself. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { agentBench, missing, payloadOf } from "./testing/agentBench";

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

    it("serializes runs that come at once", () => {
      agent(["apply"], payloadOf([80]));
      writeFileSync(join(home, "a"), payloadOf([80, 81]));
      writeFileSync(join(home, "b"), payloadOf([80, 82]));
      const both = `sh ${script} apply <${home}/a & sh ${script} apply <${home}/b & wait`;
      inside("sh", ["-c", both]);
      expect(checks().passed).toBe(true);
    });
  },
);
