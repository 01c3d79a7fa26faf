/** Policy -> ruleset -> payload, and exposure. Pure: no Pulumi, no input or output. */
export { compileRuleset, defaultDataPathPort, type NodeFacts, type NodeRole, swarmPorts } from "./compile";
export { PayloadError, PolicyError, type PolicyProblem } from "./errors";
export { parsePayload, payloadWithoutPeers, peersOf, renderBundle, renderPayload, renderPeersOnly } from "./payload";
export { normalizePolicy, type Policy, type PolicyInput, policySchema, unknownScopeNames } from "./policy";
