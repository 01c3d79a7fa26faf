/** What the last step of a host prints: one line of JSON. */
import * as z from "zod";

const reportSchema = z.object({
  node: z.string(),
  digest: z.string(),
  time: z.string(),
  passed: z.boolean(),
  checks: z.array(z.object({ name: z.string(), passed: z.boolean(), expected: z.string(), found: z.string() })),
});

const memberSchema = z.object({ report: reportSchema });
const initSchema = memberSchema.extend({
  swarmId: z.string().min(1),
  workerToken: z.string().startsWith("SWMTKN-"),
  managerToken: z.string().startsWith("SWMTKN-"),
});

export type MemberResult = z.infer<typeof memberSchema>;
export type InitResult = z.infer<typeof initSchema>;

/** Of the node that runs `init`. It holds the join tokens, so the text is never quoted. */
export function initResult(stdout: string): InitResult {
  return parse(initSchema, stdout);
}

/** Of every other host. */
export function memberResult(stdout: string): MemberResult {
  return parse(memberSchema, stdout);
}

function parse<S extends z.ZodType>(schema: S, stdout: string): z.output<S> {
  const result = schema.safeParse(jsonOf(stdout));
  if (result.success) return result.data;
  const paths = result.error.issues.map((issue) => issue.path.join(".") || "all of it").join(", ");
  throw new Error(`the last step of a host printed something unexpected: ${paths}`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
