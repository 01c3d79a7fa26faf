/** Policy -> ruleset -> payload, and exposure. Pure: no Pulumi, no input or output. */
export {
  type CloudFirewall,
  type CloudFirewallGap,
  type CloudFirewallOptions,
  type CloudFirewallRule,
  compileCloudFirewall,
  isSshRule,
} from "./cloudFirewall";
export { compileRuleset } from "./compile";
export { mergeEntries, type PolicyEntry, type PortOpening, type PortProtocol } from "./entries";
export { PolicyError, type PolicyProblem } from "./errors";
export { type ExposureDiff, type ExposureRow, exposureOf } from "./exposure";
export { defaultDataPathPort, type NodeFacts, type NodeRole, swarmPorts } from "./node";
export { payloadWithoutPeers, renderBundle, renderPayload, renderPeersOnly } from "./payload";
export {
  normalizePolicy,
  type Policy,
  type PolicyInput,
  type PortEntryInput,
  type PortInput,
  policySchema,
  unknownScopeNames,
} from "./policy";
export { policyEntries } from "./policyEntries";
export type { Ruleset } from "./ruleset";
