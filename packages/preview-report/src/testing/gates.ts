import { evaluateGates, GATES } from "../gates/gates.js";
import type { reportOf } from "../preview.js";

type Report = Awaited<ReturnType<typeof reportOf>>["report"];

/** Names of the gates that a report fires, of all that there are, with no waiver. */
export function fired(report: Report): string[] {
  const every = GATES.map(([name]) => name);
  return evaluateGates(report, every, [], "2030-01-01")
    .results.filter((it) => it.open.length > 0)
    .map((it) => it.gate);
}
