/**
 * Warns in a preview of what a deployment is going to refuse for the swarm's quorum. Hooks see what the program does not: who were
 * the managers before, and that a server is to be made that the stack has had.
 */
import { AsyncResource } from "node:async_hooks";
import { randomUUID } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { callsHooks } from "../engine/hooks";
import { stackStates, thisStack } from "../engine/stackState";
import type { StackState } from "../engine/state";
import { foreseen } from "../membership/foresight";
import type { ClusterPlan } from "../plan/cluster";

export interface QuorumForesight {
  /** The component's own options, and the hook that sees its managers change. */
  optionsOf(given: pulumi.ComponentResourceOptions | undefined): pulumi.ComponentResourceOptions;
  /** For servers of managers. */
  readonly onServer: readonly pulumi.ResourceHook[];
}

export type Foreseeing = Pick<ClusterPlan, "component" | "prefix" | "nodes">;

export function quorumForesight(plan: Foreseeing, name: string): QuorumForesight {
  if (!pulumi.runtime.isDryRun() || !callsHooks("supportsResourceHooks"))
    return { optionsOf: (given) => given ?? {}, onServer: [] };
  const namesOf = (role: string) => plan.nodes.filter((node) => node.role === role).map((node) => node.serverName);
  const [managers, workers] = [namesOf("manager"), namesOf("worker")];
  const state = stackStates(thisStack());
  const gone = new Set<string>();
  const said = new Set<string>();
  const look = async (before: readonly string[]): Promise<void> => {
    const reason = foreseen({ before, gone, managers, workers });
    if (reason === undefined || said.has(reason)) return;
    said.add(reason);
    await pulumi.log.warn(`${plan.component}: 'up' is going to refuse this, as far as a preview can tell: ${reason}`);
  };
  const onChange = ({ oldInputs }: pulumi.ResourceHookArgs) => look(managersIn(oldInputs, plan.prefix));
  const onServer = async ({ urn, newInputs }: pulumi.ResourceHookArgs): Promise<void> => {
    // A preview is none the worse for it.
    const known = await state().catch((error: unknown) => void pulumi.log.debug(String(error)));
    if (known === undefined) return;
    const before = managersBefore(known, urn, name, plan.prefix);
    const server: unknown = newInputs?.name;
    if (typeof server !== "string" || !before.includes(server)) return;
    gone.add(server);
    await look(before);
  };
  // Nothing of this may keep anybody from a preview. Hooks are called out of the component's context.
  const hook = (title: string, run: pulumi.ResourceHookFunction) =>
    new pulumi.ResourceHook(`hcloud-swarm-${title}-${randomUUID()}`, AsyncResource.bind(run), {
      onDryRun: true,
      ignoreErrors: true,
    });
  const changed = hook("quorum", onChange);
  return {
    optionsOf: (given = {}) => ({
      ...given,
      hooks: { ...given.hooks, beforeUpdate: [...(given.hooks?.beforeUpdate ?? []), changed] },
    }),
    onServer: [hook("manager", onServer)],
  };
}

const nodesSchema = z.object({
  nodes: z.record(
    z.string(),
    z.looseObject({ role: z.string(), server: z.string().optional(), adopted: z.boolean().default(false) }),
  ),
});

/**
 * Names of the managers' servers in what the component is registered with; none where it is of another shape. Servers that it makes
 * have the cluster's name of today in front, which may have been another one.
 */
function managersIn(inputs: unknown, prefix: string): readonly string[] {
  const { data } = nodesSchema.safeParse(inputs);
  return Object.entries(data?.nodes ?? {})
    .filter(([, { role }]) => role === "manager")
    .map(([name, { server, adopted }]) => {
      if (server === undefined) return `${prefix}-${name}`;
      const [, part] = new RegExp(`-(${name}(-r\\d+)?)$`).exec(server) ?? [];
      return adopted || part === undefined ? server : `${prefix}-${part}`;
    });
}

/** The managers of a cluster whose swarm has begun, from the stack as it was written down last. */
function managersBefore({ deployment }: StackState, server: string, name: string, prefix: string): readonly string[] {
  const resources = deployment.resources ?? [];
  const founder = resources.find(({ urn, parent }) => urn.endsWith(`::${name}-founder`) && isParentOf(parent, server));
  const component = resources.find(({ urn }) => urn === founder?.parent);
  return managersIn(component?.inputs, prefix);
}

/** `urn:pulumi:dev::app::a:b:Cluster::prod` is a parent of `urn:pulumi:dev::app::a:b:Cluster$hcloud:index/server:Server::prod-m1`. */
function isParentOf(parent: string | undefined, child: string): boolean {
  return parent !== undefined && child.startsWith(`${parent.split("::").slice(0, -1).join("::")}$`);
}
