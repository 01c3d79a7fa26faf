/** Runs the attacks that break a node's rules, and those on its life: on ours alone. */
import { say } from "../../harness/src/index.js";
import type { AttackedCluster } from "./cluster.js";
import { drift } from "./runDrift.js";
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
