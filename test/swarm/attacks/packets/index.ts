import type { PacketAttack } from "../types.js";
import { containerAttacks } from "./containers.js";
import { overlayAttacks } from "./overlay.js";
import { publishedAttacks } from "./published.js";
import { routeAttacks } from "./routes.js";
import { v6Attacks } from "./v6.js";

export const packetAttacks: readonly PacketAttack[] = [
  ...publishedAttacks,
  ...v6Attacks,
  ...overlayAttacks,
  ...routeAttacks,
  ...containerAttacks,
];
