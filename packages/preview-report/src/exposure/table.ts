/** Who lets what in, before and after: the components' policies and the plain firewalls of the stack, as one table. */
import { type Cluster, isComponent, SERVER } from "../model/cluster.js";
import type { Resource, Side, StackModel } from "../model/stack.js";
import { asArray, asRecord, asText, at, UNKNOWN, type Value } from "../values/value.js";
import { diffRules, type ExposureChange } from "./diff.js";
import {
  FAMILIES,
  firewallRules,
  openings,
  policyOpenings,
  type Rule,
  type RuleSet,
  ruleSet,
  unfiltered,
} from "./rules.js";
import { matchesSelector } from "./selector.js";
import type { Family } from "./sources.js";

export interface ExposureRow extends ExposureChange {
  nodes: string[];
  /** True where the port is the one that SSH listens on, as far as the input says. */
  ssh: boolean;
  /** True where nothing filters at all. */
  unfiltered: boolean;
}

export interface ExposureTable {
  /** Changes first, unchanged openings after. */
  rows: ExposureRow[];
  /** What could not be told, by the nodes that it concerns. */
  doubts: { doubt: string; nodes: string[]; changed: boolean }[];
}

type Which = "before" | "after";
const CLOSED = ruleSet([]);
const FIREWALL = "hcloud:index/firewall:Firewall";
const ATTACHMENT = "hcloud:index/firewallAttachment:FirewallAttachment";
const LB_SERVICE = "hcloud:index/loadBalancerService:LoadBalancerService";

export function exposureTable(model: StackModel, clusters: readonly Cluster[]): ExposureTable {
  const nodes = new Map<string, { before: RuleSet; after: RuleSet; ssh: Set<number> }>();
  const put = (name: string, which: Which, set: RuleSet, ssh: Iterable<number>) => {
    const entry = nodes.get(name) ?? { before: CLOSED, after: CLOSED, ssh: new Set<number>() };
    entry[which] = set;
    for (const port of ssh) entry.ssh.add(port);
    nodes.set(name, entry);
  };
  for (const which of ["before", "after"] as const) {
    for (const cluster of clusters) clusterRules(cluster, which, put);
    const plain = new PlainFirewalls(model, which);
    for (const [name, set] of plain.servers()) put(name, which, set, [22]);
    for (const [name, set] of loadBalancers(model, which)) put(name, which, set, []);
  }
  return tableOf(nodes);
}

/** Nodes of equal sets before and after are compared once. */
function tableOf(nodes: ReadonlyMap<string, { before: RuleSet; after: RuleSet; ssh: Set<number> }>): ExposureTable {
  const groups = new Map<string, { before: RuleSet; after: RuleSet; ssh: Set<number>; nodes: string[] }>();
  for (const [name, { before, after, ssh }] of nodes) {
    const key = `${before.key}=>${after.key}=>${[...ssh].join()}`;
    const group = groups.get(key);
    if (group) group.nodes.push(name);
    else groups.set(key, { before, after, ssh, nodes: [name] });
  }
  const rows = new Map<string, ExposureRow>();
  const doubts = new Map<string, { doubt: string; nodes: string[]; changed: boolean }>();
  for (const group of groups.values()) {
    for (const change of diffRules(group.before, group.after)) {
      const ssh = change.protocol !== "udp" && [...group.ssh].some((port) => change.from <= port && port <= change.to);
      const { protocol, family, from, to } = change;
      const key = [protocol, family, from, to, change.before.key, change.after.key, ssh].join(" ");
      const row = rows.get(key);
      if (row) row.nodes.push(...group.nodes);
      else rows.set(key, { ...change, nodes: [...group.nodes], ssh, unfiltered: protocol === "any" });
    }
    for (const doubt of new Set([...group.before.doubts, ...group.after.doubts])) {
      const changed = group.before.key !== group.after.key;
      const known = doubts.get(doubt);
      if (known) {
        known.nodes.push(...group.nodes);
        known.changed ||= changed;
      } else doubts.set(doubt, { doubt, nodes: [...group.nodes], changed });
    }
  }
  const sorted = [...rows.values()].sort(
    (a, b) =>
      Number(a.kind === "same") - Number(b.kind === "same") ||
      Number(b.worldAfter && !b.worldBefore) - Number(a.worldAfter && !a.worldBefore) ||
      a.protocol.localeCompare(b.protocol) ||
      a.from - b.from ||
      a.family.localeCompare(b.family),
  );
  return { rows: sorted, doubts: [...doubts.values()] };
}

