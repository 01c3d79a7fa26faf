/** From the policy to the payload of each node, and to what the outside can reach. */
import { createHash } from "node:crypto";
import { InvalidArgumentError } from "../args/invalidArgument";
import {
  compileRuleset,
  exposureOf,
  type NodeFacts,
  type Policy,
  PolicyError,
  payloadWithoutPeers,
  renderPayload,
} from "../firewall";
import { anySource } from "../firewall/entries";

/**
 * The payload of one node.
 * @throws InvalidArgumentError where the policy cannot hold on it.
 */
export function payloadOf(component: string, policy: Policy, node: NodeFacts): string {
  try {
    return renderPayload(compileRuleset(policy, node));
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    throw new InvalidArgumentError(
      component,
      error.problems.map((problem) => ({ ...problem, path: `policy.${problem.path}` })),
    );
  }
}

/**
 * What a server boots with whose policy is too long for user-data. Nothing is published before its policy comes over SSH, so
 * nothing is missed.
 */
export function onlySsh(policy: Policy): Policy {
  return { ...policy, publishedPorts: [], hostServices: [] };
}

/**
 * Everything that the outside can reach, one key for each port of a node: a port that opens is one new key. What a load balancer
 * listens on is open to everybody, for Hetzner Cloud filters nothing there. Its name is none that a node can have.
 */
export function exposureTable(
  policy: Policy,
  nodes: readonly Pick<NodeFacts, "name" | "pool">[],
  services: readonly { readonly listenPort: number }[] = [],
): Record<string, string[]> {
  const table: Record<string, string[]> = {};
  for (const { node, protocol, port, source } of exposureOf(policy, nodes)) {
    const key = `${node} ${protocol}/${port}`;
    table[key] = [...(table[key] ?? []), source];
  }
  for (const { listenPort } of services) table[`loadBalancer tcp/${listenPort}`] = [...anySource];
  return table;
}

/** The name by which a host agent knows a payload: SHA-256, in hex, of the bundle without its peers. */
export function digestOf(bundle: string): string {
  return createHash("sha256").update(payloadWithoutPeers(bundle)).digest("hex");
}
