/** What a measured cell hangs on: once that has changed, it has to be measured again. */
import { createHash } from "node:crypto";
import { agentScript } from "../../../packages/swarm/src/host/agentSources.js";
import { attackPolicy, bundleFor } from "./bundles.js";
import { linesOf } from "./columns.js";
import type { Attack, Column } from "./types.js";

/** A digest of the attack as it is written and of what it attacks; what the attack calls is not part of it. */
export function basisOf(attack: Attack, column: Column): string {
  const written = JSON.stringify(attack, (_, value: unknown) =>
    typeof value === "function" || value instanceof RegExp ? String(value) : value,
  );
  const attacked =
    column === "ours" ? [agentScript, ...nodes.map((node) => bundleFor(node, attackPolicy()))] : linesOf(column);
  return createHash("sha256")
    .update([written, ...attacked].join("\0"))
    .digest("hex")
    .slice(0, 12);
}

const nodes = [
  { name: "attack-manager-1", role: "manager" },
  { name: "attack-worker-1", role: "worker" },
] as const;
