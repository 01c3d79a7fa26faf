/** The rules of the policy pack, as functions of plain data: the same reading of firewalls and policies as the report's. */
import { firewallRules, policyOpenings, type Rule } from "./exposure/rules.js";
import { isWorld } from "./exposure/sources.js";
import { asRecord, decode, type ValueRecord } from "./values/value.js";

/** A resource as a policy sees it. */
export interface RuleResource {
  type: string;
  name: string;
  urn: string;
  props: unknown;
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

/** What a single resource violates: a sentence for each violation. */
export function violations(policy: Exclude<PolicyName, "unhardened-server">, resource: RuleResource): string[] {
  const props: ValueRecord = asRecord(decode(resource.props)) ?? Object.create(null);
  switch (policy) {
    case "missing-protection": {
      const missing = PROTECTED.includes(resource.type) && !resource.protect && props.deleteProtection !== true;
      return missing ? ["has neither deleteProtection nor Pulumi's protect"] : [];
    }
    case "world-open-ssh": {
      const { rules, sshPorts } = rulesOf(resource.type, props);
      const open = rules.filter(
        (rule) =>
          rule.protocol !== "udp" && isWorld(rule.sources, rule.family) && sshPorts.some((port) => holds(rule, port)),
      );
      return open.length > 0 ? ["opens SSH to the whole Internet"] : [];
    }
    case "docker-ports": {
      const { rules } = rulesOf(resource.type, props);
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

function rulesOf(type: string, props: ValueRecord): { rules: readonly Rule[]; sshPorts: number[] } {
  if (type === "hcloud:index/firewall:Firewall") return { rules: firewallRules(props.rules).rules, sshPorts: [22] };
  if (!type.startsWith("hcloud-swarm:index:")) return { rules: [], sshPorts: [] };
  const { openings } = policyOpenings(props.policy);
  const ssh = openings.filter((it) => it.ssh).flatMap((it) => it.rules.map((rule) => rule.from));
  return { rules: openings.flatMap((it) => it.rules), sshPorts: [...new Set(ssh)] };
}

function holds(rule: Rule, port: number): boolean {
  return rule.from <= port && port <= rule.to && !(rule.from === 0 && rule.to === 0);
}
