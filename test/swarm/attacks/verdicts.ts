/** From what was seen to what the table says. Pure. */
import { seedLines } from "./columns.js";
import type { Measured } from "./results.js";
import { type Cell, type Column, columns, type Seen, type Verdict } from "./types.js";

export type Cells = Partial<Record<Column, Measured>>;

/** One attack's row for one Docker version. */
export interface Row {
  readonly name: string;
  readonly group: string;
  readonly what: string;
  readonly cells: Cells;
  /** Columns whose cells hang on what has changed since they were measured. */
  readonly stale?: readonly Column[];
  /** There is more to say of it than its verdict. */
  readonly explained?: boolean;
}

const list = (seen: readonly Seen[]) => seen.map(({ label, detail }) => `${label} (${detail})`).join("; ");

/** A packet attack under one column. What Docker alone keeps out must say so beforehand, or the probe is no good. */
export function packetCell(column: Column, seen: readonly Seen[], seconds: number): Cell {
  const wrong = seen.filter(({ must, open }) => must === "closed" && open);
  const broken = seen.filter(({ must, open }) => must === "open" && !open);
  const closing = seen.some(({ must }) => must === "closed");
  // In the same run and under the same rules: without it, a dead listener or a probe that never left would be "blocked".
  if (!seen.some(({ must }) => must === "open"))
    return { verdict: "failed", ok: false, detail: `no positive control: ${list(seen)}`, seconds };
  if (column === "bare") {
    const unproved = seen.filter(
      ({ must, open, closedAnyway }) => must === "closed" && !open && closedAnyway === undefined,
    );
    const anyway = seen.filter(
      ({ must, open, closedAnyway }) => must === "closed" && !open && closedAnyway !== undefined,
    );
    const ok = unproved.length === 0 && broken.length === 0;
    const notes = [
      ...(unproved.length > 0 ? [`closed without a firewall too, so closed proves nothing: ${list(unproved)}`] : []),
      ...(broken.length > 0 ? [`does not work without a firewall: ${list(broken)}`] : []),
      ...anyway.map(({ label, closedAnyway }) => `${label}: ${closedAnyway}`),
    ];
    const verdict = !ok ? "failed" : wrong.length > 0 ? "open" : closing ? "blocked" : "works";
    return { verdict, ok, detail: notes.join("; ") || list(seen), seconds };
  }
  const verdict = wrong.length > 0 ? "open" : broken.length > 0 ? "broken" : closing ? "blocked" : "works";
  const ok = column !== "ours" || (wrong.length === 0 && broken.length === 0);
  const notes = [
    ...(wrong.length > 0 ? [`came in: ${list(wrong)}`] : []),
    ...(broken.length > 0 ? [`does not work: ${list(broken)}`] : []),
  ];
  return { verdict, ok, detail: notes.join("; ") || list(seen), seconds };
}

/** Rows whose cells are not as they must be; a row without a cell for a column is one too: nothing is skipped silently. */
export function problems(rows: readonly Row[], wanted: readonly Column[] = columns): string[] {
  return rows.flatMap(({ name, cells }) =>
    wanted.flatMap((column) => {
      const cell = cells[column];
      if (!cell) return [`${name}: nothing was measured under ${column}`];
      return cell.ok && cell.detail !== "" ? [] : [`${name} (${column}): ${cell.verdict}: ${cell.detail}`];
    }),
  );
}

/** When and at which commits the cells of a table were measured: it may have been put together from several runs. */
function provenance(rows: readonly Row[]): string {
  const cells = rows.flatMap((row) => Object.values(row.cells));
  const times = cells.map(({ at }) => at).sort();
  const commits = [...new Set(cells.map(({ commit }) => commit))].map(
    (commit) => `${commit} (${cells.filter((cell) => cell.commit === commit).length})`,
  );
  if (cells.length === 0) return "Nothing measured yet.";
  const stale = rows.reduce((sum, row) => sum + (row.stale?.length ?? 0), 0);
  const changed =
    stale === 0 ? "" : ` Of ${stale} cells the attack, the agent or the rules have changed in some way since.`;
  return `${cells.length} of ${rows.length * columns.length} cells measured, from ${times.at(0)} to ${times.at(-1)}, at commit ${commits.join(", ")}.${changed}`;
}

/** Verdicts that the table need not explain: whatever is open, broken or does not apply has its reason below it. */
const selfEvident: readonly Verdict[] = ["blocked", "works", "caught"];

const introduction = `# Attacks

Judged by payload received. "No firewall" is the positive control: what is closed there proves nothing elsewhere.

"The seed's four lines" are what this project grew out of, reconstructed, in place of ours on every node:

\`\`\`sh
${seedLines.join("\n")}
\`\`\`

"ufw-docker's approach" is that project's, in words of our own and for IPv4 as it documents it; its lines, too, are in
[columns.ts](../test/swarm/attacks/columns.ts). What each attack does stands beside its name in [test/swarm/attacks](../test/swarm/attacks).

Above each table are the times and commits of its cells; those of each cell, with what was seen, are in
[published.json](../test/swarm/attacks/published.json). A number in brackets is a reason below the table.
`;

/** Markdown: one table a version, one row an attack; reasons below it. */
export function markdown(results: Readonly<Record<string, readonly Row[]>>): string {
  const text = Object.entries(results).map(([version, rows]) => {
    const reasons: string[] = [];
    const cell = ({ cells, explained = false }: Row, column: Column): string => {
      const found: Cell | undefined = cells[column];
      if (!found) return "**not measured**";
      const mark = found.ok ? "" : " ✗";
      // Open with no firewall is what the others are compared with.
      const evident = selfEvident.includes(found.verdict) && !explained;
      if (found.ok && (evident || (column === "bare" && found.verdict === "open"))) return found.verdict;
      if (!reasons.includes(found.detail)) reasons.push(found.detail);
      return `${found.verdict}${mark} [${reasons.indexOf(found.detail) + 1}]`;
    };
    const lines = rows.map((row) => `| ${row.name} | ${columns.map((column) => cell(row, column)).join(" | ")} |`);
    return [
      `## ${version}`,
      "",
      provenance(rows),
      "",
      `| attack | no firewall | the seed's four lines | ufw-docker's approach | ours |`,
      `| --- | --- | --- | --- | --- |`,
      ...lines,
      "",
      ...reasons.map((reason, index) => `${index + 1}. ${reason.replaceAll("\n", " ").slice(0, 600)}`),
      "",
    ].join("\n");
  });
  return `${introduction}\n${text.join("\n")}`;
}
