/** The report for a terminal: plain lines. Its texts are printable already; nothing else needs escaping here. */
import type { GateOutcome } from "../gates/gates.js";
import type { Report } from "../report/report.js";
import { nameList } from "./names.js";
import { countsText, DANGER_WORDS, exposureVerb, highlights, verdict } from "./words.js";

export function renderText(report: Report, gates?: GateOutcome): string {
  const lines: string[] = [];
  const section = (title: string, items: readonly string[]) => {
    if (items.length > 0) lines.push("", title, ...items.map((item) => `  ${item}`));
  };
  lines.push(`Preview of ${report.stack || "a stack"}${report.project ? ` in ${report.project}` : ""}`);
  lines.push(`${verdict(report)}. ${countsText(report)}.`);
  const points = highlights(report);
  if (points.length > 0) lines.push(`${points.join(", ")}.`);
  section("Do not rely on what is missing here", report.problems);
  section("Gates", gateLines(gates));
  section(
    "Errors",
    report.errors.map((it) => `${it.resource ? `${it.resource}: ` : ""}${indent(it.message)}`),
  );
  section("Danger", [
    ...report.danger.map((it) => `${DANGER_WORDS[it.kind] ?? it.kind}: ${it.what}: ${nameList(it.subjects, 150)}`),
    ...report.quorum.map((it) => `Managers of ${it.cluster}: ${it.text}`),
  ]);
  const row = (it: Report["exposure"]["changes"][number]) =>
    `${exposureVerb(it)}: ${it.protocol}${it.port === "-" ? "" : `/${it.port}`} ${it.families.join(", ")}: ${it.before}${it.worldBefore ? " (world)" : ""} -> ${it.after}${it.worldAfter ? " (world)" : ""}: ${nameList(it.nodes, 40)}`;
  section("Exposure", [
    ...report.exposure.changes.map(row),
    ...report.exposure.doubts.map((it) => `unknown: ${it.doubt}: ${nameList(it.nodes, 40)}`),
  ]);
  section(
    "Trust",
    report.trust.map((it) => `${it.kind} ${it.what}: ${it.before} -> ${it.after}: ${nameList(it.subjects, 40)}`),
  );
  section(
    "Commands that will run",
    report.commands.map((it) => `${it.name} ${it.what} (${it.host})`),
  );
  section(
    "User-data",
    report.userData.map(
      (it) =>
        `${nameList(it.subjects, 40)}: ${it.linesBefore} -> ${it.linesAfter}; sections: ${it.sections.join(", ") || "none"}`,
    ),
  );
  section(
    "Policy packs",
    report.policy.violations.map(
      (it) => `${it.level}: ${it.pack}: ${it.policy}: ${it.resource || "the stack"}: ${indent(it.message)}`,
    ),
  );
  section("Not known", report.unknowns);
  section(
    "Changed outside Pulumi",
    report.drift.map((it) => `${it.what}: ${it.type} ${it.name}`),
  );
  section(
    "Changed resources",
    report.changes.map(
      (it) => `${it.action}: ${it.type} ${it.name}${it.keys.length > 0 ? ` [${it.keys.join(", ")}]` : ""}`,
    ),
  );
  section(
    "Warnings",
    report.warnings.map((it) => `${it.resource ? `${it.resource}: ` : ""}${indent(it.message)}`),
  );
  return `${lines.join("\n")}\n`;
}

/** What each gate found, what is waived and which waivers do not count. */
export function gateLines(gates: GateOutcome | undefined): string[] {
  if (!gates) return [];
  const lines: string[] = [];
  for (const { gate, exitCode, open, waived } of gates.results) {
    if (open.length > 0)
      lines.push(
        `${gate} stops this change (exit code ${exitCode}): ${nameList(
          open.map((it) => it.subject),
          20,
        )}`,
      );
    const reasons = new Set(waived.map((it) => `${gate} is waived until ${it.expires}: ${it.reason}`));
    lines.push(...reasons);
  }
  for (const { waiver, why } of gates.rejected) {
    lines.push(`a waiver for ${waiver.gate}${waiver.resource ? ` (${waiver.resource})` : ""} does not count: ${why}`);
  }
  return lines;
}

function indent(message: string): string {
  return message.replace(/\n/g, "\n    ");
}