type Put = (name: string, which: Which, set: RuleSet, ssh: Iterable<number>) => void;

function clusterRules(cluster: Cluster, which: Which, put: Put): void {
  const side = cluster.resource[which];
  const members = cluster[which];
  if (!side || !members) return;
  const { openings: list, doubts } = policyOpenings(side.inputs.policy);
  if (side.inputs.policy === undefined) doubts.push("a component shows no policy in its inputs");
  const ssh = list.filter((it) => it.ssh).flatMap((it) => it.rules.map((rule) => rule.from));
  const sets = new Map<string, RuleSet>();
  for (const member of members.values()) {
    const here = list.filter((it) => {
      if (!it.pools && !it.nodes) return true;
      return it.pools?.has(member.pool) || it.nodes?.has(member.name);
    });
    const key = here.map((it) => list.indexOf(it)).join();
    const set =
      sets.get(key) ??
      ruleSet(
        here.flatMap((it) => it.rules),
        doubts,
      );
    sets.set(key, set);
    const { name } = cluster.resource;
    put(member.name === name ? name : `${name}-${member.name}`, which, set, ssh);
  }
}

/** Servers outside components, behind hcloud Firewalls or behind none. */
class PlainFirewalls {
  private readonly sets = new Map<string, RuleSet>();
  private readonly byId = new Map<string, string>();
  private readonly created: string[] = [];
  private readonly list: Resource[];
  private readonly filters: Resource[];

  constructor(
    private readonly model: StackModel,
    private readonly which: Which,
  ) {
    this.list = [...model.resources.values()].filter((it) => it[which] !== undefined);
    this.filters = this.list.filter((it) => it.type === ATTACHMENT || it.type === FIREWALL);
    for (const firewall of this.filters) {
      const side = firewall[which];
      if (firewall.type !== FIREWALL || !side) continue;
      this.sets.set(firewall.urn, firewallRules(side.inputs.rules));
      const id = side.id || firewall.before?.id;
      if (id && id !== "04da6b54-80e4-46f7-96ec-b56ff0331ba9") this.byId.set(id, firewall.urn);
      else this.created.push(firewall.urn);
    }
  }

  *servers(): Iterable<[string, RuleSet]> {
    for (const server of this.list) {
      const side = server[this.which];
      // Members of a component answer by its policy: it is the tighter of the two filters, and the last.
      if (server.type !== SERVER || !side || this.inComponent(server)) continue;
      const families = familiesOf(side);
      if (families.length === 0) continue;
      yield [server.name, this.rulesOf(server, side, families)];
    }
  }

  private inComponent(resource: Resource): boolean {
    let parent = this.model.resources.get(resource.parent);
    for (let depth = 0; parent && depth < 20; depth++) {
      if (isComponent(parent.type)) return true;
      parent = this.model.resources.get(parent.parent);
    }
    return false;
  }

