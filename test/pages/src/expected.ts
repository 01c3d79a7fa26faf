/** The tables that a report must have as a page, from its JSON: header and number of rows. Written apart from what renders them. */
import type { Report } from "../../../packages/preview-report/src/index.js";

export interface ExpectedTable {
  name: string;
  head: string[];
  rows: number;
}

const EXPOSURE = ["Change", "Protocol", "Port", "Family", "Before", "After", "Nodes"];

/** In the order of the page; tables without rows are left out of it. */
export function expectedTables(report: Report): ExpectedTable[] {
  const { exposure, policy } = report;
  const groups = new Set(report.commands.map((it) => `${it.host} ${it.what}`));
  return [
    { name: "danger", head: ["What", "Why", "Where"], rows: report.danger.length + report.quorum.length },
    { name: "exposure", head: EXPOSURE, rows: exposure.changes.length },
    { name: "trust", head: ["What", "", "Before", "After", "Where"], rows: report.trust.length },
    { name: "commands", head: ["On", "What", "Commands"], rows: groups.size },
    { name: "user-data", head: ["Servers", "Before", "After", "Sections that change"], rows: report.userData.length },
    {
      name: "policy",
      head: ["Level", "Policy", "Resource", "Message"],
      rows: policy.known ? policy.violations.length : 0,
    },
    { name: "changes", head: ["Change", "Type", "Name", "Properties"], rows: report.changes.length },
    { name: "unchanged", head: EXPOSURE, rows: exposure.unchanged.length },
    { name: "drift", head: ["What", "Type", "Name"], rows: report.drift.length },
  ].filter((it) => it.rows > 0);
}
