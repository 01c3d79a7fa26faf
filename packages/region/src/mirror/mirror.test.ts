import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { createMirror, type Fetch } from "./mirror.js";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function start(fetchFile: Fetch) {
  const cache = mkdtempSync(join(tmpdir(), "mirror-"));
  const repositories = new Map([["debian", "http://origin.example/debian/"]]);
  const server = createMirror({ repositories, cache, fetch: fetchFile });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    server.close();
    rmSync(cache, { recursive: true });
  });
  const { port } = server.address() as AddressInfo;
  return { cache, get: (path: string) => fetch(`http://127.0.0.1:${port}${path}`) };
}

describe("mirror", () => {
  it("fetches once, however many ask at a time, and serves from the cache after", async () => {
    const asked: string[] = [];
    const { get } = await start(async (uri, file) => {
      asked.push(uri);
      await new Promise((resolve) => setTimeout(resolve, 20));
      writeFileSync(file, "package");
    });
    const answers = await Promise.all([1, 2, 3].map(() => get("/debian/pool/main/a/a/a_1_all.deb")));
    expect(await Promise.all(answers.map((answer) => answer.text()))).toEqual(["package", "package", "package"]);
    expect(await (await get("/debian/pool/main/a/a/a_1_all.deb")).text()).toBe("package");
    expect(asked).toEqual(["http://origin.example/debian/pool/main/a/a/a_1_all.deb"]);
  });

  it("looks again at an index that is old, never at a package", async () => {
    let version = 0;
    const { cache, get } = await start(async (_uri, file) => writeFileSync(file, `version ${++version}`));
    const old = new Date(Date.now() - 24 * 3600 * 1000);
    for (const path of ["/debian/dists/trixie/InRelease", "/debian/pool/main/a/a/a_1_all.deb"]) {
      await get(path);
      utimesSync(join(cache, path), old, old);
    }
    expect(await (await get("/debian/dists/trixie/InRelease")).text()).toBe("version 3");
    expect(await (await get("/debian/pool/main/a/a/a_1_all.deb")).text()).toBe("version 2");
  });

  it("answers 404 for what cannot be had, and tries again the next time", async () => {
    let broken = true;
    const { get } = await start(async (_uri, file) => {
      if (broken) throw new Error("404");
      writeFileSync(file, "here");
    });
    expect((await get("/debian/dists/trixie/InRelease")).status).toBe(404);
    broken = false;
    expect((await get("/debian/dists/trixie/InRelease")).status).toBe(200);
    expect((await get("/etc/passwd")).status).toBe(404);
  });
});
