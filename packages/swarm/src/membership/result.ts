/** What the last step of a node prints: one line of JSON on its membership, one with the verification's report. */
import * as z from "zod";
import { parseReport, type Report } from "../verification";
import type { SwarmAccess } from "./survey";

const token = z.string().startsWith("SWMTKN-");
const membershipSchema = z.object({
  swarmId: z.string().min(1),
  nodeId: z.string().min(1),
  workerToken: token.optional(),
  managerToken: token.optional(),
  unlockKey: z.string().default(""),
});

export interface MemberResult {
  readonly swarmId: string;
  /** Of the node in its swarm. */
  readonly nodeId: string;
  /** Where the node told it; the tokens in it are secrets. */
  readonly access?: SwarmAccess;
  readonly report: Report;
}

/** The first line may hold the join tokens and is never quoted. */
export function memberResult(stdout: string): MemberResult {
  const [first = "", report, ...rest] = stdout.trim().split("\n");
  const parsed = membershipSchema.safeParse(jsonOf(first));
  if (!parsed.success || report === undefined || rest.length > 0)
    throw new Error("a node's last step printed something else than its membership and a report");
  const { swarmId, nodeId, workerToken, managerToken, unlockKey } = parsed.data;
  const told = workerToken !== undefined && managerToken !== undefined;
  const access = told && { swarmId, workerToken, managerToken, unlockKey };
  return { swarmId, nodeId, report: parseReport(report), ...(access ? { access } : {}) };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
