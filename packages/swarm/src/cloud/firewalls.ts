/** The cloud firewalls in front of the servers: what of the policy Hetzner Cloud can say too. */
import { createHash } from "node:crypto";
import type * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";
import { InvalidArgumentError } from "../args/invalidArgument";
import { type CloudFirewallOptions, compileCloudFirewall, type Policy } from "../firewall";
import { onlySsh } from "../plan/policy";

type CloudFirewallPlan = Required<Pick<CloudFirewallOptions, "beyondLimits">>;

/** What `infrastructure.ts` makes them of. */
export function cloudFirewalls<P extends { enabled: boolean } & CloudFirewallPlan>(
  plan: { readonly component: string; readonly cloudFirewall: P; readonly policy: Policy },
  policy: pulumi.Output<Policy>,
  selector: string,
) {
  const rules = () => policy.apply((complete) => cloudRulesOf(plan.component, complete, plan.cloudFirewall));
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
 * The rules of the cloud firewall that say what the policy says, those of SSH apart.
 * @throws InvalidArgumentError where it cannot say it and the host alone may not be left to.
 */
export function cloudRulesOf(component: string, policy: Policy, { beyondLimits }: CloudFirewallPlan): CloudRules {
  const { rules, gaps } = compileCloudFirewall(policy, { beyondLimits });
  const refused = gaps.filter((gap) => gap.outcome === "refused");
  if (refused.length > 0) {
    const allowed = "what a Hetzner Cloud Firewall can say, or cloudFirewall.beyondLimits: pass";
    throw new InvalidArgumentError(
      component,
      refused.map(({ entry, message }) => ({ path: "policy", given: `${entry} (${message})`, allowed })),
    );
  }
  for (const gap of gaps) void pulumi.log.warn(`${component}: ${gap.message}`);
  const nothingButSsh = { ...onlySsh(policy), icmp: { echo: false } };
  const ssh = new Set(compileCloudFirewall(nothingButSsh, { beyondLimits }).rules.map((rule) => rule.description));
  const all = rules.map((rule) => ({ ...rule, sourceIps: [...rule.sourceIps] }));
  return {
    ssh: all.filter((rule) => ssh.has(rule.description)),
    others: all.filter((rule) => !ssh.has(rule.description)),
  };
}
