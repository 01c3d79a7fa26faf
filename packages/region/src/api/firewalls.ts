/** Firewalls: rules, what they are applied to, and what that means for one server. */
import { z } from "zod";
import type { FirewallRule } from "../backend.js";
import { startAction } from "./actions.js";
import { canonicalCidr } from "./addresses.js";
import { ApiError, invalidField } from "./errors.js";
import { labelsSchema, parseSelector, selectorOf } from "./labels.js";
import {
  type Action,
  type AppliedTo,
  assertNameFree,
  byId,
  concerns,
  type Firewall,
  type Rule,
  removeById,
  type Server,
  type State,
  takeId,
} from "./state.js";
import { idSchema, nameSchema } from "./validation.js";

const MAX_RULES = 50;
const MAX_CIDRS = 100;
/** Rules counted once for each of their CIDRs. */
const MAX_EFFECTIVE_RULES = 500;
const MAX_FIREWALLS_PER_SERVER = 5;

const PORT = /^([1-9][0-9]{0,4})(?:-([1-9][0-9]{0,4}))?$/;

function validPort(text: string): boolean {
  if (text === "any") return true;
  const [, from, to = from] = PORT.exec(text) ?? [];
  return from !== undefined && Number(from) <= Number(to) && Number(to) <= 65535;
}

const cidrSchema = z.string().transform((text, context) => {
  const canonical = canonicalCidr(text);
  if (canonical !== undefined) return canonical;
  context.addIssue({ code: "custom", message: "must be in CIDR block notation without host bits" });
  return z.NEVER;
});
const cidrsSchema = z.array(cidrSchema).max(MAX_CIDRS).default([]);

const ruleSchema = z
  .object({
    direction: z.enum(["in", "out"]),
    protocol: z.enum(["tcp", "udp", "icmp", "esp", "gre"]),
    port: z.string().nullable().default(null),
    source_ips: cidrsSchema,
    destination_ips: cidrsSchema,
    description: z.string().max(255).nullable().default(null),
  })
  .superRefine((rule, context) => {
    const refuse = (field: string, message: string) => context.addIssue({ code: "custom", message, path: [field] });
    const portless = rule.protocol !== "tcp" && rule.protocol !== "udp";
    if (portless && rule.port !== null) refuse("port", `must not be given for protocol ${rule.protocol}`);
    if (!portless && rule.port === null) refuse("port", `is required for protocol ${rule.protocol}`);
    if (!portless && rule.port !== null && !validPort(rule.port)) refuse("port", "must be a port or a port range");
    const [used, unused] =
      rule.direction === "in"
        ? (["source_ips", "destination_ips"] as const)
        : (["destination_ips", "source_ips"] as const);
    if (rule[used].length === 0) refuse(used, `is required for direction ${rule.direction}`);
    if (rule[unused].length > 0) refuse(unused, `must be empty for direction ${rule.direction}`);
  });

const rulesSchema = z
  .array(ruleSchema)
  .max(MAX_RULES)
  .refine(
    (rules) =>
      rules.reduce((sum, rule) => sum + rule.source_ips.length + rule.destination_ips.length, 0) <= MAX_EFFECTIVE_RULES,
    { error: `more than ${MAX_EFFECTIVE_RULES} effective rules` },
  );

const resourceSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("server"), server: z.object({ id: idSchema }) }),
  z.object({
    type: z.literal("label_selector"),
    label_selector: z.object({
      selector: z.string().refine((text) => parseSelector(text) !== undefined, { error: "is not a label selector" }),
    }),
  }),
]);

export const createFirewallSchema = z.object({
  name: nameSchema,
  rules: rulesSchema.default([]),
  apply_to: z.array(resourceSchema).default([]),
  labels: labelsSchema.default({}),
});
export const setRulesSchema = z.object({ rules: rulesSchema });
export const applySchema = z.object({ apply_to: z.array(resourceSchema).min(1) });
export const removeSchema = z.object({ remove_from: z.array(resourceSchema).min(1) });

type ResourceInput = z.output<typeof resourceSchema>;
type RuleInput = z.output<typeof ruleSchema>;

function ruleOf(input: RuleInput): Rule {
  return {
    direction: input.direction,
    protocol: input.protocol,
    port: input.port,
    sourceIps: input.source_ips,
    destinationIps: input.destination_ips,
    description: input.description,
  };
}

function appliedToOf(input: ResourceInput): AppliedTo {
  return input.type === "server"
    ? { type: "server", serverId: input.server.id }
    : { type: "label_selector", selector: input.label_selector.selector };
}

function isSame(a: AppliedTo, b: AppliedTo): boolean {
  if (a.type === "server") return b.type === "server" && a.serverId === b.serverId;
  return b.type === "label_selector" && a.selector === b.selector;
}

function hasPublicInterface(state: State, serverId: number): boolean {
  return state.primaryIps.some((ip) => ip.serverId === serverId);
}

