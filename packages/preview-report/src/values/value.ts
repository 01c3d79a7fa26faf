/**
 * Property values as the engine writes them, turned into plain data in which what is unknown and what is secret cannot
 * be mistaken for text. Signatures: `pkg/resource/stack/deployment.go` and `sdk/go/common/resource/sig` of Pulumi.
 */

/** A value that is known only after the update. */
export const UNKNOWN: unique symbol = Symbol("unknown");
/** A value that is secret: it has no text here, whatever the log said. */
export const SECRET: unique symbol = Symbol("secret");

export type Value = string | number | boolean | null | typeof UNKNOWN | typeof SECRET | Value[] | ValueRecord;
/** Has no prototype, so that `__proto__` and `constructor` are ordinary keys. */
export interface ValueRecord {
  [key: string]: Value;
}

export const SIGNATURE_KEY = "4dabf18193072939515e22adb298388d";
export const SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270";
const OUTPUT_SIGNATURE = "d0e6a833031e9bbcd3f4e8bde6ca49a4";
const ASSET_SIGNATURE = "c44067f5952c0a294b673a41bacd8c17";
const ARCHIVE_SIGNATURE = "0def7320c3a5731c473e5ecbe6d01bc7";
/** What the engine writes for a computed value; a string that holds it is as unknown as it. */
export const UNKNOWN_SENTINEL = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
/** What `preview --json` and the event log write where a secret was. */
export const SECRET_TEXT = "[secret]";

/** Deeper than any real resource; what lies below counts as unknown instead of overflowing the stack. */
const MAX_DEPTH = 48;

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** True for the object that marks a secret, or for the text that stands where one was. */
export function isSecretMark(value: unknown): boolean {
  if (value === SECRET_TEXT) return true;
  return isPlainObject(value) && ownOf(value, SIGNATURE_KEY) === SECRET_SIGNATURE;
}

/** An own property, never one of the prototype's. */
export function ownOf(object: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Decodes one property value. Never throws. */
export function decode(raw: unknown, depth = 0): Value {
  if (raw === null || raw === undefined) return null;
  if (typeof raw === "number" || typeof raw === "boolean") return raw;
  if (typeof raw === "string") {
    if (raw === SECRET_TEXT) return SECRET;
    return raw.includes(UNKNOWN_SENTINEL) ? UNKNOWN : raw;
  }
  if (depth >= MAX_DEPTH) return UNKNOWN;
  if (Array.isArray(raw)) return raw.map((item) => decode(item, depth + 1));
  if (!isPlainObject(raw)) return null;
  switch (ownOf(raw, SIGNATURE_KEY)) {
    case undefined:
      return decodeRecord(raw, depth);
    case SECRET_SIGNATURE:
      return SECRET;
    case OUTPUT_SIGNATURE:
      if (ownOf(raw, "secret") === true) return SECRET;
      return Object.hasOwn(raw, "value") ? decode(ownOf(raw, "value"), depth + 1) : UNKNOWN;
    case ASSET_SIGNATURE:
    case ARCHIVE_SIGNATURE: {
      // Its text may be anything; what identifies it is its hash.
      const hash = ownOf(raw, "hash");
      return typeof hash === "string" ? `asset ${hash.slice(0, 12)}` : UNKNOWN;
    }
    default:
      return decodeRecord(raw, depth);
  }
}

function decodeRecord(raw: Record<string, unknown>, depth: number): ValueRecord {
  const record: ValueRecord = Object.create(null);
  for (const key of Object.keys(raw)) {
    if (key !== SIGNATURE_KEY) record[key] = decode(raw[key], depth + 1);
  }
  return record;
}

export function asRecord(value: Value | undefined): ValueRecord | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
}

export function asArray(value: Value | undefined): Value[] {
  return Array.isArray(value) ? value : [];
}

export function asText(value: Value | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** The value at a path of record keys, `undefined` where the path ends early; unknown and secret swallow the rest. */
export function at(value: Value | undefined, ...path: string[]): Value | undefined {
  let current = value;
  for (const key of path) {
    if (current === UNKNOWN || current === SECRET) return current;
    current = asRecord(current)?.[key];
  }
  return current;
}

/** Equal as data; an unknown equals nothing, not even itself. Secrets cannot be compared and count as equal. */
export function sameValue(a: Value | undefined, b: Value | undefined): boolean {
  if (a === UNKNOWN || b === UNKNOWN) return false;
  if (a === b) return true;
  if (a === undefined || b === undefined) return (a ?? null) === (b ?? null);
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, index) => sameValue(item, b[index]));
  }
  const [left, right] = [asRecord(a), asRecord(b)];
  if (!left || !right) return false;
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].every((key) => sameValue(left[key], right[key]));
}

/** How a value reads in a report. Only for values that are meant to be shown; the report redacts them once more. */
export function show(value: Value | undefined): string {
  if (value === undefined || value === null) return "none";
  if (value === UNKNOWN) return "known after the update";
  if (value === SECRET) return SECRET_TEXT;
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map(show).join(", ");
  const keys = Object.keys(value);
  return keys.length === 0 ? "none" : keys.map((key) => `${key}: ${show(value[key])}`).join("; ");
}

/** One leaf that differs between two values, by its dotted path. */
export interface LeafChange {
  path: string;
  before: Value | undefined;
  after: Value | undefined;
}

/** The leaves that differ, sorted by path; arrays of scalars are one leaf. */
export function leafChanges(before: Value | undefined, after: Value | undefined, path = ""): LeafChange[] {
  if (sameValue(before, after)) return [];
  const [left, right] = [asRecord(before), asRecord(after)];
  const bothSided = (left ?? before ?? null) === null || (right ?? after ?? null) === null;
  if (left && right ? true : (left || right) && bothSided) {
    const keys = [...new Set([...Object.keys(left ?? {}), ...Object.keys(right ?? {})])].sort();
    return keys.flatMap((key) => leafChanges(left?.[key], right?.[key], path === "" ? key : `${path}.${key}`));
  }
  return [{ path, before, after }];
}
