/**
 * Which node is maintained when, by which manager it is taken away and put back, and what a preview says of it. Plain data in,
 * plain data out.
 */
import { planMembership, type SwarmNode } from "../membership/plan";

export interface MaintenanceSettings {
  /** Which maintenance it is; a node remembers the highest that it has had. */
  readonly number: number;
  readonly upgrade: "none" | "docker" | "all";
  /** First parts of the version that Docker is to have on every node. */
  readonly dockerVersion?: string | undefined;
  readonly reboot: boolean;
  /** Bound of fetching, and of installing, a node's packages, in seconds. */
  readonly timeout: number;
}

export interface Turn {
  readonly node: string;
  readonly role: "manager" | "worker";
  /** The manager that drains the node and puts it back to work: another one, where there is one. */
  readonly via: string;
  /** What is going to happen to the node, in words. */
  readonly text: string;
}

/**
 * One node after the other: workers, then managers, and last the one through which the others are drained. Names are ordered
 * with numbers counted as numbers.
 */
export function planMaintenance(nodes: readonly SwarmNode[], settings: MaintenanceSettings): readonly Turn[] {
  const order = planMembership(nodes);
  const managers = order.filter(({ role }) => role === "manager").map(({ node }) => node);
  const [first = "", ...others] = managers;
  const workers = order.filter(({ role }) => role === "worker").map(({ node }) => node);
  return [...workers, ...others, first].map((node): Turn => {
    const role = workers.includes(node) ? "worker" : "manager";
    const via = managers.find((manager) => manager !== node) ?? node;
    const isOnlyManager = role === "manager" && managers.length === 1;
    return { node, role, via, text: textOf(settings, { isOnlyManager, isOnlyNode: nodes.length === 1 }) };
  });
}

/** Names this maintenance on the nodes and in the swarm: a label's value. */
export function tokenOf({ number, dockerVersion }: MaintenanceSettings): string {
  return dockerVersion === undefined ? String(number) : `${number}-${dockerVersion}`;
}

function textOf(settings: MaintenanceSettings, { isOnlyManager, isOnlyNode }: Record<string, boolean>): string {
  const { number, upgrade, dockerVersion, reboot } = settings;
  const packages = [
    ...(dockerVersion === undefined ? [] : [`Docker ${dockerVersion} where it has another`]),
    ...(number > 0 && upgrade === "docker" ? [dockerVersion === undefined ? "newest Docker" : "newest of it"] : []),
    ...(number > 0 && upgrade === "all" ? ["all packages upgraded"] : []),
  ];
  const done = [
    isOnlyNode ? "not drained, for there is no other node: services are away meanwhile" : "drained",
    ...packages,
    ...(number > 0 && reboot ? ["restarted"] : []),
    "verified",
    ...(isOnlyNode ? [] : ["active again"]),
  ];
  const note = isOnlyManager && !isOnlyNode ? "; the only manager: the swarm cannot be changed meanwhile" : "";
  return `maintenance ${number}: ${done.join(", ")}${note}`;
}