function selectedBy(state: State, applied: AppliedTo): Server[] {
  if (applied.type === "server") return state.servers.filter((server) => server.id === applied.serverId);
  const selects = selectorOf(applied.selector);
  return state.servers.filter((server) => selects(server.labels) && hasPublicInterface(state, server.id));
}

/** The Firewalls on a server's public interface, applied directly or by a label selector. */
export function firewallsOf(state: State, server: Server): Firewall[] {
  return state.firewalls.filter((firewall) =>
    firewall.appliedTo.some((applied) => selectedBy(state, applied).some((item) => item.id === server.id)),
  );
}

/** Throws when a server would get more Firewalls than the API allows, by whichever way. */
export function assertFirewallLimit(state: State): void {
  for (const server of state.servers) {
    if (firewallsOf(state, server).length > MAX_FIREWALLS_PER_SERVER) {
      throw new ApiError(
        "resource_limit_exceeded",
        `server ${server.name} would have more than ${MAX_FIREWALLS_PER_SERVER} firewalls`,
      );
    }
  }
}

/**
 * What the backend enforces for a server: the union of the rules of its Firewalls; undefined when it has none. The same
 * rule of two Firewalls appears once.
 */
export function effectiveRules(state: State, server: Server): FirewallRule[] | undefined {
  const firewalls = firewallsOf(state, server);
  if (firewalls.length === 0) return undefined;
  const rules = new Map<string, FirewallRule>();
  for (const rule of firewalls.flatMap((firewall) => firewall.rules)) {
    const effective: FirewallRule = {
      direction: rule.direction,
      protocol: rule.protocol,
      ...(rule.port === null ? {} : { port: rule.port === "any" ? "1-65535" : rule.port }),
      cidrs: rule.direction === "in" ? rule.sourceIps : rule.destinationIps,
    };
    rules.set(JSON.stringify(effective), effective);
  }
  return [...rules.values()];
}

function startApplyActions(
  state: State,
  now: string,
  command: "apply_firewall" | "remove_firewall",
  firewallId: number,
  servers: readonly number[],
): Action[] {
  const firewall = { id: firewallId, type: "firewall" };
  if (servers.length === 0) return [startAction(state, now, { command, resources: [firewall] })];
  return servers.map((id) => startAction(state, now, { command, resources: [firewall, { id, type: "server" }] }));
}

/** Servers by the Firewalls that they have now: to find out what a change of labels or resources did. */
export function firewallIdsByServer(state: State): Map<number, number[]> {
  return new Map(state.servers.map((server) => [server.id, firewallsOf(state, server).map((firewall) => firewall.id)]));
}

/** Actions for the servers that gained or lost a Firewall since `before`, as the API starts them for label selectors. */
export function startSelectorActions(state: State, now: string, before: Map<number, number[]>): Action[] {
  return [...firewallIdsByServer(state)].flatMap(([serverId, after]) => {
    const had = before.get(serverId) ?? [];
    const gained = after.filter((id) => !had.includes(id));
    const lost = had.filter((id) => !after.includes(id));
    return [
      ...gained.flatMap((id) => startApplyActions(state, now, "apply_firewall", id, [serverId])),
      ...lost.flatMap((id) => startApplyActions(state, now, "remove_firewall", id, [serverId])),
    ];
  });
}

function addResource(
  state: State,
  firewall: Firewall,
  input: ResourceInput,
  repeated: "server_already_added" | "firewall_already_applied",
): AppliedTo {
  const applied = appliedToOf(input);
  if (applied.type === "server") {
    if (!state.servers.some((server) => server.id === applied.serverId)) {
      throw new ApiError("firewall_resource_not_found", `server with ID '${applied.serverId}' not found`);
    }
    if (!hasPublicInterface(state, applied.serverId)) {
      throw new ApiError("private_net_only_server", "the server has no public interface");
    }
  }
  if (firewall.appliedTo.some((item) => isSame(item, applied))) {
    throw new ApiError(repeated, "the firewall is already applied to the resource");
  }
  firewall.appliedTo.push(applied);
  return applied;
}

function startApplying(state: State, now: string, firewall: Firewall, applied: readonly AppliedTo[]): Action[] {
  assertFirewallLimit(state);
  return applied.flatMap((item) =>
    startApplyActions(
      state,
      now,
      "apply_firewall",
      firewall.id,
      selectedBy(state, item).map((server) => server.id),
    ),
  );
}

export function createFirewall(
  state: State,
  now: string,
  input: z.output<typeof createFirewallSchema>,
): { firewall: Firewall; actions: Action[] } {
  assertNameFree(state.firewalls, input.name, "firewall");
  const firewall: Firewall = {
    id: takeId(state),
    name: input.name,
    labels: input.labels,
    created: now,
    rules: input.rules.map(ruleOf),
    appliedTo: [],
  };
  state.firewalls.push(firewall);
  const applied = input.apply_to.map((resource) => addResource(state, firewall, resource, "server_already_added"));
  const setRules = { command: "set_firewall_rules", resources: [{ id: firewall.id, type: "firewall" }] };
  const actions = firewall.rules.length > 0 ? [startAction(state, now, setRules)] : [];
  return { firewall, actions: [...actions, ...startApplying(state, now, firewall, applied)] };
}

