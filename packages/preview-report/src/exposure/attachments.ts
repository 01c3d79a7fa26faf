/** Which hcloud Firewalls stand in front of a server: indexed, so that a thousand of both are not compared pair by pair. */
import type { Resource, Side, StackModel } from "../model/stack.js";
import { asArray, asText, at, UNKNOWN, UNKNOWN_SENTINEL, type Value } from "../values/value.js";
import { FAMILIES, firewallRules, notKnown, type RuleSet, ruleSet, unfiltered } from "./rules.js";
import { labelText, matchesSelector } from "./selector.js";
import type { Family } from "./sources.js";

const FIREWALL = "hcloud:index/firewall:Firewall";
const ATTACHMENT = "hcloud:index/firewallAttachment:FirewallAttachment";

/** One firewall, or several that are taken together because it is not known which one it is. */
interface Part {
  key: string;
  set: RuleSet;
}

/** A firewall that the input does not hold. Under its id, so that another one in its place is a change. */
function elsewhere(id: Value | undefined): Part {
  return { key: `${ELSEWHERE}${typeof id === "number" || typeof id === "string" ? id : ""}`, set: UNSEEN };
}
const ELSEWHERE = "elsewhere ";
const UNSEEN = notKnown("a firewall that is not in this input is attached");

export class Attachments {
  private readonly firewalls = new Map<string, Part>();
  private readonly byId = new Map<string, Part>();
  /** Firewalls that have no id yet. */
  private readonly made: Part[] = [];
  private readonly toId = new Index();
  private readonly toUrn = new Index();
  /** By `key=value`, which is what nearly all selectors are. */
  private readonly toLabel = new Index();
  private readonly toSelector = new Index();
  /** Of attachments that do not say to which servers. */
  private readonly loose: Part[] = [];
  private readonly known = new Map<string, RuleSet>();
  private readonly union: { made?: Part; loose?: Part } = {};

  constructor(
    model: StackModel,
    private readonly which: "before" | "after",
  ) {
    const all = [...model.resources.values()];
    for (const it of all) if (it.type === FIREWALL) this.addFirewall(it);
    for (const it of all) {
      const side = it[which];
      if (side && it.type === FIREWALL) this.addTargets(it.urn, side);
      if (side && it.type === ATTACHMENT) this.addAttachment(side);
    }
  }

  /** What reaches the server through its firewalls; everything where it has none. */
  rulesOf(server: Resource, side: Side, families: readonly Family[]): RuleSet {
    const parts = this.partsOf(server, side);
    const key = [...families, ...[...parts.keys()].sort()].join("\u0000");
    const known = this.known.get(key);
    if (known) return known;
    const sets = parts.size === 0 ? [ruleSet(unfiltered(families))] : [...parts.values()].map((it) => it.set);
    const rules = sets.flatMap((it) => it.rules).filter((rule) => families.includes(rule.family));
    const doubts = sets.flatMap((it) => it.doubts);
    const set = ruleSet(rules, doubts);
    const unseen = [...parts.keys()].filter((it) => it.startsWith(ELSEWHERE)).sort();
    const result = { ...set, key: [set.key, ...unseen].join("|") };
    this.known.set(key, result);
    return result;
  }

  private addFirewall(firewall: Resource): void {
    const side = firewall[this.which];
    if (!side) return;
    const part = { key: firewall.urn, set: firewallRules(side.inputs.rules) };
    this.firewalls.set(firewall.urn, part);
    const id = side.id || firewall.before?.id;
    if (id && id !== UNKNOWN_SENTINEL) this.byId.set(id, part);
    else this.made.push(part);
  }

  private addTargets(urn: string, side: Side): void {
    const part = this.firewalls.get(urn);
    if (!part) return;
    for (const target of asArray(side.inputs.applyTos)) {
      const id = at(target, "server");
      if (typeof id === "number" || typeof id === "string") this.toId.add(String(id), part);
      this.addSelector(asText(at(target, "labelSelector")), part);
    }
  }

