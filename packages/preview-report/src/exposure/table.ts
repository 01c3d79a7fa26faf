/** Who lets what in, before and after: the components' policies and the plain firewalls of the stack, as one table. */
import { type Cluster, isComponent, type Member, SERVER } from "../model/cluster.js";
import type { Resource, StackModel } from "../model/stack.js";
import { asText, UNKNOWN } from "../values/value.js";
import { type Listening, nodeName, unadopted, unhardened, withoutComponent } from "./adopted.js";
import { Attachments, familiesOf } from "./attachments.js";
import { diffRules, type ExposureChange } from "./diff.js";
import { notKnown, openings, type PolicyOpening, policyOpenings, type RuleSet, ruleSet } from "./rules.js";

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
const IMPORTED = notKnown("what a server lets in before it is imported is not known here");
const HOST_HARDENING = "hcloud-swarm:index:HostHardening";
const LB_SERVICE = "hcloud:index/loadBalancerService:LoadBalancerService";
const LB_NETWORK = "hcloud:index/loadBalancerNetwork:LoadBalancerNetwork";

export function exposureTable(
  model: StackModel,
  clusters: readonly Cluster[],
  listening: Listening = new Map(),
): ExposureTable {
  const nodes = new Map<string, { before: RuleSet; after: RuleSet; ssh: Set<number> }>();
  const put = (name: string, which: Which, set: RuleSet, ssh: Iterable<number>) => {
    const entry = nodes.get(name) ?? { before: CLOSED, after: CLOSED, ssh: new Set<number>() };
    entry[which] = set;
    for (const port of ssh) entry.ssh.add(port);
    nodes.set(name, entry);
  };
  for (const which of ["before", "after"] as const) for (const cluster of clusters) clusterRules(cluster, which, put);
  for (const which of ["before", "after"] as const) {
    for (const [name, listens] of withoutComponent(clusters, which, listening))
      put(name, which, unhardened(listens, nodes.get(name)?.[which === "before" ? "after" : "before"] ?? CLOSED), []);
    for (const [name, set] of plainServers(model, which)) put(name, which, set, [22]);
    for (const [name, set] of loadBalancers(model, which)) put(name, which, set, []);
  }
  const table = tableOf(nodes);
  const inVain = [...unadopted(clusters, listening)];
  const doubt = "--listening names a host that is not adopted here";
  return inVain.length === 0 ? table : { ...table, doubts: [...table.doubts, { doubt, nodes: inVain, changed: true }] };
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
      // A doubt that ends with the change leaves nothing untold after it.
      const changed = group.before.key !== group.after.key && group.after.doubts.includes(doubt);
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
  const ssh = list.filter((it) => it.ssh).flatMap((it) => it.rules.map((rule) => rule.from));
  const scopes = new Scopes(list);
  const sets = new Map<string, RuleSet>();
  for (const member of members.values()) {
    const here = scopes.of(member);
    const key = here.join();
    const set =
      sets.get(key) ??
      ruleSet(
        here.flatMap((index) => list[index]?.rules ?? []),
        doubts,
      );
    sets.set(key, set);
    put(nodeName(cluster, member), which, set, ssh);
  }
}

/** Which openings are for a member, by their places in the policy. */
class Scopes {
  private readonly everywhere: number[] = [];
  private readonly byPool = new Map<string, number[]>();
  private readonly byNode = new Map<string, number[]>();

  constructor(openings: readonly PolicyOpening[]) {
    const add = (index: Map<string, number[]>, names: Iterable<string>, place: number) => {
      for (const name of names) {
        const known = index.get(name);
        if (known) known.push(place);
        else index.set(name, [place]);
      }
    };
    for (const [place, { pools, nodes }] of openings.entries()) {
      if (!pools && !nodes) this.everywhere.push(place);
      add(this.byPool, pools ?? [], place);
      add(this.byNode, nodes ?? [], place);
    }
  }

  of({ name, pool }: Member): number[] {
    const own = [...(this.byPool.get(pool) ?? []), ...(this.byNode.get(name) ?? [])];
    return [...this.everywhere, ...new Set(own)].sort((a, b) => a - b);
  }
}

/** Servers outside components, behind hcloud Firewalls or behind none. */
function* plainServers(model: StackModel, which: Which): Iterable<[string, RuleSet]> {
  const attachments = new Attachments(model, which);
  // Of a server with its own HostHardening that is the last filter, and the tighter one.
  const hardened = new Set<string>();
  const adopted = new Set<string>();
  for (const it of model.resources.values()) {
    if (it.type !== HOST_HARDENING) continue;
    adopted.add(it.name);
    if (it[which]) hardened.add(it.name);
  }
  for (const server of model.resources.values()) {
    const side = server[which];
    // Members of a component answer by its policy for the same reason.
    if (server.type !== SERVER || !side || hardened.has(server.name) || inComponent(model, server)) continue;
    if (which === "before" && server.action === "import") {
      if (!adopted.has(server.name)) yield [server.name, IMPORTED];
      continue;
    }
    const families = familiesOf(side);
    if (families.length > 0) yield [server.name, attachments.rulesOf(server, side, families)];
  }
}

function inComponent(model: StackModel, resource: Resource): boolean {
  let parent = model.resources.get(resource.parent);
  for (let depth = 0; parent && depth < 20; depth++) {
    if (isComponent(parent.type)) return true;
    parent = model.resources.get(parent.parent);
  }
  return false;
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

/** The private addresses that load balancers have before or after, as networks of a policy name them. */
export function balancerSources(model: StackModel): ReadonlySet<string> {
  const attached = [...model.resources.values()].filter(({ type }) => type === LB_NETWORK);
  const addresses = attached.flatMap(({ before, after }) => [asText(before?.inputs.ip), asText(after?.inputs.ip)]);
  return new Set(addresses.flatMap((address) => (address === undefined ? [] : [`${address}/32`])));
}
