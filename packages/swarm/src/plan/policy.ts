/** From the policy that a component is given to the payload of each node. */
import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { InvalidArgumentError, isDeferred, parseArgument } from "../args/invalidArgument";
import type { PolicyArgs } from "../args/policy";
import {
  compileRuleset,
  exposureOf,
  type NodeFacts,
  type Policy,
  PolicyError,
  payloadWithoutPeers,
  policySchema,
  renderPayload,
} from "../firewall";

/** Stands for a source that is known later, in the check of everything else (TEST-NET-1, RFC 5737). */
const placeholder = "192.0.2.1";

/** The arguments as far as they are known, for a schema to check before anything is created. */
export function knownNow(value: unknown): unknown {
  if (isDeferred(value)) return placeholder;
  if (Array.isArray(value)) return value.map(knownNow);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, knownNow(inner)]));
}

/** The policy with every source known. `checked` is what the constructor found in `args`, placeholders in it. */
export function completePolicy(
  component: string,
  args: PolicyArgs | undefined,
  checked: Policy,
): pulumi.Output<Policy> {
  if (!hasDeferred(args)) return pulumi.output(checked);
  return pulumi.output(args).apply((known) => parseArgument(component, policySchema, known, "policy"));
}

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

/** Everything that the outside can reach, one key for each port of a node: a port that opens is one new key. */
export function exposureTable(
  policy: Policy,
  nodes: readonly Pick<NodeFacts, "name" | "pool">[],
): Record<string, string[]> {
  const table: Record<string, string[]> = {};
  for (const { node, protocol, port, source } of exposureOf(policy, nodes)) {
    const key = `${node} ${protocol}/${port}`;
    table[key] = [...(table[key] ?? []), source];
  }
  return table;
}

/** The name by which a host agent knows a payload: SHA-256, in hex, of the bundle without its peers. */
export function digestOf(bundle: string): string {
  return createHash("sha256").update(payloadWithoutPeers(bundle)).digest("hex");
}

function hasDeferred(value: unknown): boolean {
  if (isDeferred(value)) return true;
  return typeof value === "object" && value !== null && Object.values(value).some(hasDeferred);
}
