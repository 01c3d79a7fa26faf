/**
 * Tells what a deployment that was cut off left in Hetzner Cloud from everything else there. Everything that a component makes is born
 * with a label of the attempt that made it, a number of chance. Pulumi writes down what it is about to make before it does; when its
 * engine is killed, that note stays in the stack's state, with the label. So what bears the label of such a note, and is none of the
 * stack's resources, was made by this stack and by nobody else, and nothing was ever done with it: all else of a node comes after Pulumi
 * has written its server down. Plain data in, plain data out.
 */
import * as z from "zod";
import type { StackState } from "../engine/state";

export const attemptLabel = "hcloud-swarm-attempt";

/** Something in Hetzner Cloud, as its API lists it. */
export const foundSchema = z.looseObject({
  id: z.number().int(),
  name: z.string(),
  labels: z.record(z.string(), z.string()).default({}),
});
export type Found = z.output<typeof foundSchema>;

/** What Pulumi is about to make. */
export interface Creation {
  readonly urn: string;
  readonly name: string;
  /** Labels of this attempt, whose note is there already. */
  readonly attempts: readonly unknown[];
}

export type Verdict = "leftOver" | "ours" | "unknown";

/** What something is that has the name of what is about to be made. */
export function judge(found: Found, creation: Creation, { deployment }: StackState): Verdict {
  const kind = kindOf(creation.urn);
  const isOurs = (deployment.resources ?? []).some(({ urn, id }) => id === String(found.id) && kindOf(urn) === kind);
  if (isOurs) return "ours";
  const attempt = found.labels[attemptLabel];
  if (attempt === undefined || attempt === "" || creation.attempts.includes(attempt)) return "unknown";
  const isNoted = (deployment.pending_operations ?? []).some(
    ({ type, resource: { urn, inputs } }) =>
      type === "creating" &&
      urn === creation.urn &&
      inputs?.name === creation.name &&
      found.name === creation.name &&
      labelOf(inputs) === attempt,
  );
  return isNoted ? "leftOver" : "unknown";
}

/** The label of an attempt among a resource's inputs. */
export function labelOf(inputs: Readonly<Record<string, unknown>> | undefined): unknown {
  const labels = inputs?.labels;
  return typeof labels === "object" && labels !== null ? Reflect.get(labels, attemptLabel) : undefined;
}

/** `urn:pulumi:dev::app::hcloud-swarm:index:SwarmCluster$hcloud:index/server:Server::prod-a` is a `hcloud:index/server:Server`. */
export function kindOf(urn: string): string {
  return urn.split("::")[2]?.split("$").at(-1) ?? "";
}
