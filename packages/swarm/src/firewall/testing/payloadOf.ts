import { compileRuleset } from "../compile";
import type { NodeFacts } from "../node";
import { renderPayload } from "../payload";
import { normalizePolicy, type PolicyInput } from "../policy";

export function payloadOf(policy: PolicyInput, node: NodeFacts): string {
  return renderPayload(compileRuleset(normalizePolicy(policy), node));
}