export function setRules(state: State, now: string, id: number, rules: readonly RuleInput[]): Action[] {
  const firewall = byId(state.firewalls, id, "firewall");
  firewall.rules = rules.map(ruleOf);
  const resource = { id, type: "firewall" };
  const servers = state.servers.filter((server) => firewallsOf(state, server).includes(firewall));
  return [
    startAction(state, now, { command: "set_firewall_rules", resources: [resource] }),
    ...servers.map((server) =>
      startAction(state, now, {
        command: "apply_firewall",
        resources: [resource, { id: server.id, type: "server" }],
      }),
    ),
  ];
}

export function applyToResources(state: State, now: string, id: number, resources: readonly ResourceInput[]): Action[] {
  const firewall = byId(state.firewalls, id, "firewall");
  const applied = resources.map((resource) => addResource(state, firewall, resource, "firewall_already_applied"));
  return startApplying(state, now, firewall, applied);
}

/** Resources that the Firewall is not applied to are passed over, as the API does since August 2025. */
export function removeFromResources(
  state: State,
  now: string,
  id: number,
  resources: readonly ResourceInput[],
): Action[] {
  const firewall = byId(state.firewalls, id, "firewall");
  return resources.flatMap((resource) => {
    const unwanted = appliedToOf(resource);
    if (unwanted.type === "server" && !state.servers.some((server) => server.id === unwanted.serverId)) {
      throw new ApiError("firewall_resource_not_found", `server with ID '${unwanted.serverId}' not found`);
    }
    const servers = selectedBy(state, unwanted).map((server) => server.id);
    const index = firewall.appliedTo.findIndex((applied) => isSame(applied, unwanted));
    if (index >= 0) firewall.appliedTo.splice(index, 1);
    else if (selectedByLabels(state, firewall, unwanted)) {
      throw new ApiError("firewall_managed_by_label_selector", "the firewall is applied through a label selector");
    }
    return startApplyActions(state, now, "remove_firewall", id, servers);
  });
}

function selectedByLabels(state: State, firewall: Firewall, resource: AppliedTo): boolean {
  return (
    resource.type === "server" &&
    state.servers.some((server) => server.id === resource.serverId && firewallsOf(state, server).includes(firewall))
  );
}

export function deleteFirewall(state: State, id: number): void {
  const firewall = byId(state.firewalls, id, "firewall");
  if (firewall.appliedTo.length > 0) throw new ApiError("resource_in_use", "firewall is still in use");
  removeById(state.firewalls, id);
}

/** Applies Firewalls to a server that is being made: no action of its own, the server's creation covers it. */
export function applyAtCreation(state: State, serverId: number, firewallIds: readonly number[]): void {
  if (firewallIds.length === 0) return;
  if (new Set(firewallIds).size !== firewallIds.length) throw invalidField("firewalls", "names a firewall twice");
  if (!hasPublicInterface(state, serverId)) {
    throw new ApiError("private_net_only_server", "a server without public interface cannot have firewalls");
  }
  for (const id of firewallIds) {
    const firewall = state.firewalls.find((item) => item.id === id);
    if (!firewall) throw invalidField("firewalls", `firewall with ID '${id}' not found`);
    firewall.appliedTo.push({ type: "server", serverId });
  }
}

export function forgetServer(state: State, serverId: number): void {
  for (const firewall of state.firewalls) {
    firewall.appliedTo = firewall.appliedTo.filter(
      (applied) => applied.type !== "server" || applied.serverId !== serverId,
    );
  }
}

/** `pending` while an action that brings the Firewall to the server runs. */
export function firewallStatus(state: State, firewallId: number, serverId: number): "applied" | "pending" {
  const pending = state.actions.some(
    (action) =>
      action.status === "running" && concerns(action, "firewall", firewallId) && concerns(action, "server", serverId),
  );
  return pending ? "pending" : "applied";
}

function appliedToView(state: State, applied: AppliedTo) {
  if (applied.type === "server") return { type: applied.type, server: { id: applied.serverId } };
  return {
    type: applied.type,
    label_selector: { selector: applied.selector },
    applied_to_resources: selectedBy(state, applied).map((server) => ({ type: "server", server: { id: server.id } })),
  };
}

export function firewallView(state: State, firewall: Firewall) {
  return {
    id: firewall.id,
    name: firewall.name,
    labels: firewall.labels,
    created: firewall.created,
    rules: firewall.rules.map((rule) => ({
      direction: rule.direction,
      protocol: rule.protocol,
      port: rule.port,
      source_ips: rule.sourceIps,
      destination_ips: rule.destinationIps,
      description: rule.description,
    })),
    applied_to: firewall.appliedTo.map((applied) => appliedToView(state, applied)),
  };
}
