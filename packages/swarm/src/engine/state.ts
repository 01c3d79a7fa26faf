/** What `pulumi stack export` prints, as far as it matters here. */
import * as z from "zod";

const resourceSchema = z.looseObject({
  urn: z.string(),
  id: z.string().optional(),
  parent: z.string().optional(),
  inputs: z.record(z.string(), z.unknown()).optional(),
});
export const stateSchema = z.object({
  deployment: z.object({
    resources: z.array(resourceSchema).nullish(),
    pending_operations: z.array(z.object({ type: z.string(), resource: resourceSchema })).nullish(),
  }),
});
export type StackState = z.output<typeof stateSchema>;
