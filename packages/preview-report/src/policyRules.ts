/** The rules of the policy pack, as functions of plain data: the same reading of firewalls and policies as the report's. */
import { firewallRules, policyOpenings, type Rule } from "./exposure/rules.js";
import { isWorld } from "./exposure/sources.js";
import { asArray, asRecord, decode, UNKNOWN, type Value } from "./values/value.js";

export { UNKNOWN_SENTINEL } from "./values/value.js";

/** A resource as a policy sees it. */
export interface RuleResource {
  type: string;
  name: string;
  urn: string;
  /** Its inputs. Only these are read, and only where a rule needs them: reading what a preview cannot know may throw. */
  props: { readonly rules?: unknown; readonly policy?: unknown; readonly deleteProtection?: unknown };
  /** Pulumi's own protection. */
  protect: boolean;
}

export const POLICIES = {
  "world-open-ssh": "SSH is not open to the whole Internet.",
  "docker-ports": "2375, 2376, 2377, 4789 and 7946 are open to nobody outside.",
  "missing-protection": "Servers, volumes, networks and reserved addresses are protected from deletion.",
  "unhardened-server": "Every server is a member of a hcloud-swarm component, or has a HostHardening of its name.",
} as const;

export type PolicyName = keyof typeof POLICIES;

const DOCKER_PORTS = [2375, 2376, 2377, 4789, 7946];
const PROTECTED = [
  "server:Server",
  "volume:Volume",
  "network:Network",
  "primaryIp:PrimaryIp",
  "floatingIp:FloatingIp",
].map((it) => `hcloud:index/${it}`);

/** What a single resource violates: a sentence for each violation. What is unknown violates nothing: the update tells. */
export function violations(policy: Exclude<PolicyName, "unhardened-server">, resource: RuleResource): string[] {
  switch (policy) {
    case "missing-protection": {
      if (!PROTECTED.includes(resource.type) || resource.protect) return [];
      return resource.props.deleteProtection !== true ? ["has neither deleteProtection nor Pulumi's protect"] : [];
    }
    case "world-open-ssh": {
      const { rules, sshPorts } = rulesOf(resource);
      const open = rules.filter(
        (rule) =>
          rule.protocol !== "udp" && isWorld(rule.sources, rule.family) && sshPorts.some((port) => holds(rule, port)),
      );
      return open.length > 0 ? ["opens SSH to the whole Internet"] : [];
    }
    case "docker-ports": {
      const { rules } = rulesOf(resource);
      const open = DOCKER_PORTS.filter((port) => rules.some((rule) => holds(rule, port)));
      return open.length > 0 ? [`opens ${open.join(", ")}, which Docker and Swarm use among themselves`] : [];
    }
  }
}

/** Servers outside every component: the stack's violations, by the server's URN. */
export function unhardenedServers(resources: readonly RuleResource[]): { urn: string; message: string }[] {
  const hardened = new Set(
    resources.filter((it) => it.type === "hcloud-swarm:index:HostHardening").map((it) => it.name),
  );
  return resources
    .filter(
      (it) =>
        it.type === "hcloud:index/server:Server" && !it.urn.includes("hcloud-swarm:index:") && !hardened.has(it.name),
    )
    .map((it) => ({ urn: it.urn, message: `${it.name} is a server without hardening` }));
}

function rulesOf({ type, props }: RuleResource): { rules: readonly Rule[]; sshPorts: number[] } {
  if (type === "hcloud:index/firewall:Firewall") {
    const known = asArray(decode(props.rules)).filter(isKnown);
    return { rules: firewallRules(known).rules, sshPorts: [22] };
  }
  if (!type.startsWith("hcloud-swarm:index:")) return { rules: [], sshPorts: [] };
  const policy = asRecord(decode(props.policy));
  const { openings } = policy === undefined ? { openings: [] } : policyOpenings(policy);
  const ssh = openings.filter((it) => it.ssh).flatMap((it) => it.rules.map((rule) => rule.from));
  return { rules: openings.flatMap((it) => it.rules).filter((it) => !isDoubt(it)), sshPorts: [...new Set(ssh)] };
}

/** What the report reads an entry as that it does not understand: all ports, for nobody knows whom. */
function isDoubt({ protocol, sources }: Rule): boolean {
  return protocol === "any" && sources.ranges.length === 0;
}

/** A firewall's rule whose port is unknown would be read as one for all ports. */
function isKnown(rule: Value): boolean {
  const record = asRecord(rule);
  return record !== undefined && record.port !== UNKNOWN && record.protocol !== UNKNOWN;
}

function holds(rule: Rule, port: number): boolean {
  return rule.from <= port && port <= rule.to && !(rule.from === 0 && rule.to === 0);
}
