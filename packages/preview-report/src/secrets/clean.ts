/** Takes from untrusted text what could deceive a reader or a terminal. Says nothing about Markdown (render/). */

/** Stands where an invisible or unprintable character was, so that two names that differ by one do not look alike. */
export const REPLACEMENT = "\uFFFD";

// Pulumi's own colour tags, then terminal escapes: CSI, OSC up to its end, and any other two-character escape.
const COLOUR_TAGS = /<\{%[^%]{0,40}%\}>/g;
const ESCAPES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /\u001B\[[0-9;:?<=>]*[ -/]*[@-~]|\u001B\][^\u0007\u001B]*(?:\u0007|\u001B\\)?|\u001B[@-Z\\-_]?|\u009B[0-9;?]*[@-~]?/g;
// Bidirectional controls, zero-width characters, tags, private use, unassigned, lone surrogates, and the blanks that
// print nothing although they are letters.
const INVISIBLE = /[\p{Cf}\p{Cs}\p{Co}\p{Cn}\u115F\u1160\u3164\uFFA0\u2800]|\u034F/gu;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROLS = /[\u0000-\u0009\u000B-\u001F\u007F-\u009F]/g;
// Six and more characters with something invisible behind each: nobody writes so, but for hiding a text from who looks for it.
const STREWN = /(?:[^\p{Cf}\n]\p{Cf}{1,4}){6,}[^\p{Cf}\s]?/gu;
const COMBINING = /(\p{M}{3})\p{M}+/gu;

/** Without escapes and invisible characters altogether: the form in which secrets are looked for. */
export function strip(text: string): string {
  return text.replace(COLOUR_TAGS, "").replace(ESCAPES, "").replace(INVISIBLE, "");
}

/** With `mark` in place of every text that has invisible characters strewn in: it may be a secret that nobody knows of. */
export function redactStrewn(text: string, mark: string): string {
  return text.replace(STREWN, mark);
}

/** Printable text in which line feeds are the only controls. */
export function cleanBlock(text: string): string {
  return text
    .replace(/\r\n?|[\u2028\u2029\u0085]/g, "\n")
    .replace(COLOUR_TAGS, "")
    .replace(ESCAPES, "")
    .replace(CONTROLS, " ")
    .replace(INVISIBLE, REPLACEMENT)
    .replace(COMBINING, "$1");
}

/** Printable text on one line. */
export function cleanLine(text: string): string {
  return cleanBlock(text).replace(/\s+/g, " ").trim();
}
