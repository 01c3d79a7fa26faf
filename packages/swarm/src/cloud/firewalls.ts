/** The cloud firewalls in front of the servers: what of the policy Hetzner Cloud can say too. */
import { createHash } from "node:crypto";
import type * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";
import { isSshRule, type Policy } from "../firewall";
import { cloudFirewallOf, type Fronted } from "../plan/cloudFirewall";
import type { Existing } from "./infrastructure";

interface Fronting {
  readonly cloudFirewall: { readonly existing?: Existing | undefined };
}

/** What `infrastructure.ts` makes them of. */
export function cloudFirewalls(plan: Fronted & Fronting, policy: pulumi.Output<Policy>, selector: string) {
  const rules = () => policy.apply((complete) => cloudRulesOf({ ...plan, policy: complete }));
  const { port, sources } = plan.policy.ssh;
  const sshDigest = createHash("sha256")
    .update(JSON.stringify([port, sources]))
    .digest("hex")
    .slice(0, 8);
  return { ...plan.cloudFirewall, rules, sshDigest, selector };
}

export interface CloudRules {
  readonly ssh: hcloud.types.input.FirewallRule[];
  readonly others: hcloud.types.input.FirewallRule[];
}

/**
 * The rules of the cloud firewall that say what the policy says, those of SSH apart. Warns of what is left to the hosts.
 * @throws InvalidArgumentError where it cannot say it and the host alone may not be left to.
 */
function cloudRulesOf(plan: Fronted): CloudRules {
  const { rules, gaps } = cloudFirewallOf(plan);
  for (const gap of gaps) void pulumi.log.warn(`${plan.component}: ${gap.message}`);
  const inputs = (some: typeof rules) => some.map((rule) => ({ ...rule, sourceIps: [...rule.sourceIps] }));
  return { ssh: inputs(rules.filter(isSshRule)), others: inputs(rules.filter((rule) => !isSshRule(rule))) };
}
