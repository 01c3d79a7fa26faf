/** The host agent where somebody put a rule with nft into a table of iptables, which iptables then tells nothing of. */
import { describe, expect, it } from "vitest";
import { agentBench, missingFor, payloadOf } from "./testing/agentBench";

const lacking = missingFor("nft");

describe.skipIf(lacking.length > 0)(
  `host agent beside rules of nft (needs ${lacking.join(", ") || "nothing more"})`,
  () => {
    const { inside, agent, everything, checks } = agentBench();

    const tables = [
      ["4", "filter", "DOCKER-USER"],
      ["6", "filter", "INPUT"],
      ["4", "mangle", "HC-BELT"],
      ["6", "raw", "HC-RAW"],
    ] as const;
    const nft = (...args: string[]) => inside("nft", args).stdout;
    /** All rules as nft sees them, which reads everything. */
    const kernel = () => nft("-s", "list", "ruleset");
    /** Puts one in that iptables has no words for; gives the way to take it out again. */
    const put = (version: string, table: string, chain: string) => {
      const family = version === "4" ? "ip" : "ip6";
      const at = [family, table, chain];
      const [, handle] =
        /# handle (\d+)/.exec(nft("--echo", "--handle", "add", "rule", ...at, "ct", "state", "new", "log")) ?? [];
      if (handle === undefined) throw new Error(`nft took no rule into ${at.join(" ")}`);
      // The control: it is one of those.
      expect(inside(version === "4" ? "iptables-nft-save" : "ip6tables-nft-save", []).stdout).toMatch(
        /Table .* is incompatible/,
      );
      return () => nft("delete", "rule", ...at, "handle", handle);
    };

    it.each(tables)("says so by a name, and changes nothing that it cannot read: IPv%s %s %s", (...where) => {
      const [version, table] = where;
      agent(["apply"], payloadOf([80]));
      const healthy = everything();
      const takeOut = put(...where);
      const before = kernel();

      const { failed } = checks();
      expect(failed).toContain(`no-unreadable-tables-v${version}`);
      const apart = new RegExp(
        `-${table}-.*-v${version}$|^(apply-again-changes-nothing|kernel-rules|no-unreadable-tables)-v${version}$`,
      );
      expect(failed.filter((name) => !apart.test(name))).toEqual([]);
      for (const [args, input, status] of [
        [["apply"], payloadOf([8443]), 3],
        [["check"], "", 4],
        [["boot"], "", 4],
        [["remove"], "", 4],
      ] as const) {
        const run = agent(args, input);
        expect([args[0], run.status, run.stderr]).toEqual([
          args[0],
          status,
          expect.stringMatching(new RegExp(`iptables cannot read IPv${version}: ${table}\\. .*nft -a list ruleset`)),
        ]);
        expect(kernel(), args[0]).toBe(before);
      }

      takeOut();
      expect(everything()).toBe(healthy);
      expect(checks().failed).toEqual([]);
      expect(agent(["apply"], payloadOf([8443])).status).toBe(0);
      expect(agent(["remove"]).status).toBe(0);
    });

    it("loads its rules all the same where none of them are there yet, as at a boot, and shuts the host without a payload", () => {
      const somebodys = () => {
        nft("flush", "ruleset");
        for (const [version, family] of [
          ["4", "ip"],
          ["6", "ip6"],
        ] as const) {
          nft("add", "table", family, "filter");
          nft("add", "chain", family, "filter", "INPUT", "{ type filter hook input priority 0; }");
          put(version, "filter", "INPUT");
        }
      };
      // Ours stand before somebody else's, in both families.
      const first = () => kernel().match(/jump HC-IN\n\t\tct state new log/g);
      somebodys();
      expect(agent(["boot"]).status).toBe(0);
      expect(first()).toHaveLength(2);
      expect(kernel().match(/jump HC-BELTIN/g)).toHaveLength(2);

      somebodys();
      expect(agent(["apply"], payloadOf([8443])).status).toBe(0);
      expect(first()).toHaveLength(2);
      expect(kernel()).toContain("proto-dst 8443");
      expect(checks().failed).toEqual(expect.arrayContaining(["no-unreadable-tables-v4", "no-unreadable-tables-v6"]));
    });

    it("does not mind one in a table that its rules are not in", () => {
      inside("iptables-nft", ["-t", "nat", "-A", "POSTROUTING", "-j", "ACCEPT"]);
      put("4", "nat", "POSTROUTING");
      agent(["apply"], payloadOf([80]));
      expect(checks().failed).toEqual([]);
      expect(agent(["remove"]).status).toBe(0);
    });
  },
);
