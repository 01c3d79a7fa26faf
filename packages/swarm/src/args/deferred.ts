/** Arguments that are known later: outputs of other resources, which a policy may have among its sources. */
import * as pulumi from "@pulumi/pulumi";
import { type Policy, policySchema } from "../firewall";
import { isDeferred, parseArgument } from "./invalidArgument";
import type { PolicyArgs } from "./policy";

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

/** Whether anything in it is known only later. */
export function hasDeferred(value: unknown): boolean {
  if (isDeferred(value)) return true;
  return typeof value === "object" && value !== null && Object.values(value).some(hasDeferred);
}
