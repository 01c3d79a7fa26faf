import { beforeAll, describe, expect, it } from "vitest";
import { bootstrapHostKey } from "../remote/sshKey";
import { fakeCloud, known } from "../testing/fakeCloud";
import { sshKeys } from "./sshKeys";

beforeAll(async () => {
  await fakeCloud();
});

const { privateKey, publicKey } = bootstrapHostKey("a test", "key", "pair");

describe("sshKeys", () => {
  it("derives the public half, and keeps the private one a secret", async () => {
    const keys = sshKeys("Test", { privateKey });
    expect(await keys.privateKey.isSecret).toBe(true);
    expect(await keys.publicKey.isSecret).toBe(false);
    expect(await known(keys.publicKey)).toBe(publicKey);
  });

  it("takes the public half that it is given", async () => {
    const other = bootstrapHostKey("another", "key", "pair").publicKey;
    expect(await known(sshKeys("Test", { privateKey, publicKey: `${other} me@home` }).publicKey)).toBe(
      `${other} me@home`,
    );
  });
});
