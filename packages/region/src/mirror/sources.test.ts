import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mirrorFile, repositoriesFrom } from "./sources.js";

const targets = `Debian|bookworm|http://mirror.example/debian/
Debian|bookworm|http://mirror.example/debian/
Other|nodistro|https://other.example/
Debian|bookworm-security|http://mirror.example/debian-security
`;
const repositories = repositoriesFrom(targets);

describe("repositoriesFrom", () => {
  it("takes Debian's archive and its security updates, nothing else", () => {
    expect([...repositories]).toEqual([
      ["debian", "http://mirror.example/debian/"],
      ["debian-security", "http://mirror.example/debian-security/"],
    ]);
  });

  it("says so when there is none", () => {
    expect(() => repositoriesFrom("Other|x|https://other.example/")).toThrow(/no Debian archive/);
  });
});

describe("mirrorFile", () => {
  it("knows what never changes", () => {
    expect(mirrorFile(repositories, "/debian/pool/main/i/iptables/iptables_1.8.11-2_amd64.deb")).toEqual({
      uri: "http://mirror.example/debian/pool/main/i/iptables/iptables_1.8.11-2_amd64.deb",
      path: "debian/pool/main/i/iptables/iptables_1.8.11-2_amd64.deb",
      immutable: true,
    });
    expect(mirrorFile(repositories, "/debian/dists/trixie/main/binary-amd64/by-hash/SHA256/00ff")?.immutable).toBe(
      true,
    );
    expect(mirrorFile(repositories, "/debian/dists/trixie/InRelease")?.immutable).toBe(false);
    expect(mirrorFile(repositories, "/debian/pool/main/d/docker.io/x_26.1.5%2bdfsg1_amd64.deb")?.path).toBe(
      "debian/pool/main/d/docker.io/x_26.1.5+dfsg1_amd64.deb",
    );
  });

  it("refuses what is outside an archive", () => {
    for (const path of [
      "/",
      "/debian",
      "/debian/../etc/passwd",
      "/debian/pool/%2e%2e/%2e%2e/etc",
      "/other/pool/a/b",
      "/debian/pool/a%2fb/../c",
      "/debian/pool//x",
      "/debian/%",
      "/debian/doc/x/y",
    ])
      expect(mirrorFile(repositories, path), path).toBeUndefined();
  });

  it("never leaves its folder, whatever is asked", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const file = mirrorFile(repositories, `/debian/pool/${text}`);
        if (file) expect(file.path.split("/")).not.toContain("..");
      }),
    );
  });
});
