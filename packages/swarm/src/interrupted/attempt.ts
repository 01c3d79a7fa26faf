/**
 * What an interrupted deployment left in Hetzner Cloud is taken out of the way before the same thing is made again: names can be had
 * once in a project. See `leftover.ts` for how it is known, and docs/interrupted.md for what a person sees.
 */
import { AsyncResource } from "node:async_hooks";
import { randomBytes, randomUUID } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { callsHooks } from "../engine/hooks";
import { stackStates, thisStack } from "../engine/stackState";
import type { StackState } from "../engine/state";
import { cloudAccess } from "./access";
import { type CloudAccess, type CloudKind, kinds, lookUp, remove } from "./cloud";
import { useOf } from "./keys";
import { attemptLabel, type Creation, judge, kindOf, labelOf } from "./leftover";

/** What everything that a component makes under a name of its own is born with. */
export interface Attempt {
  readonly labels: Readonly<Record<string, pulumi.Input<string>>>;
  readonly hooks: pulumi.ResourceHookBinding;
  /** The label stays what it was when the thing was made. */
  readonly ignoreChanges: string[];
}

const nothing: Attempt = { labels: {}, hooks: {}, ignoreChanges: [] };
const attempts = new WeakMap<pulumi.Resource, Attempt>();

/** That of this deployment, the same for all that a component makes. */
export function attemptOf(component: pulumi.Resource): Attempt {
  const known = attempts.get(component) ?? (callsHooks("supportsResourceHooks") ? newAttempt(component) : nothing);
  attempts.set(component, known);
  return known;
}

function newAttempt(component: pulumi.Resource): Attempt {
  const own = randomBytes(8).toString("hex");
  // A preview's would be another one than that of the deployment which was previewed.
  const label = pulumi.runtime.isDryRun() ? pulumi.output(pulumi.unknown as unknown as string) : own;
  const access = cloudAccess(component).catch(() => undefined);
  const state = stackStates(thisStack());
  const before = async ({ urn, newInputs }: pulumi.ResourceHookArgs): Promise<void> => {
    const kind = kinds[kindOf(urn)];
    const wanted: unknown = newInputs?.name;
    if (kind === undefined || typeof wanted !== "string") return;
    const creation = { urn, name: wanted, attempts: [own, labelOf(newInputs)] };
    const way = access.then((known) => known && makeWay(component, known, state, kind, creation));
    await way.catch(
      // Hetzner Cloud has the last word: it refuses a name that is taken.
      (error: unknown) => pulumi.log.debug(`what has the name ${wanted} is not known: ${String(error)}`, component),
    );
  };
  // Hooks are called out of the component's context, where there may be no engine to log with.
  const hook = new pulumi.ResourceHook(`hcloud-swarm-attempt-${randomUUID()}`, AsyncResource.bind(before));
  return {
    labels: { [attemptLabel]: label },
    hooks: { beforeCreate: [hook] },
    ignoreChanges: [`labels["${attemptLabel}"]`],
  };
}

/** Deletes what has the name, where it is left over; says so where it cannot be told or has to stay. */
async function makeWay(
  component: pulumi.Resource,
  access: CloudAccess,
  state: () => Promise<StackState>,
  kind: CloudKind,
  creation: Creation,
): Promise<void> {
  const found = await lookUp(access, kind, creation.name);
  if (found === undefined) return;
  const what = `${kind.title} ${creation.name} (${found.id})`;
  const warn = (text: string): Promise<void> => pulumi.log.warn(`${what} is in the way: ${text}`, component);
  const byHand = `'hcloud ${kind.command} delete ${found.id}', then deploy again`;
  const asItIs = kind.path === "ssh_keys" ? `. Where it is the same key and to stay: ${useOf(found)}` : "";
  const verdict = await state().then(
    (known) => judge(found, creation, known),
    () => "untold" as const,
  );
  if (verdict === "ours") return await warn("this stack has it already, and a name can be had once");
  if (verdict !== "leftOver") {
    const why =
      verdict === "unknown" ? "this stack does not know it" : "'pulumi stack export' does not tell whose it is";
    return await warn(
      `${why}. If an interrupted deployment of this stack made it, and nobody else: ${byHand}${asItIs}`,
    );
  }
  await pulumi.log.info(`${what} was left by an interrupted deployment, and is deleted`, component);
  await remove(access, kind, found).catch((error: Error) => warn(`${error.message}. By hand: ${byHand}`));
}
