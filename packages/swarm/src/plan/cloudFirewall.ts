/** What of the policy the cloud firewall says, and what it cannot say and the program has not left to the hosts. */
import { InvalidArgumentError } from "../args/invalidArgument";
import {
  type CloudFirewall,
  type CloudFirewallGap,
  type CloudFirewallOptions,
  compileCloudFirewall,
  type NodeFacts,
  type Policy,
} from "../firewall";

export interface Fronted {
  /** For messages: `SwarmCluster "prod"`. */
  readonly component: string;
  readonly cloudFirewall: Required<Pick<CloudFirewallOptions, "beyondLimits">> & {
    readonly enabled: boolean;
    readonly existing?: object | undefined;
  };
  readonly policy: Policy;
  readonly nodes: readonly (Pick<NodeFacts, "name" | "pool"> & {
    readonly adopt?: object;
    readonly privateOnly?: boolean;
  })[];
}

const allowed: Readonly<Record<CloudFirewallGap["reason"], string>> = {
  protocol:
    "TCP and UDP, or cloudFirewall.enabled: false, or cloudFirewall.beyondLimits: pass for SCTP in the private network alone",
  networks: "fewer networks, or cloudFirewall.beyondLimits: pass, which lets everybody pass to the host's own rules",
  rules: "fewer ports, or cloudFirewall.enabled: false",
};

/**
 * The cloud firewall that says what the policy says. Adopted servers and those without a public address are not behind it.
 * @throws InvalidArgumentError where it cannot say it and the host alone may not be left to.
 */
export function cloudFirewallOf({ component, cloudFirewall, policy, nodes }: Fronted): CloudFirewall {
  const behind = nodes.filter((node) => node.adopt === undefined && node.privateOnly !== true);
  const compiled = compileCloudFirewall(policy, { beyondLimits: cloudFirewall.beyondLimits, nodes: behind });
  const refused = compiled.gaps.filter((gap) => gap.outcome === "refused");
  if (refused.length === 0) return compiled;
  throw new InvalidArgumentError(
    component,
    refused.map(({ reason, message }) => ({ path: "policy", given: message, allowed: allowed[reason] })),
  );
}

/**
 * Refuses the policy where a cloud firewall is going to be made that cannot say it.
 * @throws InvalidArgumentError as `cloudFirewallOf` does.
 */
export function refuseBeyondCloud(plan: Fronted): void {
  const { enabled, existing } = plan.cloudFirewall;
  const isMade = enabled && existing === undefined && plan.nodes.some((node) => node.adopt === undefined);
  if (isMade) cloudFirewallOf(plan);
}
