/** What lets traffic in, as plain data: from the components' policies, hcloud Firewalls and load balancers. */

import { asArray, asRecord, asText, SECRET, UNKNOWN, type Value } from "../values/value.js";
import { ANYWHERE, type Family, type SourceSet, sourceSets, UNKNOWN_SOURCES } from "./sources.js";

/** One opening. `protocol` is any text the input had (`tcp`, `udp`, `icmp`, …) or `any`. */
export interface Rule {
  protocol: string;
  family: Family;
  /** First and last port, included; 0 and 65535 for all, both 0 for protocols without ports. */
  from: number;
  to: number;
  sources: SourceSet;
}

/** What one node lets in. Equal keys, equal openings: nodes share their sets, so that a thousand cost little. */
export interface RuleSet {
  key: string;
  rules: readonly Rule[];
  /** Why the set is not the whole truth; empty where it is. Sentences without text of the input. */
  doubts: readonly string[];
}

export const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];
const ALL_PORTS = { from: 0, to: 65535 };

export function ruleSet(rules: readonly Rule[], doubts: readonly string[] = []): RuleSet {
  const parts = rules.map((rule) => `${rule.protocol}/${rule.family}/${rule.from}-${rule.to}/${rule.sources.key}`);
  const unique = [...new Set(doubts)].sort();
  return { key: `${[...new Set(parts)].sort().join(";")}|${unique.join(";")}`, rules, doubts: unique };
}

/** Both families of one opening; a family without sources is closed and yields no rule. */
export function openings(
  protocol: string,
  ports: { from: number; to: number },
  sources: readonly (string | undefined)[],
): Rule[] {
  const sets = sourceSets(sources);
  return FAMILIES.map((family) => ({ protocol, family, ...ports, sources: sets[family] })).filter(
    (rule) => rule.sources.ranges.length > 0 || rule.sources.unknown,
  );
}

/** A server without any filter in front of it. */
export function unfiltered(families: readonly Family[]): Rule[] {
  return families.map((family) => ({ protocol: "any", family, ...ALL_PORTS, sources: ANYWHERE[family] }));
}

/** May open anything to anybody: nothing is taken for closed beside it. */
const UNKNOWN_RULES: Rule[] = FAMILIES.map((family) => ({
  protocol: "any",
  family,
  ...ALL_PORTS,
  sources: UNKNOWN_SOURCES,
}));

/** A host about whose filter nothing is known. */
export function notKnown(doubt: string): RuleSet {
  return ruleSet(UNKNOWN_RULES, [doubt]);
}

const PORTLESS = new Set(["icmp", "esp", "gre"]);

/** `80`, `80-85` or `any`; `undefined` for what is none of them. */
export function parsePorts(text: string): { from: number; to: number } | undefined {
  if (text === "any") return ALL_PORTS;
  const match = /^(\d{1,5})(?:\s*-\s*(\d{1,5}))?$/.exec(text.trim());
  if (!match) return undefined;
  const from = Number(match[1]);
  const to = match[2] === undefined ? from : Number(match[2]);
  return to > 65535 || from > to ? undefined : { from, to };
}

/** The openings of an hcloud Firewall's `rules`. */
export function firewallRules(rules: Value | undefined): RuleSet {
  const doubts: string[] = [];
  if (rules === UNKNOWN || rules === SECRET) return notKnown("the rules of a firewall are known only after the update");
  const result = asArray(rules).flatMap((raw): Rule[] => {
    const rule = asRecord(raw);
    if (!rule) {
      doubts.push("a rule of a firewall is known only after the update");
      return UNKNOWN_RULES;
    }
    if (rule.direction === "out") return [];
    const protocol = asText(rule.protocol) ?? "any";
    const portText = typeof rule.port === "number" ? String(rule.port) : asText(rule.port);
    let ports = PORTLESS.has(protocol) ? { from: 0, to: 0 } : parsePorts(portText ?? "any");
    if (rule.port === UNKNOWN || rule.protocol === UNKNOWN) {
      doubts.push("a port of a firewall is known only after the update; shown as all ports");
      ports = ALL_PORTS;
    } else if (!ports) {
      doubts.push("a port of a firewall cannot be read; shown as all ports");
      ports = ALL_PORTS;
    }
    const sources = rule.sourceIps === UNKNOWN ? [undefined] : asArray(rule.sourceIps).map(asText);
    return openings(protocol, ports, sources);
  });
  return ruleSet(result, doubts);
}

/** An opening of a component's policy, and the nodes that it is for. */
export interface PolicyOpening {
  rules: Rule[];
  ssh: boolean;
  /** Absent: every node. */
  pools?: Set<string>;
  nodes?: Set<string>;
}

const NOT_TOLD: PolicyOpening[] = [{ rules: UNKNOWN_RULES, ssh: false }];
const POLICY_KEY = /^(?:(host|ssh|published)\s+)?(tcp|udp|sctp)\/(\d{1,5}(?:-\d{1,5})?)(?:\s+on\s+(.+))?$/;
/** Entries of a policy that open nothing to the outside. */
const INSIDE_KEY = /^(container |egress( |$)|trusted |metadata$|log )/;

/** A component's `policy` record: `tcp/8443: from 192.0.2.0/24`, `ssh tcp/22: from anywhere`, `icmp echo`. */
export function policyOpenings(policy: Value | undefined): { openings: PolicyOpening[]; doubts: string[] } {
  const record = asRecord(policy);
  if (!record) {
    if (policy === undefined || policy === null)
      return { openings: NOT_TOLD, doubts: ["a component shows no policy in its inputs"] };
    return { openings: NOT_TOLD, doubts: ["a policy is known only after the update"] };
  }
  const doubts: string[] = [];
  const found = Object.keys(record).flatMap((key): PolicyOpening[] => {
    const opening = policyOpening(key, record[key]);
    if (opening === "unreadable") doubts.push("an entry of a policy is of a form that this version does not know");
    return typeof opening === "object" ? [opening] : [];
  });
  return { openings: found, doubts };
}

function policyOpening(key: string, value: Value | undefined): PolicyOpening | "unreadable" | undefined {
  if (INSIDE_KEY.test(key)) return undefined;
  const sources = policySources(value);
  if (key === "icmp echo") return { rules: openings("icmp", { from: 0, to: 0 }, sources), ssh: false };
  const match = POLICY_KEY.exec(key);
  const ports = match?.[3] === undefined ? undefined : parsePorts(match[3]);
  if (!match || !ports || match[2] === undefined) return "unreadable";
  const opening: PolicyOpening = { rules: openings(match[2], ports, sources), ssh: match[1] === "ssh" };
  for (const part of match[4]?.split(/,\s*/) ?? []) {
    const scope = /^(pool|node)\s+(.+)$/.exec(part);
    if (!scope?.[2]) return "unreadable";
    if (scope[1] === "pool") opening.pools = new Set([...(opening.pools ?? []), scope[2]]);
    else opening.nodes = new Set([...(opening.nodes ?? []), scope[2]]);
  }
  return opening;
}

/** `from anywhere`, `from A, B`; an abridged list is unknown. A plain list of networks is taken as well. */
function policySources(value: Value | undefined): (string | undefined)[] {
  if (Array.isArray(value)) return value.map(asText);
  const text = asText(value)?.replace(/, \d+ a minute a source after \d+$/, "");
  const list = text === undefined ? undefined : /^from (.+)$/.exec(text)?.[1];
  if (list === undefined) return [undefined];
  if (list === "anywhere") return ["0.0.0.0/0", "::/0"];
  return /^\d+ networks,/.test(list) ? [undefined] : list.split(/,\s*/);
}
