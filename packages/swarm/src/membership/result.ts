/** What the last step of a node prints: on the one that runs `init` the swarm in one line of JSON, on all of them the report. */
import * as z from "zod";
import { parseReport, type Report } from "../verification";

const swarmSchema = z.object({
  swarmId: z.string().min(1),
  workerToken: z.string().startsWith("SWMTKN-"),
  managerToken: z.string().startsWith("SWMTKN-"),
});

export type InitResult = z.infer<typeof swarmSchema> & { readonly report: Report };

/** Of the node that runs `init`. Its first line holds the join tokens and is never quoted. */
export function initResult(stdout: string): InitResult {
  const [swarm = "", report, ...rest] = stdout.trim().split("\n");
  const parsed = swarmSchema.safeParse(jsonOf(swarm));
  if (!parsed.success || report === undefined || rest.length > 0)
    throw new Error("the first manager's last step printed something else than a swarm and a report");
  return { ...parsed.data, report: parseReport(report) };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
