/** `pnpm test:attacks`: every named attack on every Docker version of the region's images, and the table of what came of them. */
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { phase, root, say } from "../../harness/src/index.js";
import { attacks } from "./attacks.js";
import { bootCluster, type Image, images } from "./cluster.js";
import { onlyOurs } from "./columns.js";
import { currentCommit, Results } from "./results.js";
import { runOnNodes } from "./runNode.js";
import { runPackets } from "./runPackets.js";
import { Shells } from "./shells.js";
import { type Attack, type Column, columns, NotApplicable } from "./types.js";
import { markdown, problems } from "./verdicts.js";

const help = `usage: pnpm test:attacks [--version IMAGE]... [--only NAME]... [--group GROUP] [--column NAME]... [--resume] [--minutes N] [--publish]

Boots one cluster for each Docker version and attacks it. The table is in test-output/attacks.md and attacks.json: what is measured
replaces what is there of the same attack, version and column; the rest stays. Each cell has its time and commit.

  --version IMAGE   ${images.join(", ")}; may be repeated (default: all three)
  --only NAME       only this attack; may be repeated
  --group GROUP     packets, drift or lifecycle
  --column NAME     only under this rule set; may be repeated: ${columns.join(", ")}. Without bare, closed proves nothing
  --resume          leave out what the table has, is as it must be, and hangs on nothing that has changed since: goes on after
                    an interruption, tries again what failed. Where there is no table yet, from the published one
  --minutes N       begin no attack after so many minutes, and say what is missing (default: no limit)
  --publish         keep the table in the repository as well: docs/attacks.md and test/swarm/attacks/published.json
  HCS_KEEP=1        leave the regions running, and start from their checkpoint the next time
`;

const { values } = parseArgs({
  options: {
    version: { type: "string", multiple: true },
    only: { type: "string", multiple: true },
    group: { type: "string" },
    column: { type: "string", multiple: true },
    resume: { type: "boolean", default: false },
    minutes: { type: "string" },
    publish: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

const output = join(root, "test-output");
const measured = join(output, "attacks.json");
/** The results that the repository keeps: hours of measuring, each cell with its time and commit. */
const published = { results: join(import.meta.dirname, "published.json"), table: join(root, "docs/attacks.md") };
const under = columns.filter((column) => values.column?.includes(column) ?? true);

interface Chosen {
  readonly versions: readonly Image[];
  readonly wanted: readonly Attack[];
  timeLeft(): boolean;
}

function chosen(): Chosen {
  const versions = images.filter((image) => values.version?.includes(image) ?? true);
  const minutes = values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes);
  const wrong = [
    ...(values.version ?? []).filter((name) => !images.some((image) => image === name)),
    ...(values.only ?? []).filter((name) => !attacks.some((attack) => attack.name === name)),
    ...(values.column ?? []).filter((name) => !columns.some((column) => column === name)),
    ...(values.group && !attacks.some(({ group }) => group === values.group) ? [values.group] : []),
  ];
  if (wrong.length > 0) throw new Error(`there is no ${wrong.join(" and no ")}\n\n${help}`);
  if (!(minutes > 0)) throw new Error(`--minutes wants a number above 0, not ${JSON.stringify(values.minutes)}`);
  const wanted = attacks.filter(
    ({ name, group }) => (values.only?.includes(name) ?? true) && (values.group ?? group) === group,
  );
  const end = Date.now() + minutes * 60_000;
  return { versions, wanted, timeLeft: () => Date.now() < end };
}

async function attackVersion(image: Image, { wanted, timeLeft }: Chosen, results: Results): Promise<void> {
  const record = (attack: Attack, column: Column, cell: Parameters<Results["record"]>[3]) => {
    results.record(image, attack, column, cell);
    save(results);
  };
  const missing = <A extends Attack>(some: readonly A[], column: Column) =>
    under.includes(column) ? some.filter((attack) => !results.done(image, attack, column)) : [];
  const packets = wanted.filter((attack) => attack.group === "packets");
  const others = wanted.filter((attack) => attack.group !== "packets");
  for (const column of columns)
    for (const attack of missing(others, column)) {
      try {
        onlyOurs(column, attack.group);
      } catch (error) {
        if (!(error instanceof NotApplicable)) throw error;
        record(attack, column, { verdict: "not applicable", ok: true, detail: error.message });
      }
    }
  if (columns.every((column) => missing(wanted, column).length === 0) || !timeLeft()) return;

  const attacked = await bootCluster(image);
  const shells = new Shells(attacked);
  try {
    await phase(`packet attacks on ${image}`, () =>
      runPackets({ attacked, shells, wanted: (column) => missing(packets, column), timeLeft, record }),
    );
    await phase(`drift and lifecycle on ${image}`, () =>
      runOnNodes({
        attacked,
        shells,
        attacks: missing(others, "ours"),
        timeLeft,
        record: (attack, cell) => record(attack, "ours", cell),
      }),
    );
  } finally {
    await shells.close();
    await attacked.stop();
  }
}

const table = (results: Results) =>
  markdown(Object.fromEntries(results.images().map((image) => [image, results.rows(image, attacks)])));

function save(results: Results): void {
  results.save();
  writeFileSync(join(output, "attacks.md"), table(results));
}

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const choice = chosen();
  mkdirSync(output, { recursive: true });
  if (values.resume && !existsSync(measured) && existsSync(published.results))
    copyFileSync(published.results, measured);
  const results = new Results(measured, await currentCommit());
  // Interrupted, it must not leave an old run's cells as if they were this one's.
  if (!values.resume)
    for (const image of choice.versions)
      for (const { name } of choice.wanted) for (const column of under) results.forget(image, name, column);
  const wrong: string[] = [];
  for (const image of choice.versions) {
    try {
      await attackVersion(image, choice, results);
    } catch (error) {
      wrong.push(`${image}: ${error instanceof Error ? error.message : String(error)}`);
    }
    const rows = results.rows(image, choice.wanted);
    wrong.push(...problems(rows, under).map((problem) => `${image}: ${problem}`));
  }
  save(results);
  if (values.publish) {
    copyFileSync(measured, published.results);
    writeFileSync(published.table, table(results));
  }
  process.stdout.write(`\n${table(results)}\n`);
  const failed = new Set(wrong.map((line) => /^[^:]+: [^:( ]+/.exec(line)?.[0] ?? line)).size;
  const total = choice.versions.length * choice.wanted.length;
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