  private rulesOf(server: Resource, side: Side, families: readonly Family[]): RuleSet {
    const urns = new Set<string>();
    const doubts: string[] = [];
    let perhaps = false;
    const attach = (id: Value | undefined, dependencies: readonly string[] = []) => {
      const known = typeof id === "number" || typeof id === "string" ? this.byId.get(String(id)) : undefined;
      const urn = known ?? (id === UNKNOWN ? this.resolve(dependencies) : undefined);
      if (urn !== undefined) urns.add(urn);
      else if (id === UNKNOWN && this.created.length > 0) {
        for (const made of this.created) urns.add(made);
        doubts.push(
          "which firewall is attached is known only after the update; the firewalls that are made are taken together",
        );
      } else {
        perhaps = true;
        doubts.push("a firewall that is not in this input is attached");
      }
    };
    const ids = side.inputs.firewallIds;
    if (ids === UNKNOWN) attach(UNKNOWN, side.dependencies.get("firewallIds"));
    for (const id of asArray(ids)) attach(id, side.dependencies.get("firewallIds"));
    for (const other of this.filters) {
      const state = other[this.which];
      if (!state) continue;
      if (other.type === ATTACHMENT) {
        const hit = this.attached(state, server, side);
        if (hit === "no") continue;
        if (hit === "perhaps") doubts.push("to which servers a firewall is attached is known only after the update");
        attach(state.inputs.firewallId, state.dependencies.get("firewallId"));
      } else if (other.type === FIREWALL) {
        const hit = asArray(state.inputs.applyTos).some((to) => {
          const selector = asText(at(to, "labelSelector"));
          const id = at(to, "server");
          if (selector !== undefined && matchesSelector(selector, side.labels)) return true;
          return id !== undefined && id !== null && side.id !== "" && String(id) === side.id;
        });
        if (hit) urns.add(other.urn);
      }
    }
    const rules: Rule[] = [];
    for (const urn of urns) {
      const set = this.sets.get(urn);
      rules.push(...(set?.rules ?? []));
      doubts.push(...(set?.doubts ?? []));
    }
    if (urns.size === 0 && !perhaps) rules.push(...unfiltered(families));
    return ruleSet(
      rules.filter((rule) => families.includes(rule.family)),
      doubts,
    );
  }

  private resolve(dependencies: readonly string[] | undefined): string | undefined {
    const firewalls = (dependencies ?? []).filter((urn) => this.sets.has(urn));
    return firewalls.length === 1 ? firewalls[0] : undefined;
  }

  private attached(attachment: Side, server: Resource, side: Side): "yes" | "no" | "perhaps" {
    if (asArray(attachment.inputs.labelSelectors).some((it) => matchesSelector(asText(it) ?? "", side.labels)))
      return "yes";
    const ids = attachment.inputs.serverIds;
    if (side.id !== "" && asArray(ids).some((id) => String(typeof id === "symbol" ? "" : id) === side.id)) return "yes";
    if (attachment.dependencies.get("serverIds")?.includes(server.urn)) return "yes";
    if (attachment.dependencies.size > 0) return "no";
    const open = ids === UNKNOWN || asArray(ids).includes(UNKNOWN);
    return open && (server.action === "create" || server.action === "replace") ? "perhaps" : "no";
  }
}

/** The families of a server's public network; absent means both. */
function familiesOf(side: Side): Family[] {
  const nets = asArray(side.inputs.publicNets).map(asRecord);
  return FAMILIES.filter((family) => !nets.some((net) => net?.[`${family}Enabled`] === false));
}

/** Load balancers are reached by everybody, whatever firewalls say. */
function* loadBalancers(model: StackModel, which: Which): Iterable<[string, RuleSet]> {
  for (const service of model.resources.values()) {
    const side = service[which];
    if (service.type !== LB_SERVICE || !side) continue;
    const port = side.inputs.listenPort;
    const fallback = side.inputs.protocol === "http" ? 80 : 443;
    const from = typeof port === "number" ? port : fallback;
    const doubts = port === UNKNOWN ? ["a load balancer's port is known only after the update"] : [];
    const rules = openings("tcp", { from, to: from }, ["0.0.0.0/0", "::/0"]);
    yield [`load balancer ${service.name}`, ruleSet(rules, doubts)];
  }
}
