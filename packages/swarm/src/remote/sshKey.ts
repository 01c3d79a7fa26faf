/**
 * SSH keys as text: reading the public half out of a private key, and the one-use host key of a first boot.
 * Everything here is a pure function of its arguments.
 */
import { createHash, createPrivateKey, createPublicKey, hkdfSync, type JsonWebKey } from "node:crypto";

/** A key that cannot be used, told without quoting any of it. */
export class SshKeyError extends Error {}

export interface SshKeyPair {
  /** OpenSSH private key file, unencrypted, LF, with a final newline. */
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA…`, without a comment. */
  readonly publicKey: string;
}

const openSshHeader = "-----BEGIN OPENSSH PRIVATE KEY-----";
const openSshFooter = "-----END OPENSSH PRIVATE KEY-----";
const openSshMagic = Buffer.from("openssh-key-v1\0");
/** What stands before the 32 bytes of an Ed25519 seed in PKCS #8 (RFC 8410). */
const ed25519Pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex");

/** Line ends and outer blanks out of the way, so that one key in two editors is one key. */
export function normalizeKeyText(text: string): string {
  return `${text.replace(/\r\n?/g, "\n").trim()}\n`;
}

/**
 * The host key that a node shows on its very first boot. It is derived (HKDF-SHA256) from the SSH private key, so the
 * program knows its public half without storing anything, and nobody who lacks that private key can foresee it. A key
 * made on the node takes its place on first contact.
 */
export function bootstrapHostKey(sshPrivateKey: string, cluster: string, node: string): SshKeyPair {
  const info = `hcloud-swarm bootstrap host key/${cluster}/${node}`;
  const bytes = Buffer.from(hkdfSync("sha256", normalizeKeyText(sshPrivateKey), "", info, 36));
  return ed25519KeyPair(bytes.subarray(0, 32), bytes.subarray(32));
}

/**
 * The public half (`ssh-ed25519 AAAA…`, no comment) of a private key in OpenSSH's, PKCS #8 or PKCS #1 form.
 * @throws SshKeyError when the text is no such key, or is encrypted.
 */
export function publicKeyOf(privateKey: string): string {
  const text = normalizeKeyText(privateKey);
  const blob = text.startsWith(openSshHeader) ? publicBlobOfOpenSshKey(text) : publicBlobOfPem(text);
  return `${new Reader(blob).string().toString("latin1")} ${blob.toString("base64")}`;
}

/** A public key as `ssh-keygen -l` names it: `SHA256:…`. */
export function fingerprintOf(publicKey: string): string {
  const blob = Buffer.from(publicKey.trim().split(/\s+/)[1] ?? "", "base64");
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

function ed25519KeyPair(seed: Buffer, check: Buffer): SshKeyPair {
  const pkcs8 = createPrivateKey({ key: Buffer.concat([ed25519Pkcs8Prefix, seed]), format: "der", type: "pkcs8" });
  const publicBytes = fromJwk(createPublicKey(pkcs8).export({ format: "jwk" }).x);
  const type = Buffer.from("ssh-ed25519");
  const publicBlob = Buffer.concat([sized(type), sized(publicBytes)]);
  const unpadded = Buffer.concat([
    check,
    check,
    sized(type),
    sized(publicBytes),
    sized(Buffer.concat([seed, publicBytes])),
    sized(Buffer.alloc(0)),
  ]);
  const padding = Buffer.from(Array.from({ length: (8 - (unpadded.length % 8)) % 8 }, (_, i) => i + 1));
  const file = Buffer.concat([
    openSshMagic,
    sized(Buffer.from("none")),
    sized(Buffer.from("none")),
    sized(Buffer.alloc(0)),
    uint32(1),
    sized(publicBlob),
    sized(Buffer.concat([unpadded, padding])),
  ]);
  const lines = file.toString("base64").replace(/.{70}(?=.)/g, "$&\n");
  return {
    privateKey: `${openSshHeader}\n${lines}\n${openSshFooter}\n`,
    publicKey: `ssh-ed25519 ${publicBlob.toString("base64")}`,
  };
}

function publicBlobOfOpenSshKey(text: string): Buffer {
  const body = text.trim().slice(openSshHeader.length).split(openSshFooter)[0] ?? "";
  const file = Buffer.from(body, "base64");
  if (!text.trim().endsWith(openSshFooter) || !file.subarray(0, openSshMagic.length).equals(openSshMagic)) {
    throw new SshKeyError("it is cut short or damaged");
  }
  const reader = new Reader(file.subarray(openSshMagic.length));
  const cipher = reader.string().toString("latin1");
  reader.string();
  reader.string();
  if (cipher !== "none") throw new SshKeyError("it is encrypted with a passphrase");
  if (reader.uint32() !== 1) throw new SshKeyError("it holds more than one key");
  return reader.string();
}

function publicBlobOfPem(text: string): Buffer {
  if (!/^-----BEGIN ([A-Z]+ )*PRIVATE KEY-----\n/.test(text))
    throw new SshKeyError("it is not a private key in PEM form");
  if (/ENCRYPTED/.test(text)) throw new SshKeyError("it is encrypted with a passphrase");
  return publicBlobOfJwk(readPem(text));
}

function readPem(text: string): JsonWebKey {
  try {
    return createPublicKey(createPrivateKey(text)).export({ format: "jwk" });
  } catch {
    // The cause may quote the key's text: it is not passed on.
    throw new SshKeyError("it is cut short or damaged");
  }
}

function publicBlobOfJwk(jwk: JsonWebKey): Buffer {
  if (jwk.kty === "OKP" && jwk.crv === "Ed25519") return Buffer.concat([named("ssh-ed25519"), sized(fromJwk(jwk.x))]);
  if (jwk.kty === "RSA") return Buffer.concat([named("ssh-rsa"), sized(mpint(jwk.e)), sized(mpint(jwk.n))]);
  const curve = jwk.kty === "EC" && typeof jwk.crv === "string" ? nistCurves.get(jwk.crv) : undefined;
  if (curve === undefined) throw new SshKeyError("it is of a kind that SSH does not know; use Ed25519");
  const point = Buffer.concat([Buffer.from([4]), fromJwk(jwk.x), fromJwk(jwk.y)]);
  return Buffer.concat([named(`ecdsa-sha2-${curve}`), named(curve), sized(point)]);
}

const nistCurves = new Map([
  ["P-256", "nistp256"],
  ["P-384", "nistp384"],
  ["P-521", "nistp521"],
]);

function fromJwk(value: string | undefined): Buffer {
  return Buffer.from(value ?? "", "base64url");
}

/** SSH's multiple-precision integer: no leading zero, but one where the top bit is set (RFC 4251, section 5). */
function mpint(value: string | undefined): Buffer {
  const bytes = fromJwk(value);
  return (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function sized(bytes: Buffer): Buffer {
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function named(text: string): Buffer {
  return sized(Buffer.from(text));
}

/** Reads SSH's length-prefixed fields; running off the end means a damaged key. */
class Reader {
  #rest: Buffer;

  constructor(bytes: Buffer) {
    this.#rest = bytes;
  }

  uint32(): number {
    return this.#take(4).readUInt32BE();
  }

  string(): Buffer {
    return this.#take(this.uint32());
  }

  #take(length: number): Buffer {
    if (length > this.#rest.length) throw new SshKeyError("it is cut short or damaged");
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }
}
