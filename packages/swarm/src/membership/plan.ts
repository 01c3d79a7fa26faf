/**
 * In what order the nodes of a cluster become a swarm. Plain data in, plain data out.
 */

export interface SwarmNode {
  readonly name: string;
  readonly role: "manager" | "worker";
  /** Present where the node was there before the program, perhaps in a swarm already. */
  readonly adopt?: unknown;
}

export interface MembershipStep {
  readonly node: string;
  /** `init` starts the swarm, or recognizes the one that the node already manages; `join` enters it. */
  readonly action: "init" | "join";
  readonly role: "manager" | "worker";
  /** The node whose step must be done before this one starts; none for `init`. */
  readonly after?: string;
}

/**
 * The first manager (adopted ones before those that are made, then by name, numbers counted as numbers) starts the swarm, or
 * tells of the one that it is in. The other managers join one after another,
 * because each changes the quorum; workers join all at once as soon as there is a swarm to join.
 */
export function planMembership(nodes: readonly SwarmNode[]): readonly MembershipStep[] {
  const managers = byName(nodes.filter((node) => node.role === "manager"));
  const workers = byName(nodes.filter((node) => node.role === "worker"));
  const [first] = managers;
  if (first === undefined) throw new Error("a swarm needs a manager");
  return [
    ...managers.map((node, index): MembershipStep => {
      const before = managers[index - 1];
      return before === undefined
        ? { node: node.name, action: "init", role: "manager" }
        : { node: node.name, action: "join", role: "manager", after: before.name };
    }),
    ...workers.map((node): MembershipStep => ({ node: node.name, action: "join", role: "worker", after: first.name })),
  ];
}

function byName(nodes: readonly SwarmNode[]): readonly SwarmNode[] {
  const isMade = ({ adopt }: SwarmNode) => Number(adopt === undefined);
  return [...nodes].sort((a, b) => isMade(a) - isMade(b) || a.name.localeCompare(b.name, "en", { numeric: true }));
}
