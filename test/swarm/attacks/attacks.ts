import { driftAttacks } from "./drift/index.js";
import { lifecycleAttacks } from "./lifecycle/index.js";
import { packetAttacks } from "./packets/index.js";
import type { Attack } from "./types.js";

/** Every attack, in the order in which they run. */
export const attacks: readonly Attack[] = [...packetAttacks, ...driftAttacks, ...lifecycleAttacks];
