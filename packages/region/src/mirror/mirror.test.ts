import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mirrorFile } from "./paths.js";
import { MirrorCache } from "./server.js";

const source = { archive: "http://deb.example/debian", security: "http://sec.example/debian-security" };

describe("mirrorFile", () => {
  it("maps both archives", () => {
    expect(mirrorFile("/debian/pool/main/d/docker.io/docker.io_26.1.5+dfsg1-9_amd64.deb", source)).toEqual({
      uri: "http://deb.example/debian/pool/main/d/docker.io/docker.io_26.1.5+dfsg1-9_amd64.deb",
      cachePath: "debian/pool/main/d/docker.io/docker.io_26.1.5+dfsg1-9_amd64.deb",
      immutable: true,
    });
    expect(mirrorFile("/debian-security/dists/trixie-security/InRelease", source)).toMatchObject({
      uri: "http://sec.example/debian-security/dists/trixie-security/InRelease",
      immutable: false,
    });
    expect(mirrorFile("/debian/dists/sid/main/by-hash/SHA256/ab12", source)?.immutable).toBe(true);
  });

  it("reads escaped names once", () => {
    expect(mirrorFile("/debian/pool/a_1%2b2%7e3.deb", source)).toMatchObject({
      cachePath: "debian/pool/a_1+2~3.deb",
      uri: "http://deb.example/debian/pool/a_1+2~3.deb",
    });
  });

  it.each([
    "/debian/../etc/passwd",
    "/debian/pool/../../x",
    "/debian/pool/%2e%2e/%2e%2e/x",
    "/debian/pool/..%2f..%2fx",
    "/debian/pool/.../x",
    "/debian/pool//x",
    "/debian/pool/%",
    "/debian/pool/a%00b",
    "/debian/pool/",
    "/debian/other/x",
    "/other/pool/x",
    "pool/x",
    "/",
    "",
  ])("refuses %s", (path) => {
    expect(mirrorFile(path, source)).toBeUndefined();
  });
});

describe("MirrorCache", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "mirror-"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  const file = { uri: "http://deb.example/debian/pool/a.deb", cachePath: "debian/pool/a.deb", immutable: true };

  it("fetches a file once for concurrent and for later requests", async () => {
    let fetched = 0;
    const cache = new MirrorCache(directory, async (_uri, target) => {
      fetched += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
      writeFileSync(target, "deb");
    });
    const paths = await Promise.all([cache.get(file), cache.get(file)]);
    paths.push(await cache.get(file));
    expect(fetched).toBe(1);
    expect(new Set(paths).size).toBe(1);
    expect(readFileSync(paths[0] ?? "", "utf8")).toBe("deb");
  });

  it("has no file that the archive does not have, and asks again the next time", async () => {
    let asked = 0;
    const cache = new MirrorCache(directory, async () => {
      asked += 1;
      throw new Error("E: 404  Not Found");
    });
    expect(await cache.get(file)).toBeUndefined();
    expect(await cache.get(file)).toBeUndefined();
    expect(asked).toBe(2);
  });

  it("passes on other failures", async () => {
    const cache = new MirrorCache(directory, async () => {
      throw new Error("no route");
    });
    await expect(cache.get(file)).rejects.toThrow("no route");
  });
});
