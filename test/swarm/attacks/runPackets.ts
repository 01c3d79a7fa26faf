/** Runs the packet attacks under every column. */
import { say } from "../../harness/src/index.js";
import type { AttackedCluster } from "./cluster.js";
import { putColumn } from "./columns.js";
import type { Shells } from "./shells.js";
import { type Cell, type Column, columns, NotApplicable, type PacketAttack } from "./types.js";
import { packetCell } from "./verdicts.js";
import { World } from "./world.js";

/** At once: the machines are emulated, and most of an attack is waiting for nothing to come. */
const atOnce = 8;

export interface PacketRun {
  readonly attacked: AttackedCluster;
  readonly shells: Shells;
  /** Attacks that are to be measured under a column. */
  wanted(column: Column): readonly PacketAttack[];
  /** Whether another attack may begin. */
  timeLeft(): boolean;
  record(attack: PacketAttack, column: Column, cell: Cell): void;
}

export async function runPackets({ attacked, shells, wanted, timeLeft, record }: PacketRun): Promise<void> {
  for (const column of columns) {
    const attacks = wanted(column);
    if (attacks.length === 0 || !timeLeft()) continue;
    const world = new World(attacked, column, shells);
    await world.restored();
    await putColumn(world);
    const queue = attacks.filter(({ disturbs }) => disturbs !== true);
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        for (let attack = queue.shift(); attack && timeLeft(); attack = queue.shift())
          record(attack, column, await attempt(world, attack));
      }),
    );
    for (const attack of attacks.filter(({ disturbs }) => disturbs === true))
      if (timeLeft()) record(attack, column, await attempt(world, attack));
  }
}

async function attempt(world: World, attack: PacketAttack): Promise<Cell> {
  const started = Date.now();
  const seconds = () => (Date.now() - started) / 1000;
  try {
    let cell = packetCell(world.column, await attack.run(world), seconds());
    // Something that should arrive did not: emulated machines stumble. What came in that must not is never asked again.
    if (!cell.ok && cell.verdict !== "open") cell = packetCell(world.column, await attack.run(world), seconds());
    say(`    ${attack.name} (${world.column}): ${cell.verdict}${cell.ok ? "" : ` NOT OK: ${cell.detail}`}`);
    return cell;
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    if (error instanceof NotApplicable) return { verdict: "not applicable", ok: true, detail };
    say(`    ${attack.name} (${world.column}): FAILED: ${detail}`);
    return { verdict: "failed", ok: false, detail, seconds: seconds() };
  }
}
