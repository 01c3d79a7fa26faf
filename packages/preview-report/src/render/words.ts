/** What the report says in every format. */

import { newlyWorld } from "../gates/gates.js";
import type { ExposureEntry, Report } from "../report/report.js";

export const DANGER_WORDS: Record<string, string> = {
  "delete-server": "Server deleted",
  "replace-server": "Server replaced",
  quorum: "Quorum",
  reboot: "Power-off or restart",
  "data-loss": "Data or address lost",
  "lost-protection": "Protection lost",
};

export function countsText(report: Report): string {
  const { create, update, replace, delete: gone, other, same } = report.counts;
  const parts = [
    [create, "to create"],
    [update, "to update"],
    [replace, "to replace"],
    [gone, "to delete"],
    [other, "to import or other"],
  ] as const;
  const shown = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  const half = report.status === "failed" || report.status === "incomplete";
  const all = shown.length > 0 || report.status === "no-changes" ? shown : ["nothing to change"];
  return `${half ? "Seen so far: " : ""}${[...all, `${same} unchanged`].join(", ")}`;
}

/** The one thing to read, in a few words. */
export function verdict(report: Report): string {
  if (report.status === "incomplete") return "Incomplete: this is not the whole preview";
  if (report.status === "failed") return "The preview failed";
  if (report.status === "no-changes") return "No changes";
  const world = report.exposure.changes.filter(newlyWorld).length;
  if (report.danger.length > 0) return "Dangerous changes";
  if (world > 0) return "Opens ports to the world";
  return report.exposure.changes.length > 0 ? "Changes exposure" : "Changes, none of them dangerous";
}

/** The verdict's second line: what to look at. */
export function highlights(report: Report): string[] {
  const result: string[] = [];
  const subjects = report.danger.reduce((sum, it) => sum + it.subjects.length, 0);
  if (subjects > 0) result.push(plural(subjects, "danger", "dangers"));
  const { changes, doubts } = report.exposure;
  const opening = changes.filter((it) => ["opens", "widens", "changes"].includes(it.kind)).length;
  const closing = changes.filter((it) => ["closes", "narrows"].includes(it.kind)).length;
  if (opening > 0)
    result.push(`${plural(opening, "opening", "openings")} (${changes.filter(newlyWorld).length} to the world)`);
  if (closing > 0) result.push(plural(closing, "closing", "closings"));
  if (doubts.length > 0 || changes.some((it) => it.kind === "unknown")) result.push("exposure partly unknown");
  if (report.trust.length > 0) result.push(`${plural(report.trust.length, "change", "changes")} of trust`);
  const live = report.commands.filter((it) => it.host === "live").length;
  if (live > 0) result.push(`${plural(live, "command", "commands")} on live hosts`);
  const mandatory = report.policy.violations.filter((it) => it.level === "mandatory").length;
  if (mandatory > 0) result.push(plural(mandatory, "mandatory policy violated", "mandatory policies violated"));
  return result;
}

export function exposureVerb(entry: ExposureEntry): string {
  if (newlyWorld(entry)) return entry.before === "unknown" ? "open to the world" : "opens to the world";
  return entry.kind === "same" ? "unchanged" : entry.kind === "unknown" ? "not known yet" : entry.kind;
}

export function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
