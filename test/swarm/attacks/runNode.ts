/** Runs the attacks that break a node's rules, and those on its life: on ours alone. */
import { say } from "../../harness/src/index.js";
import type { AttackedCluster } from "./cluster.js";
import type { Shells } from "./shells.js";
import { type Cell, type DriftAttack, type LifecycleAttack, NotApplicable } from "./types.js";
import { World } from "./world.js";

type NodeAttack = DriftAttack | LifecycleAttack;

export interface NodeRun {
  readonly attacked: AttackedCluster;
  readonly shells: Shells;
  readonly attacks: readonly NodeAttack[];
  /** Whether another attack may begin. */
  timeLeft(): boolean;
  record(attack: NodeAttack, cell: Cell): void;
}

export async function runOnNodes({ attacked, shells, attacks, timeLeft, record }: NodeRun): Promise<void> {
  const world = new World(attacked, "ours", shells);
  // The packet attacks' last column is ours too, but two of them moved interfaces about.
  let clean = false;
  for (const attack of attacks) {
    if (!timeLeft()) return;
    const started = Date.now();
    const seconds = () => (Date.now() - started) / 1000;
    try {
      if (!clean) {
        await world.restored();
      }
      clean = false;
      const done =
        attack.group === "drift"
          ? await drift(world, attack)
          : { detail: await attack.run(world), clean: attack.leavesNoTrace === true };
      clean = done.clean;
      const verdict = attack.group === "drift" ? "caught" : "blocked";
      say(`    ${attack.name}: ${verdict}: ${done.detail}`);
      record(attack, { verdict, ok: true, detail: done.detail, seconds: seconds() });
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      if (error instanceof NotApplicable) {
        say(`    ${attack.name}: not applicable: ${detail}`);
        record(attack, { verdict: "not applicable", ok: true, detail });
        continue;
      }
      say(`    ${attack.name}: FAILED: ${detail.slice(0, 2000)}`);
      record(attack, {
        verdict: attack.group === "drift" ? "missed" : "failed",
        ok: false,
        detail,
        seconds: seconds(),
      });
    }
  }
}

/** Breaks it, sees the verifier fail and name it, lets the timer's check repair it; probes of closed ports go on all the time. */
async function drift(world: World, attack: DriftAttack): Promise<{ detail: string; clean: boolean }> {
  const node = world.worker;
  const since = (await world.ssh(node, "date +%s")).trim();
  const report = async () =>
    world.attacked.cluster.parseReport(
      await world.ssh(node, "HC_LOOKS=2 HC_PAUSE=1 /opt/hcloud-iptables.sh verify --json 2>/dev/null || :"),
    );
  const failedChecks = async () => (await report()).checks.filter(({ passed }) => !passed).map(({ name }) => name);

  const { result, sent, answers } = await world.underFlood(node, async () => {
    await world.ssh(node, attack.breakIt);
    const failed = await failedChecks();
    await world.ssh(node, "systemctl start hcloud-iptables-check.service || :");
    return { failed, left: await failedChecks() };
  });
  const { failed, left } = result;
  const caught = failed.filter((name) => attack.caughtBy.test(name));
  if (caught.length === 0)
    throw new Error(`the verifier did not name it; failed checks: ${failed.join(", ") || "none"}`);
  if (answers > 0 && attack.opensMeanwhile === undefined)
    throw new Error(`${answers} of ${sent} probes of closed ports were answered while it was broken`);
  const meanwhile = `${answers} of ${sent} probes answered meanwhile${answers > 0 ? ` (${attack.opensMeanwhile})` : ""}`;

  if (attack.outcome === "repaired") {
    const rest =
      attack.restoresDocker === undefined ? left : await afterwards(world, node, attack.restoresDocker, failedChecks);
    if (rest.length > 0) throw new Error(`still wrong after the check: ${rest.join(", ")}`);
    const logged = await world.ssh(
      node,
      `journalctl -u hcloud-iptables-check -u docker --since @${since} -o cat --no-pager | grep -c 'drifted:' || :`,
    );
    if (Number(logged) === 0) throw new Error("the check repaired it and did not say so in the journal");
    await world.mustBeAsBefore(node);
    return {
      detail: `caught by ${caught.join(", ")}; repaired by the check; ${meanwhile}`,
      clean: attack.restoresDocker === undefined,
    };
  }
  if (!left.some((name) => attack.caughtBy.test(name)))
    throw new Error(`it is gone after the check, which is not its to change: ${left.join(", ")}`);
  if (attack.undo !== undefined) {
    await world.ssh(node, `${attack.undo}; systemctl start hcloud-iptables-check.service`);
    const rest = await failedChecks();
    if (rest.length > 0) throw new Error(`still wrong after it was undone: ${rest.join(", ")}`);
  }
  return {
    detail: `caught by ${caught.join(", ")}; not the agent's to repair, reported; ${meanwhile}`,
    clean: attack.undo !== undefined,
  };
}

async function afterwards(
  world: World,
  node: World["worker"],
  command: string,
  failedChecks: () => Promise<string[]>,
): Promise<string[]> {
  await world.ssh(node, command);
  return await failedChecks();
}
