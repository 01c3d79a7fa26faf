/** Secrets by their looks, for those that nobody marked as secret. */

/** Replaced whole. Each is linear: no nested quantifier. */
const WHOLE: RegExp[] = [
  // Private keys, also cut off ones; and what is left of one whose first line was lost.
  /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$)/g,
  /[A-Za-z0-9+/=\s]{16,}-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g,
  // An OpenSSH private key's body without its frame.
  /b3BlbnNzaC1rZXktdjE[A-Za-z0-9+/=\s]*/g,
  // Swarm join tokens and unlock keys.
  /SWMTKN-[A-Za-z0-9-]+/g,
  /SWMKEY-[A-Za-z0-9+/=-]+/g,
  // Access tokens that carry their kind in their name.
  /\b(?:gh[pousr]_|github_pat_|glpat-|pul-|xox[abprs]-|dckr_pat_|npm_|AGE-SECRET-KEY-)[A-Za-z0-9_-]{8,}/g,
  /\b(?:AKIA|ASIA)[A-Z0-9]{12,}/g,
  /\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)?/g,
];

/** The first group stays, what follows it goes. */
const AFTER: RegExp[] = [
  /(\b[a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/@]{1,200}(?=@)/gi,
  /(\bauthorization["']?\s{0,4}[:=]\s{0,4}["']?(?:bearer|basic|token)\s{1,4})[^\s"',;]+/gi,
  /(\bbearer\s{1,4})[^\s"',;]{8,}/gi,
  /((?:password|passwd|passphrase|secret|token|private_?key|api_?key|access_?key|unlock_?key)["']?\s{0,4}[:=]\s{0,4}["']?)[^\s"',;]{4,}/gi,
];

/** Runs long enough to be a key; whether they look like one is decided by {@link looksRandom}. */
const RUN = /[A-Za-z0-9+/_=-]{32,}/g;
const HCLOUD_TOKEN_LENGTH = 64;

/**
 * Long runs that mix cases and digits are taken for keys (an hcloud token is 64 of them). Hex digests, UUIDs, words
 * joined by dashes and SSH fingerprints (43 characters after `SHA256:`) stay.
 */
function looksRandom(run: string): boolean {
  const bare = run.replace(/=+$/, "");
  if (/^[0-9a-f-]+$/i.test(bare)) return false;
  const mixed = /[a-z]/.test(bare) && /[A-Z]/.test(bare) && /[0-9]/.test(bare);
  if (bare.length === HCLOUD_TOKEN_LENGTH && /^[A-Za-z0-9]+$/.test(bare)) return true;
  if (!mixed) return false;
  // A path or a name in camel case with a number has long words in it; a key changes its class at every turn.
  let turns = 0;
  for (let index = 1; index < bare.length; index++) {
    if (classOf(bare.charCodeAt(index)) !== classOf(bare.charCodeAt(index - 1))) turns++;
  }
  return turns >= bare.length / 3;
}

function classOf(code: number): number {
  if (code >= 48 && code <= 57) return 0;
  if (code >= 65 && code <= 90) return 1;
  if (code >= 97 && code <= 122) return 2;
  return 3;
}

/** Replaces everything in the text that looks like a secret by the mark. */
export function redactPatterns(text: string, mark: string): string {
  // Shorter text than the shortest pattern, and most names, pass at once.
  if (text.length < 8) return text;
  let result = text;
  for (const pattern of WHOLE) result = result.replace(pattern, mark);
  for (const pattern of AFTER) result = result.replace(pattern, (_all, kept: string) => `${kept}${mark}`);
  return result.replace(RUN, (run, offset: number, whole: string) => {
    const fingerprint = run.length <= 44 && whole.slice(Math.max(0, offset - 7), offset) === "SHA256:";
    return !fingerprint && looksRandom(run) ? mark : run;
  });
}