  private addAttachment(side: Side): void {
    const part = this.partOf(side.inputs.firewallId, side.dependencies.get("firewallId"));
    for (const selector of asArray(side.inputs.labelSelectors)) this.addSelector(asText(selector), part);
    const ids = side.inputs.serverIds;
    for (const id of asArray(ids))
      if (typeof id === "number" || typeof id === "string") this.toId.add(String(id), part);
    for (const urn of side.dependencies.get("serverIds") ?? []) this.toUrn.add(urn, part);
    const open = ids === UNKNOWN || asArray(ids).includes(UNKNOWN);
    if (open && side.dependencies.size === 0) this.loose.push(part);
  }

  private addSelector(selector: string | undefined, part: Part): void {
    if (selector === undefined) return;
    const equal = /^\s*([^\s!=(),]+)\s*==?\s*([^\s!=(),]*)\s*$/.exec(selector);
    if (equal) this.toLabel.add(`${equal[1]}=${equal[2]}`, part);
    else this.toSelector.add(selector, part);
  }

  private partsOf(server: Resource, side: Side): Map<string, Part> {
    const parts = new Map<string, Part>();
    const take = (found: Iterable<Part>) => {
      for (const part of found) parts.set(part.key, part);
    };
    const ids = side.inputs.firewallIds;
    const dependencies = side.dependencies.get("firewallIds");
    const list: Value[] = ids === UNKNOWN ? [UNKNOWN] : asArray(ids);
    take(list.map((id) => this.partOf(id, dependencies)));
    if (side.id !== "") take(this.toId.get(side.id));
    take(this.toUrn.get(server.urn));
    for (const [key, label] of Object.entries(side.labels)) {
      const text = labelText(label);
      if (text !== undefined) take(this.toLabel.get(`${key}=${text}`));
    }
    for (const [selector, found] of this.toSelector) if (matchesSelector(selector, side.labels)) take(found);
    // A server that is there already has an id, which an attachment would say.
    if (this.loose.length > 0 && (server.action === "create" || server.action === "replace")) take([this.anyLoose()]);
    return parts;
  }

  private partOf(id: Value | undefined, dependencies: readonly string[] = []): Part {
    if (typeof id === "number" || typeof id === "string") return this.byId.get(String(id)) ?? elsewhere(id);
    if (id !== UNKNOWN) return elsewhere(id);
    const named = dependencies.flatMap((urn) => this.firewalls.get(urn) ?? []);
    if (named.length === 1 && named[0]) return named[0];
    // An id that is not known yet is of something that this update makes.
    const [only, ...others] = this.made;
    if (only && others.length === 0) return only;
    return this.made.length > 0 ? this.anyMade() : elsewhere(id);
  }

  private anyMade(): Part {
    const doubt =
      "which firewall is attached is known only after the update; the firewalls that are made are taken together";
    this.union.made ??= together("made", this.made, doubt);
    return this.union.made;
  }

  private anyLoose(): Part {
    const doubt = "to which servers a firewall is attached is known only after the update";
    this.union.loose ??= together("loose", this.loose, doubt);
    return this.union.loose;
  }
}

function together(key: string, parts: readonly Part[], doubt: string): Part {
  const unique = [...new Set(parts)];
  const rules = unique.flatMap((it) => it.set.rules);
  return { key, set: ruleSet(rules, [...unique.flatMap((it) => it.set.doubts), doubt]) };
}

class Index extends Map<string, Part[]> {
  add(key: string, part: Part): void {
    const known = super.get(key);
    if (known) known.push(part);
    else this.set(key, [part]);
  }
  override get(key: string): Part[] {
    return super.get(key) ?? [];
  }
}

/** The families of a server's public network; absent means both. */
export function familiesOf(side: Side): Family[] {
  const nets = asArray(side.inputs.publicNets);
  return FAMILIES.filter((family) => !nets.some((net) => at(net, `${family}Enabled`) === false));
}
