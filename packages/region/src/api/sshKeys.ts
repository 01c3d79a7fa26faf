/** SSH keys of the project. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { invalidField, notUnique } from "./errors.js";
import { labelsSchema } from "./labels.js";
import { assertNameFree, byId, removeById, type SshKey, type State, takeId } from "./state.js";
import { nameSchema } from "./validation.js";

export const createSshKeySchema = z.object({
  name: nameSchema,
  public_key: z.string(),
  labels: labelsSchema.default({}),
});

const KEY_TYPES = [
  "ssh-rsa",
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "sk-ssh-ed25519@openssh.com",
  "sk-ecdsa-sha2-nistp256@openssh.com",
];

/**
 * Fingerprint of an OpenSSH public key line: MD5 of the key's blob, as colon-separated hex. Undefined when the line is
 * not a key: unknown type, no base64, or a blob of another type than the line says.
 */
function fingerprintOf(publicKey: string): string | undefined {
  const [type = "", encoded = ""] = publicKey.trim().split(/\s+/);
  if (/[\r\n]/.test(publicKey.trim()) || !KEY_TYPES.includes(type)) return undefined;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return undefined;
  const blob = Buffer.from(encoded, "base64");
  const inner = Buffer.concat([Buffer.from([0, 0, 0, type.length]), Buffer.from(type)]);
  if (blob.length <= inner.length + 4 || !blob.subarray(0, inner.length).equals(inner)) return undefined;
  return (createHash("md5").update(blob).digest("hex").match(/../g) ?? []).join(":");
}

export function createSshKey(state: State, now: string, input: z.output<typeof createSshKeySchema>): SshKey {
  const fingerprint = fingerprintOf(input.public_key);
  if (fingerprint === undefined) throw invalidField("public_key", "is not a valid SSH public key");
  assertNameFree(state.sshKeys, input.name, "SSH key");
  if (state.sshKeys.some((key) => key.fingerprint === fingerprint)) throw notUnique("SSH key", "public_key");
  const key: SshKey = {
    id: takeId(state),
    name: input.name,
    publicKey: input.public_key,
    fingerprint,
    labels: input.labels,
    created: now,
  };
  state.sshKeys.push(key);
  return key;
}

/** Servers keep the key that they were made with. */
export function deleteSshKey(state: State, id: number): void {
  byId(state.sshKeys, id, "ssh_key");
  removeById(state.sshKeys, id);
}

export function sshKeyView(key: SshKey) {
  return {
    id: key.id,
    name: key.name,
    fingerprint: key.fingerprint,
    public_key: key.publicKey,
    labels: key.labels,
    created: key.created,
  };
}
