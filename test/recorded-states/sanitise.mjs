/** Takes out of an exported state what nobody else may have, and puts it back in another form. Plain data in and out. */

/** Stand for the SSH key's halves; {@link restore} fills them in. */
export const privateKeyMark = "@@private key@@";
export const publicKeyMark = "@@public key@@";

/** Marks a secret in an exported state. */
const secretSignature = "4dabf18193072939515e22adb298388d";

/**
 * An exported state, secrets readable, without keys, tokens and machine paths.
 * @throws Error when something that looks like one of them is left
 */
export function sanitise(state, { privateKey, publicKey }) {
  const clean = (text) =>
    text
      .replaceAll(privateKey, privateKeyMark)
      .replaceAll(publicKey.trim().split(" ").slice(0, 2).join(" "), publicKeyMark)
      .replace(/-----BEGIN[A-Z ]*PRIVATE KEY-----[\s\S]*?-----END[A-Z ]*PRIVATE KEY-----/g, "@@another key@@")
      .replace(/SWMTKN-1-[a-z0-9]+-[a-z0-9]+/g, "SWMTKN-1-recorded-recorded");
  const result = map(state, clean, (key, value) => {
    // Where in which program: of no use here, and it names folders. How secrets were encrypted: they are readable now.
    if (["sourcePosition", "stackTrace", "secrets_providers"].includes(key)) return undefined;
    // Never compared, for it is in ignoreChanges; and should it be, then any other text will do.
    return key === "userData" && !Array.isArray(value) && value !== "" ? "#cloud-config\n" : value;
  });
  const left = /PRIVATE KEY|SWMTKN-1-(?!recorded)|"\/(?:root|home|work|tmp|Users)\/|file:\/\//.exec(
    JSON.stringify(result),
  );
  if (left) throw new Error(`the state still has ${left[0]} in it`);
  return result;
}

/** The state again, with another key pair. */
export function restore(state, { privateKey, publicKey }) {
  const fill = (text) => text.replaceAll(privateKeyMark, privateKey).replaceAll(publicKeyMark, publicKey.trim());
  return map(state, fill, (_, value) => value);
}

/** `text` for each string, also within secrets; `field` for each property first, undefined leaves it out. */
function map(value, text, field) {
  if (typeof value === "string") return text(value);
  if (Array.isArray(value)) return value.map((entry) => map(entry, text, field));
  if (typeof value !== "object" || value === null) return value;
  if (secretSignature in value && typeof value.plaintext === "string")
    return { ...value, plaintext: JSON.stringify(map(JSON.parse(value.plaintext), text, field)) };
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, entry]) => {
      const kept = field(key, entry);
      return kept === undefined ? [] : [[key, map(kept, text, field)]];
    }),
  );
}
