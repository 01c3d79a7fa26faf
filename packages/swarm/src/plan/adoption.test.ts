import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Adoption,
  aliasOf,
  ignoredProperties,
  publicSwarmWarning,
  refusals,
  refusalText,
  serverProperties,
  swarmAddress,
} from "./adoption";

const actual = { serverType: "cx23", location: "fsn1", image: "debian-12" };
const adoption = (way: Adoption["way"], may: Partial<Adoption> = {}): Adoption => ({
  way,
  mayReboot: false,
  mayReplace: false,
  ...may,
});

describe("refusals", () => {
  it("lets a server be adopted of which the program names nothing, or what it is", () => {
    expect(refusals({}, actual, adoption("id"))).toEqual([]);
    expect(refusals(actual, actual, adoption("alias"))).toEqual([]);
  });

  it("names what would reboot and what would replace the server", () => {
    const refused = refusals({ serverType: "cx33", image: "debian-13" }, actual, adoption("alias"));
    expect(refused).toEqual([
      { property: "serverType", wanted: "cx33", actual: "cx23", consequence: "rebooted" },
      { property: "image", wanted: "debian-13", actual: "debian-12", consequence: "replaced" },
    ]);
    expect(refusalText("pools.db.nodes.db-1", refused, adoption("alias"))).toMatchInlineSnapshot(`
      "an adopted server stays as it is
        pools.db.nodes.db-1.serverType: from "cx23" to "cx33" means that it is powered off, changed and started again. Leave the argument out to keep the server as it is, or say adopt.mayReboot: true
        pools.db.nodes.db-1.image: from "debian-12" to "debian-13" means that it is deleted, and another one made in its place. Leave the argument out to keep the server as it is, or say adopt.mayReplace: true"
    `);
  });

  it("gives way to the yes that was said, and to no other", () => {
    const wanted = { serverType: "cx33", location: "nbg1" };
    const left = (may: Partial<Adoption>) => refusals(wanted, actual, adoption("alias", may)).map((r) => r.property);
    expect(left({ mayReboot: true })).toEqual(["location"]);
    expect(left({ mayReplace: true })).toEqual(["serverType"]);
    expect(left({ mayReboot: true, mayReplace: true })).toEqual([]);
  });

  it("offers no yes for a server that is not the component's", () => {
    const refused = refusals({ serverType: "cx33", location: "nbg1" }, actual, adoption("id"));
    const text = refusalText("n", refused, adoption("id"));
    expect(text).not.toMatch(/mayRe/);
    expect(text).toMatch(/whoever owns the server may change it/);
    expect(refusalText("n", refused, adoption("importId"))).not.toMatch(/mayReplace/);
  });

  it("never lets a difference through without a yes", () => {
    const shape = fc.record({
      serverType: fc.constantFrom("cx23", "cx33"),
      location: fc.constantFrom("fsn1", "nbg1"),
      image: fc.constantFrom("debian-12", "debian-13"),
    });
    const wish = fc.record(
      {
        serverType: fc.constantFrom("cx23", "cx33"),
        location: fc.constantFrom("fsn1"),
        image: fc.constantFrom("debian-13"),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(wish, shape, fc.boolean(), fc.boolean(), (wanted, is, mayReboot, mayReplace) => {
        const refused = refusals(wanted, is, { way: "alias", mayReboot, mayReplace }).map((r) => r.property);
        const differs = (key: "serverType" | "location" | "image") =>
          wanted[key] !== undefined && wanted[key] !== is[key];
        expect(refused.includes("serverType")).toBe(differs("serverType") && !mayReboot);
        for (const key of ["location", "image"] as const)
          expect(refused.includes(key)).toBe(differs(key) && !mayReplace);
      }),
    );
  });
});

describe("ignoredProperties", () => {
  it("is every argument of a server, but for the type where it may be changed", () => {
    expect(ignoredProperties({ serverType: "cx33" }, adoption("alias"))).toEqual(serverProperties);
    expect(ignoredProperties({}, adoption("alias", { mayReboot: true }))).toEqual(serverProperties);
    const changing = ignoredProperties({ serverType: "cx33" }, adoption("alias", { mayReboot: true }));
    expect(changing).toEqual(serverProperties.filter((name) => name !== "serverType"));
  });

  it("knows every argument that the provider's package has", () => {
    const file = join(__dirname, "../../node_modules/@pulumi/hcloud/server.d.ts");
    const [, args = ""] = readFileSync(file, "utf8").split("export interface ServerArgs {");
    const names = [...args.matchAll(/^ {4}(\w+)\??: /gm)].map((match) => match[1]);
    expect(names.sort()).toEqual([...serverProperties].sort());
  });
});

describe("aliasOf", () => {
  it("tells a URN from a name at the top level", () => {
    const urn = "urn:pulumi:prod::shop::hcloud:index/server:Server::db";
    expect(aliasOf(urn)).toEqual({ urn });
    expect(aliasOf("db")).toEqual({ topLevelName: "db" });
  });
});

describe("swarmAddress", () => {
  const attachments = [
    { networkId: 1, ip: "10.0.0.2" },
    { networkId: 2, ip: "10.1.0.2" },
  ];
  it("is the one that is named, else that in the cluster's network", () => {
    expect(swarmAddress("db", "203.0.113.9", attachments, 2)).toBe("203.0.113.9");
    expect(swarmAddress("db", undefined, attachments, 2)).toBe("10.1.0.2");
  });

  it("is an error with the ways out where there is none", () => {
    expect(() => swarmAddress("db", undefined, attachments, 3)).toThrow(/in network 1, 2, not in 3.*adopt\.address/s);
    expect(() => swarmAddress("db", undefined, [], undefined)).toThrow(/in none/);
  });
});

describe("publicSwarmWarning", () => {
  it("names the public addresses that a swarm runs over", () => {
    expect(publicSwarmWarning(["10.0.0.2", "fd00::2", "100.64.0.1", "swarm.example"])).toBeUndefined();
    expect(publicSwarmWarning(["10.0.0.2", "192.0.2.7", "2001:db8::7"])).toMatch(/\(192\.0\.2\.7, 2001:db8::7\)/);
  });
});
