/** A project has an SSH key once, under whatever name. Plain data in, plain data out. */
import { createHash } from "node:crypto";
import type { Found } from "./leftover";

/** As Hetzner Cloud tells keys apart: MD5 of the key itself, without its comment. None for what is no public key. */
export function fingerprintOf(publicKey: string): string | undefined {
  const [, key] = /^\S+ +([A-Za-z0-9+/]+=*)(\s|$)/.exec(publicKey.trim()) ?? [];
  if (key === undefined) return undefined;
  return createHash("md5").update(Buffer.from(key, "base64")).digest("hex").match(/../g)?.join(":");
}

/** The argument that uses a key which is there. */
export function useOf({ id }: Pick<Found, "id">): string {
  return `give ssh: { existing: { id: "${id}" } }`;
}

/** Why a key cannot be added. */
export function takenKey(found: Pick<Found, "id" | "name">, wanted: string): string {
  return (
    `the SSH key cannot be added as ${wanted}: the project has it already, as ${found.name} (id ${found.id}), and Hetzner Cloud takes ` +
    `a key once (uniqueness_error). To use it as it is: ${useOf(found)}`
  );
}
