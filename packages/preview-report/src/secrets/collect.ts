/**
 * Finds the secrets whose plain text stands somewhere in the input, so that every other place that repeats them can be
 * redacted. Secrets that the log holds only as `[secret]` need nothing; patterns (patterns.ts) catch the unmarked ones.
 */
import {
  isPlainObject,
  isSecretMark,
  ownOf,
  SECRET_SIGNATURE,
  SIGNATURE_KEY,
  UNKNOWN_SENTINEL,
} from "../values/value.js";

const MAX_DEPTH = 64;
/** Text shorter than this is not taken for a secret because of its property's name alone ("no", "none", "true"). */
const GUESSED_MINIMUM = 6;

/** Names of properties whose text is a secret, marked or not. Compared without `_`, `-` and case. */
const SENSITIVE_NAME =
  /(password|passwd|passphrase|secret|token|tokens|privatekey|apikey|accesskey|secretkey|unlockkey|credential|credentials|bearer|authorization)$/;
/** Not secrets although they are named so: references to them. */
const NOT_SENSITIVE = /(secretname|tokenname|tokentype|publictoken)$/;

export function isSensitiveName(name: string): boolean {
  const plain = name.replace(/[_\-.]/g, "").toLowerCase();
  return SENSITIVE_NAME.test(plain) && !NOT_SENSITIVE.test(plain);
}

/** Collects into a set. Feed it every JSON of the input; order does not matter. */
export class SecretCollector {
  readonly found = new Set<string>();

  /** A secret that the caller knows, for example from the environment. */
  add(secret: string): void {
    if (secret.trim() !== "" && !isSecretMark(secret) && !secret.includes(UNKNOWN_SENTINEL)) this.found.add(secret);
  }

  collect(json: unknown): void {
    this.walk(json, 0);
  }

  private walk(value: unknown, depth: number): void {
    if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return;
    if (Array.isArray(value)) {
      for (const item of value) this.walk(item, depth + 1);
      return;
    }
    const object = value as Record<string, unknown>;
    if (ownOf(object, SIGNATURE_KEY) === SECRET_SIGNATURE) {
      this.addMarked(object);
      return;
    }
    this.comparePairs(object);
    for (const key of Object.keys(object)) {
      const child = object[key];
      if (isSensitiveName(key)) this.addAll(child, depth + 1, GUESSED_MINIMUM);
      this.walk(child, depth + 1);
    }
  }

  /** A secret that is marked on one side of a step and plain on the other is secret on both. */
  private comparePairs(object: Record<string, unknown>): void {
    const pairs: [string, string][] = [
      ["inputs", "outputs"],
      ["old", "new"],
      ["oldState", "newState"],
      ["before", "after"],
    ];
    for (const [left, right] of pairs) {
      if (isPlainObject(object[left]) && isPlainObject(object[right])) this.compare(object[left], object[right], 0);
    }
  }

  private compare(left: unknown, right: unknown, depth: number): void {
    if (depth > MAX_DEPTH || left === right) return;
    const [leftSecret, rightSecret] = [isSecretMark(left), isSecretMark(right)];
    if (leftSecret !== rightSecret) this.addAll(leftSecret ? right : left, depth);
    if (leftSecret || rightSecret) return;
    if (Array.isArray(left) && Array.isArray(right)) {
      for (const [index, item] of left.entries()) this.compare(item, right[index], depth + 1);
    } else if (isPlainObject(left) && isPlainObject(right)) {
      for (const key of Object.keys(left)) this.compare(left[key], ownOf(right, key), depth + 1);
    }
  }

  private addMarked(object: Record<string, unknown>): void {
    // `plaintext` is JSON of the value; `value` is how older engines and providers nest it.
    for (const key of ["plaintext", "value"]) {
      const inner = ownOf(object, key);
      if (typeof inner === "string") {
        this.addAll(parseOr(inner), 0);
        this.add(inner);
      } else {
        this.addAll(inner, 0);
      }
    }
  }

  private addAll(value: unknown, depth: number, minimum = 1): void {
    if (depth > MAX_DEPTH) return;
    if (typeof value === "string") {
      if (value.length >= minimum) this.add(value);
    } else if (typeof value === "number") {
      if (String(value).length >= 4) this.add(String(value));
    } else if (Array.isArray(value)) {
      for (const item of value) this.addAll(item, depth + 1, minimum);
    } else if (isPlainObject(value)) {
      if (ownOf(value, SIGNATURE_KEY) === SECRET_SIGNATURE) this.addMarked(value);
      else for (const key of Object.keys(value)) this.addAll(value[key], depth + 1, minimum);
    }
  }
}

function parseOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
