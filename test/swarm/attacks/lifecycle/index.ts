import type { LifecycleAttack } from "../types.js";
import { agentAttacks } from "./agent.js";
import { bootAttacks } from "./boots.js";
import { dockerAttacks } from "./docker.js";
import { policyAttacks } from "./policies.js";

export const lifecycleAttacks: readonly LifecycleAttack[] = [
  ...dockerAttacks,
  ...agentAttacks,
  ...policyAttacks,
  ...bootAttacks,
];
