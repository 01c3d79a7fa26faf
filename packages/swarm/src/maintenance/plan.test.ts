import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type MaintenanceSettings, planMaintenance, tokenOf } from "./plan";

const settings: MaintenanceSettings = { number: 3, upgrade: "none", reboot: true, timeout: 1800 };
const managers = (...names: string[]) => names.map((name) => ({ name, role: "manager" as const }));
const workers = (...names: string[]) => names.map((name) => ({ name, role: "worker" as const }));
const text = (more: Partial<MaintenanceSettings>, nodes = [...managers("m1", "m2", "m3"), ...workers("w1")]) =>
  planMaintenance(nodes, { ...settings, ...more })[0]?.text;

describe("planMaintenance", () => {
  it("takes workers first, then managers, and last the one that the others are drained through", () => {
    const nodes = [...managers("m10", "m1", "m2"), ...workers("w10", "w2")];
    expect(planMaintenance(nodes, settings).map(({ node, via }) => `${node} by ${via}`)).toEqual([
      "w2 by m1",
      "w10 by m1",
      "m2 by m1",
      "m10 by m1",
      "m1 by m2",
    ]);
  });

  it("says what is going to happen to a node", () => {
    expect(text({})).toBe("maintenance 3: drained, restarted, verified, active again");
    expect(text({ upgrade: "all", reboot: false })).toBe(
      "maintenance 3: drained, all packages upgraded, verified, active again",
    );
    expect(text({ upgrade: "docker", dockerVersion: "28.5" })).toBe(
      "maintenance 3: drained, Docker 28.5 where it has another, newest of it, restarted, verified, active again",
    );
    expect(text({ number: 0, upgrade: "all", dockerVersion: "28.5" })).toBe(
      "maintenance 0: drained, Docker 28.5 where it has another, verified, active again",
    );
  });

  it("says what a small cluster has to bear", () => {
    expect(text({}, managers("m1"))).toMatch(/: not drained, for there is no other node: services are away meanwhile,/);
    expect(text({}, managers("m1"))).not.toMatch(/active again/);
    const small = planMaintenance([...managers("m1"), ...workers("w1")], settings);
    expect(small.map((turn) => /only manager/.test(turn.text))).toEqual([false, true]);
  });

  it("has every node once, by a manager that is another one where there is one, and managers after workers", () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9]{0,4}$/), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(names, fc.nat(6), (all, extra) => {
        const nodes = [...managers(...all.slice(0, 1 + extra)), ...workers(...all.slice(1 + extra))];
        const turns = planMaintenance(nodes, settings);
        expect(turns.map(({ node }) => node).sort()).toEqual([...all].sort());
        const own = nodes.filter(({ role }) => role === "manager").map(({ name }) => name);
        for (const turn of turns) {
          expect(own).toContain(turn.via);
          expect(turn.via === turn.node).toBe(own.length === 1 && turn.role === "manager");
        }
        expect(turns.map(({ role }) => role).lastIndexOf("worker")).toBeLessThan(
          turns.findIndex(({ role }) => role === "manager"),
        );
        expect(planMaintenance([...nodes].reverse(), settings)).toEqual(turns);
      }),
    );
  });

  it("writes only what is no special character of the shell's, for it stands in a command", () => {
    const upgrades = fc.constantFrom("none" as const, "docker" as const, "all" as const);
    const version = fc.option(fc.constantFrom("28", "28.5", "28.5.1"), { nil: undefined });
    fc.assert(
      fc.property(upgrades, version, fc.boolean(), fc.nat(9999), (upgrade, dockerVersion, reboot, number) => {
        const said = text({ number, upgrade, dockerVersion, reboot }, managers("m1"));
        expect(said).toMatch(/^[A-Za-z0-9 ,.:;-]+$/);
        expect(tokenOf({ ...settings, number, dockerVersion })).toMatch(/^[0-9.-]+$/);
      }),
    );
  });
});
