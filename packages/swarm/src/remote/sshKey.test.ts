import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bootstrapHostKey, publicKeyOf, SshKeyError } from "./sshKey";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "ssh-key-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

let serial = 0;
function keygenPublic(privateKey: string): string {
  const file = join(dir, `key-${serial++}`);
  writeFileSync(file, privateKey, { mode: 0o600 });
  return execFileSync("ssh-keygen", ["-y", "-P", "", "-f", file], { encoding: "utf8" }).trim();
}
function keygen(...args: string[]): string {
  const file = join(dir, `key-${serial++}`);
  execFileSync("ssh-keygen", ["-q", "-N", "", "-C", "", "-f", file, ...args]);
  return readFileSync(file, "utf8");
}
const withoutComment = (line: string) => line.split(" ").slice(0, 2).join(" ");

describe("bootstrapHostKey", () => {
  it("is a key that ssh-keygen reads, with the public half it prints", () => {
    const key = bootstrapHostKey("any text", "prod", "manager-1");
    expect(withoutComment(keygenPublic(key.privateKey))).toBe(key.publicKey);
  });

  it("is the same for the same key, whatever its line ends, and another for another node, cluster or key", () => {
    const key = bootstrapHostKey("a\nb\n", "prod", "manager-1");
    expect(bootstrapHostKey("a\r\nb", "prod", "manager-1")).toEqual(key);
    const others = [
      bootstrapHostKey("a\nb\n", "prod", "manager-2"),
      bootstrapHostKey("a\nb\n", "test", "manager-1"),
      bootstrapHostKey("a\nc\n", "prod", "manager-1"),
    ];
    expect(new Set([key, ...others].map((k) => k.publicKey)).size).toBe(4);
  });

  it("does not change between releases, or running first boots would be refused", () => {
    expect(bootstrapHostKey("a fixed text", "prod", "manager-1").publicKey).toMatchInlineSnapshot(
      `"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMLsUYvdpsrzaKo9GUEU7rte7c3+G+W+wf/aT/O5ECzo"`,
    );
  });

  it("has a public half that publicKeyOf finds again", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (secret, cluster, node) => {
        const key = bootstrapHostKey(secret, cluster, node);
        expect(publicKeyOf(key.privateKey)).toBe(key.publicKey);
      }),
      { numRuns: 50 },
    );
  });
});

describe("publicKeyOf", () => {
  it.each([
    ["Ed25519, OpenSSH", () => keygen("-t", "ed25519")],
    ["RSA, OpenSSH", () => keygen("-t", "rsa", "-b", "2048")],
    ["ECDSA, OpenSSH", () => keygen("-t", "ecdsa")],
    ["RSA, PKCS #1", () => keygen("-t", "rsa", "-b", "2048", "-m", "PEM")],
    ["ECDSA, PKCS #8", () => keygen("-t", "ecdsa", "-b", "384", "-m", "PKCS8")],
  ])("agrees with ssh-keygen: %s", (_, make) => {
    const key = make();
    expect(publicKeyOf(key)).toBe(withoutComment(keygenPublic(key)));
    expect(publicKeyOf(`\r\n${key.replace(/\n/g, "\r\n")}`)).toBe(publicKeyOf(key));
  });

  it("reads Ed25519 in PKCS #8, as other tools write it", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const line = publicKeyOf(privateKey.export({ format: "pem", type: "pkcs8" }).toString());
    const raw = Buffer.from(line.split(" ")[1] ?? "", "base64").subarray(-32);
    expect(raw.toString("base64url")).toBe(publicKey.export({ format: "jwk" }).x);
  });

  it("refuses what it cannot use and quotes none of it", () => {
    const good = keygen("-t", "ed25519");
    const encrypted = join(dir, "encrypted");
    execFileSync("ssh-keygen", ["-q", "-N", "long passphrase", "-t", "ed25519", "-f", encrypted]);
    const bad: [string, RegExp][] = [
      ["", /not a private key/],
      ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAISECRET", /not a private key/],
      [readFileSync(encrypted, "utf8"), /passphrase/],
      [good.slice(0, 150), /cut short/],
      [`${good.split("\n").slice(0, 2).join("\n")}\n-----END OPENSSH PRIVATE KEY-----\n`, /cut short/],
      ["-----BEGIN PRIVATE KEY-----\nU0VDUkVU\n-----END PRIVATE KEY-----\n", /damaged/],
    ];
    for (const [text, reason] of bad) {
      let caught: unknown;
      try {
        publicKeyOf(text);
      } catch (error) {
        caught = error;
      }
      expect(caught).toBeInstanceOf(SshKeyError);
      expect((caught as Error).message).toMatch(reason);
      expect(JSON.stringify(caught, Object.getOwnPropertyNames(caught))).not.toMatch(/SECRET|U0VDUkVU/);
    }
  });
});
