/**
 * The nodes are maintained one after the other, when everything else of the deployment is done. Each takes five steps: `prepare`
 * on the node, for all nodes before the first one is touched; `drain` on a manager; `work` on the node; `verify` on it, over a
 * connection of its own because the work may have restarted it; `activate` on the manager. Pulumi runs what depends on nothing
 * unfinished at once: every node's drain depends on the node before being back, and a step that fails ends the row.
 */
import * as pulumi from "@pulumi/pulumi";
import { activateProgram, drainProgram } from "../maintenance/managerProgram";
import { prepareProgram, verifyProgram, workProgram } from "../maintenance/nodeProgram";
import { type MaintenanceSettings, planMaintenance, type Turn, tokenOf } from "../maintenance/plan";
import type { SwarmNode } from "../membership/plan";
import { maintenanceStep, type StepPlace } from "../remote/steps";

export interface MaintainedNode extends SwarmNode {
  readonly serverName: string;
  readonly place: StepPlace;
  /** Its id in the swarm. */
  readonly swarmNodeId: pulumi.Output<string>;
}

export interface MaintenanceContext {
  readonly owner: { readonly component: pulumi.Resource };
  readonly timeouts: { readonly boot: number; readonly swarm: number; readonly drain: number };
  /** Steps that come before any maintenance. */
  readonly after: readonly pulumi.Resource[];
  /** Where managers lock themselves. */
  readonly unlockKey?: pulumi.Output<string>;
}

/** While a node restarts its dials are refused at once, and count as much as those that nobody answers. */
const refusedDials = 3;

/** Gives what ends when no node is away any more. */
export function maintainNodes(
  nodes: readonly MaintainedNode[],
  settings: MaintenanceSettings,
  { owner, timeouts, after, unlockKey }: MaintenanceContext,
): readonly pulumi.Resource[] {
  const token = tokenOf(settings);
  const parent = owner.component;
  const part = (turn: Turn, kind: string) => {
    const node = must(nodes, turn.node);
    const about = { ...settings, token, name: node.serverName };
    return { node, about, name: `${node.place.name}-maintenance-${kind}`, parent };
  };
  const prepared = planMaintenance(nodes, settings).map((turn) => {
    const { node, about, name } = part(turn, "prepare");
    const { target, identity } = node.place;
    const title = `${node.serverName}, ${turn.text}`;
    const step = maintenanceStep({
      ...{ name, parent, target, identity, title, dependsOn: after, isDue: true },
      program: prepareProgram(about),
      waitSeconds: settings.timeout,
    });
    return { turn, step, isDue: step.stdout.apply((said) => said.trim() === "todo") };
  });
  let before: readonly pulumi.Resource[] = prepared.map(({ step }) => step);
  for (const { turn, isDue } of prepared) {
    const { node, about } = part(turn, "");
    const { target, identity } = node.place;
    const manager = must(nodes, turn.via).place.target;
    const title = (what: string) => `${node.serverName}, maintenance ${settings.number}: ${what}`;
    const step = (
      kind: string,
      what: string,
      on: "node" | "manager",
      program: pulumi.Input<string>,
      waitSeconds: number,
      dialSeconds?: number,
    ) =>
      maintenanceStep({
        ...{ name: part(turn, kind).name, parent, title: title(what), isDue, program, waitSeconds, dependsOn: before },
        ...(on === "manager"
          ? { target: manager }
          : { target: { ...target, ...(dialSeconds && { dialSeconds }) }, identity }),
      });
    const bounds = { waitSeconds: timeouts.swarm, drainSeconds: timeouts.drain };
    const swarmNode = node.swarmNodeId.apply((id) => ({ ...about, ...bounds, id }));
    const drainWaits = 3 * timeouts.swarm + timeouts.drain;
    before = [step("drain", "drained", "manager", swarmNode.apply(drainProgram), drainWaits)];
    before = [step("work", "upgraded and restarted", "node", workProgram(about), settings.timeout)];
    const returning = { ...about, waitSeconds: timeouts.boot };
    const key = node.role === "manager" ? unlockKey : undefined;
    const verified = step(
      "verify",
      "verified",
      "node",
      key === undefined
        ? verifyProgram(returning)
        : key.apply((known) => verifyProgram({ ...returning, unlockKey: known })),
      4 * timeouts.boot,
      timeouts.boot * refusedDials,
    );
    before = [verified];
    const outcome = pulumi
      .all([swarmNode, verified.stdout])
      .apply(([plan, said]) => ({ ...plan, outcome: (said ?? "").trim() }));
    before = [step("activate", "put back to work", "manager", outcome.apply(activateProgram), 2 * timeouts.swarm)];
  }
  return before;
}

function must<N extends SwarmNode>(nodes: readonly N[], name: string): N {
  const found = nodes.find((node) => node.name === name);
  if (found === undefined) throw new Error(`there is no node ${name}`);
  return found;
}
