/** Hetzner Cloud's label selectors: comma-separated terms that must all hold. */
import type { Value, ValueRecord } from "../values/value.js";

/** False for what is no selector, so that a firewall is not taken for attached on the strength of a typing error. */
export function matchesSelector(selector: string, labels: ValueRecord): boolean {
  const terms = selector.split(/,(?![^()]*\))/).map((term) => term.trim());
  return terms.every((term) => term !== "" && matchesTerm(term, labels));
}

function matchesTerm(term: string, labels: ValueRecord): boolean {
  const value = (key: string) => (Object.hasOwn(labels, key) ? (labelText(labels[key]) ?? "\u0000") : undefined);
  const equal = /^([^\s!=()]+)\s*(==?|!=)\s*([^\s!=()]*)$/.exec(term);
  if (equal?.[1] !== undefined) return (value(equal[1]) === equal[3]) === (equal[2] !== "!=");
  const inside = /^([^\s!=()]+)\s+(in|notin)\s+\(([^()]*)\)$/.exec(term);
  if (inside?.[1] !== undefined && inside[3] !== undefined) {
    const values = inside[3].split(",").map((one) => one.trim());
    return values.includes(value(inside[1]) ?? "\u0000") === (inside[2] === "in");
  }
  const absent = /^!([^\s!=()]+)$/.exec(term);
  if (absent?.[1] !== undefined) return value(absent[1]) === undefined;
  return /^[^\s!=()]+$/.test(term) && value(term) !== undefined;
}

/** A label's value as text. Undefined where it is none, not known yet or of a malformed log: it then equals nothing that a selector can name. */
export function labelText(label: Value | undefined): string | undefined {
  return typeof label === "string" || typeof label === "number" || typeof label === "boolean"
    ? String(label)
    : undefined;
}
