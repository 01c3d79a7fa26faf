/** Labels and label selectors, as the hcloud API describes them. */
import { z } from "zod";
import { invalidField } from "./errors.js";

const NAME = /^[a-z0-9A-Z]([a-z0-9A-Z._-]{0,61}[a-z0-9A-Z])?$/;
const PREFIX = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const VALUE = /^([a-z0-9A-Z]([a-z0-9A-Z._-]{0,61}[a-z0-9A-Z])?)?$/;

function validKey(key: string): boolean {
  const parts = key.split("/");
  if (parts.length === 1) return NAME.test(key);
  const [prefix = "", name = ""] = parts;
  return parts.length === 2 && PREFIX.test(prefix) && NAME.test(name);
}

export type Labels = Record<string, string>;

/** Keys are `name` or `prefix/name`; names and values have at most 63 characters, prefixes 253. */
export const labelsSchema = z.record(
  z.string().refine(validKey, { error: "label key is not valid" }),
  z.string().regex(VALUE, { error: "label value is not valid" }),
);

interface Requirement {
  readonly key: string;
  readonly matches: (value: string | undefined) => boolean;
}

/** Splits at commas that are not inside parentheses. */
function splitRequirements(selector: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let current = "";
  for (const char of selector) {
    if (char === "(") depth += 1;
    if (char === ")") depth -= 1;
    if (char === "," && depth === 0) {
      parts.push(current);
      current = "";
    } else {
      current += char;
    }
  }
  parts.push(current);
  return parts.map((part) => part.trim());
}

function parseRequirement(text: string): Requirement | undefined {
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(text);
  if (set) {
    const [, key = "", operator, list = ""] = set;
    const values = list.split(",").map((value) => value.trim());
    if (!validKey(key) || !values.every((value) => VALUE.test(value))) return undefined;
    const has = (value: string | undefined) => value !== undefined && values.includes(value);
    return { key, matches: operator === "in" ? has : (value) => !has(value) };
  }
  const equality = /^([^\s=!]+)\s*(==|=|!=)\s*([^\s=!]*)$/.exec(text);
  if (equality) {
    const [, key = "", operator, wanted = ""] = equality;
    if (!validKey(key) || !VALUE.test(wanted)) return undefined;
    return { key, matches: operator === "!=" ? (value) => value !== wanted : (value) => value === wanted };
  }
  const existence = /^(!?)\s*([^\s=!]+)$/.exec(text);
  if (existence) {
    const [, not = "", key = ""] = existence;
    if (!validKey(key)) return undefined;
    return { key, matches: not ? (value) => value === undefined : (value) => value !== undefined };
  }
  return undefined;
}

/**
 * Compiles `env=prod`, `env==prod`, `env!=prod`, `env`, `!env`, `env in (a,b)`, `env notin (a,b)`, joined by commas (and).
 * `!=` and `notin` also match resources without the key. Undefined when the text is not a selector.
 */
export function parseSelector(selector: string): ((labels: Labels) => boolean) | undefined {
  const requirements: Requirement[] = [];
  for (const part of splitRequirements(selector)) {
    const requirement = parseRequirement(part);
    if (!requirement) return undefined;
    requirements.push(requirement);
  }
  return (labels) =>
    requirements.every(({ key, matches }) => matches(Object.hasOwn(labels, key) ? labels[key] : undefined));
}

/** Like {@link parseSelector}; throws `invalid_input` on `field` when the text is not a selector. */
export function selectorOf(selector: string, field = "label_selector"): (labels: Labels) => boolean {
  const compiled = parseSelector(selector);
  if (!compiled) throw invalidField(field, "label selector is not valid");
  return compiled;
}
