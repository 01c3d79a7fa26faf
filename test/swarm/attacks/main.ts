/** `pnpm test:attacks`: every named attack on every Docker version of the region's images, and the table of what came of them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { phase, root, say } from "../../harness/src/index.js";
import { attacks } from "./attacks.js";
import { bootCluster, type Image, images } from "./cluster.js";
import { onlyOurs } from "./columns.js";
import { runOnNodes } from "./runNode.js";
import { runPackets } from "./runPackets.js";
import { Shells } from "./shells.js";
import { type Attack, type Cell, type Column, columns, NotApplicable } from "./types.js";
import { type Cells, markdown, problems, type Row } from "./verdicts.js";

const help = `usage: pnpm test:attacks [--version IMAGE]... [--only NAME]... [--group GROUP] [--column NAME]... [--help]

Boots one cluster for each Docker version and attacks it. The table goes to test-output/attacks.md and attacks.json.

  --version IMAGE   ${images.join(", ")}; may be repeated (default: all three)
  --only NAME       only this attack; may be repeated. The table then has nothing else
  --group GROUP     packets, drift or lifecycle
  --column NAME     only under this rule set; may be repeated: ${columns.join(", ")}. Without bare, closed proves nothing
  HCS_KEEP=1        leave the regions running, and start from their checkpoint the next time
`;

const { values } = parseArgs({
  options: {
    version: { type: "string", multiple: true },
    only: { type: "string", multiple: true },
    group: { type: "string" },
    column: { type: "string", multiple: true },
    help: { type: "boolean", short: "h", default: false },
  },
});

const output = join(root, "test-output");
const under = columns.filter((column) => values.column?.includes(column) ?? true);

function chosen(): { versions: readonly Image[]; wanted: readonly Attack[] } {
  const versions = images.filter((image) => values.version?.includes(image) ?? true);
  const wrong = [
    ...(values.version ?? []).filter((name) => !images.some((image) => image === name)),
    ...(values.only ?? []).filter((name) => !attacks.some((attack) => attack.name === name)),
    ...(values.column ?? []).filter((name) => !columns.some((column) => column === name)),
    ...(values.group && !attacks.some(({ group }) => group === values.group) ? [values.group] : []),
  ];
  if (wrong.length > 0) throw new Error(`there is no ${wrong.join(" and no ")}\n\n${help}`);
  const wanted = attacks.filter(
    ({ name, group }) => (values.only?.includes(name) ?? true) && (values.group ?? group) === group,
  );
  return { versions, wanted };
}

async function attackVersion(image: Image, wanted: readonly Attack[], save: (rows: readonly Row[]) => void) {
  const cells = new Map<string, Cells>();
  const rows = () => wanted.map(({ name, group, what }): Row => ({ name, group, what, cells: cells.get(name) ?? {} }));
  const record = (attack: Attack, column: Column, cell: Cell) => {
    cells.set(attack.name, { ...cells.get(attack.name), [column]: cell });
    save(rows());
  };
  const attacked = await bootCluster(image);
  const shells = new Shells(attacked);
  try {
    const packets = wanted.filter((attack) => attack.group === "packets");
    await phase(`packet attacks on ${image}`, () => runPackets(attacked, shells, packets, under, record));
    const others = wanted.filter((attack) => attack.group !== "packets");
    for (const attack of others)
      for (const column of columns) {
        try {
          onlyOurs(column, attack.group);
        } catch (error) {
          if (!(error instanceof NotApplicable)) throw error;
          record(attack, column, { verdict: "not applicable", ok: true, detail: error.message });
        }
      }
    if (under.includes("ours"))
      await phase(`drift and lifecycle on ${image}`, () =>
        runOnNodes(attacked, shells, others, (attack, cell) => record(attack, "ours", cell)),
      );
  } finally {
    await shells.close();
    await attacked.stop();
  }
  return rows();
}

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const { versions, wanted } = chosen();
  mkdirSync(output, { recursive: true });
  const results: Record<string, readonly Row[]> = {};
  const save = () => {
    writeFileSync(join(output, "attacks.json"), `${JSON.stringify(results, null, 2)}\n`);
    writeFileSync(join(output, "attacks.md"), markdown(results));
  };
  const wrong: string[] = [];
  for (const image of versions) {
    try {
      const rows = await attackVersion(image, wanted, (partial) => {
        results[image] = partial;
        save();
      });
      wrong.push(...problems(rows, under).map((problem) => `${image}: ${problem}`));
    } catch (error) {
      wrong.push(`${image}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  save();
  process.stdout.write(`\n${markdown(results)}\n`);
  const failed = new Set(wrong.map((line) => line.split(" (")[0])).size;
  const total = Object.values(results).reduce((sum, rows) => sum + rows.length, 0);
  if (wrong.length > 0) process.stdout.write(`NOT as it must be:\n${wrong.map((line) => `  - ${line}`).join("\n")}\n`);
  say(`table: ${join("test-output", "attacks.md")}`);
  process.stdout.write(`${Math.max(total - failed, 0)} passed, ${failed} failed\n`);
  return wrong.length === 0 && total > 0 ? 0 : 1;
}

main().then(
  (status) => process.exit(status),
  (error) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
