/** Bundles as the component makes them, for attacks that apply policies on a node without Pulumi. */
import {
  compileRuleset,
  normalizePolicy,
  type PolicyInput,
  renderBundle,
  renderPayload,
} from "../../../packages/swarm/src/firewall/index.js";
import type { ClusterNode } from "../../harness/src/index.js";

/** A port of a policy, as a user writes it. */
export interface Port {
  readonly port: number;
  readonly protocol?: "tcp" | "udp" | "sctp";
  readonly sources?: readonly string[];
}

/** The policy of program/index.ts, with more that is open where an attack needs it. */
export function attackPolicy(
  extra: readonly Port[] = [],
  more: Pick<PolicyInput, "hostServices" | "containerEgress"> = {},
): PolicyInput {
  const ports: Port[] = [
    { port: 80 },
    { port: 443 },
    { port: 8888 },
    { port: 9001, protocol: "udp" },
    { port: 9003, protocol: "sctp" },
    ...extra,
  ];
  return { publishedPorts: ports, trustedInterfaces: ["attk0"], ...more };
}

/** The bundle of a node of the attacked cluster; without `peers` those in force stay. */
export function bundleFor(
  node: Pick<ClusterNode, "name" | "role">,
  policy: PolicyInput,
  peers?: readonly string[],
): string {
  const name = node.name.slice("attack-".length);
  const payload = renderPayload(
    compileRuleset(normalizePolicy(policy), {
      name,
      pool: node.role,
      role: node.role,
      swarm: {},
      cgroupPath: "docker.slice",
    }),
  );
  return peers ? renderBundle({ payload, peers: [...peers] }) : payload;
}
