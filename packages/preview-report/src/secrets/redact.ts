/** Replaces secrets in text. One redactor serves a whole report; what it has seen once it remembers. */
import { SECRET_TEXT } from "../values/value.js";
import { cleanBlock, cleanLine, REPLACEMENT, redactStrewn, strip } from "./clean.js";
import { redactPatterns } from "./patterns.js";

/** From this length on a secret is found inside other text; shorter ones only as whole words. */
const INSIDE = 6;
/** Below this length a "secret" is only hidden where it is the whole text: it would blank half the report. */
const WORD = 4;
const PREFIX = 4;

export interface Redactor {
  /** Printable and without secrets, on one line. */
  line(text: string): string;
  /** Printable and without secrets, line feeds kept. */
  block(text: string): string;
}

export function createRedactor(secrets: Iterable<string>): Redactor {
  const matcher = new Matcher(secrets);
  const lines = new Map<string, string>();
  const redact = (text: string, clean: (text: string) => string): string => {
    // Patterns span lines (a private key), so they come before lines are joined, and once more after, as cleaning may
    // have brought the parts of a secret together.
    const printable = matcher.redact(redactPatterns(matcher.redact(clean(text)), SECRET_TEXT));
    // A secret with invisible characters strewn in reads like the secret.
    const bare = clean(strip(text));
    const bareRedacted = matcher.redact(redactPatterns(matcher.redact(bare), SECRET_TEXT));
    return bareRedacted === bare ? printable : bareRedacted;
  };
  const looks = (text: string) => redactPatterns(redactStrewn(text, SECRET_TEXT), SECRET_TEXT);
  return {
    line(text) {
      const known = lines.get(text);
      if (known !== undefined) return known;
      const result = redact(text, (dirty) => cleanLine(looks(dirty)));
      lines.set(text, result);
      return result;
    },
    block: (text) => redact(text, (dirty) => cleanBlock(looks(dirty))),
  };
}

class Matcher {
  /** Secrets by their first characters, longest first, so that a text is scanned once whatever their number. */
  private readonly inside = new Map<string, string[]>();
  private readonly words = new Set<string>();
  private readonly exact = new Set<string>();

  constructor(secrets: Iterable<string>) {
    const all = new Set<string>();
    for (const secret of secrets) for (const form of formsOf(secret)) all.add(form);
    for (const form of [...all].sort((a, b) => b.length - a.length)) {
      if (form.length < WORD) this.exact.add(form);
      else if (form.length < INSIDE) this.words.add(form);
      else {
        const prefix = form.slice(0, PREFIX);
        const bucket = this.inside.get(prefix);
        if (bucket) bucket.push(form);
        else this.inside.set(prefix, [form]);
      }
    }
  }

  redact(text: string): string {
    if (this.exact.has(text)) return SECRET_TEXT;
    const spans = this.inside.size === 0 ? [] : this.find(text);
    const result = spans.length === 0 ? text : replaceSpans(text, spans);
    if (this.words.size === 0) return result;
    return result.replace(/[\p{L}\p{N}_]+/gu, (word) => (this.words.has(word) ? SECRET_TEXT : word));
  }

  /** All matches, overlapping ones merged: the part of a secret that sticks out of another one is hidden too. */
  private find(text: string): [number, number][] {
    const spans: [number, number][] = [];
    for (let index = 0; index + PREFIX <= text.length; index++) {
      const bucket = this.inside.get(text.slice(index, index + PREFIX));
      const match = bucket?.find((form) => text.startsWith(form, index));
      if (match === undefined) continue;
      const last = spans[spans.length - 1];
      const end = index + match.length;
      if (last && index <= last[1]) last[1] = Math.max(last[1], end);
      else spans.push([index, end]);
    }
    return spans;
  }
}

function replaceSpans(text: string, spans: [number, number][]): string {
  let result = "";
  let from = 0;
  for (const [start, end] of spans) {
    result += text.slice(from, start) + SECRET_TEXT;
    from = end;
  }
  return result + text.slice(from);
}

/** The ways in which a secret may be written elsewhere: by lines, escaped, encoded, or within a longer encoding. */
function formsOf(secret: string): string[] {
  const forms = new Set<string>();
  const plain = [secret, secret.trim(), strip(secret), cleanBlock(secret), cleanLine(secret)];
  for (const form of plain) if (form !== "") forms.add(form);
  if (/[\r\n]/.test(secret)) {
    for (const line of secret.split(/[\r\n]+/)) if (line.trim().length >= INSIDE) forms.add(cleanLine(line));
  }
  if (secret.length >= INSIDE) {
    forms.add(JSON.stringify(secret).slice(1, -1));
    forms.add(encodeURIComponent(secret.replace(/\p{Cs}/gu, REPLACEMENT)));
    const bytes = Buffer.from(secret, "utf8");
    forms.add(bytes.toString("hex"));
    forms.add(bytes.toString("hex").toUpperCase());
    for (const form of base64Forms(bytes)) forms.add(form);
  }
  forms.delete("");
  return [...forms].filter((form) => form !== SECRET_TEXT);
}

/** What is constant of a secret's base64 at each of the three places in which it may stand in a longer text. */
function base64Forms(bytes: Buffer): string[] {
  const forms = [bytes.toString("base64"), bytes.toString("base64url")];
  for (const shift of [0, 1, 2]) {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    const start = shift === 0 ? 0 : shift + 1;
    const rest = (shift + bytes.length) % 3;
    const inner = encoded.slice(start, rest === 0 ? undefined : -1);
    if (inner.length >= 8) forms.push(inner, inner.replaceAll("+", "-").replaceAll("/", "_"));
  }
  return forms;
}
