import type { DriftAttack } from "../types.js";
import { backendDrifts } from "./backends.js";
import { ruleDrifts } from "./rules.js";

export const driftAttacks: readonly DriftAttack[] = [...ruleDrifts, ...backendDrifts];
