/** Servers of managers depend on each other, so that Pulumi deletes one at a time; test/provider sees it do so. */
import type * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import type { SwarmClusterArgs } from "../args/components";
import { bootstrapHostKey } from "../remote/sshKey";
import { SwarmCluster } from "../swarmCluster";
import { fakeCloud } from "../testing/fakeCloud";

const { privateKey, publicKey: hostKey } = bootstrapHostKey("a test", "key", "pair");

/** Names of the servers that each server depends on, directly. */
async function dependencies(args: Omit<SwarmClusterArgs, "ssh">, servers: Readonly<Record<string, object>> = {}) {
  const cloud = await fakeCloud({ slow: true, servers });
  const names = new Map<unknown, string>();
  const dependsOn = new Map<string, readonly unknown[]>();
  const note: pulumi.ResourceTransformation = ({ resource, type, name, opts }) => {
    if (type !== "hcloud:index/server:Server") return undefined;
    names.set(resource, name.replace("prod-", ""));
    dependsOn.set(name.replace("prod-", ""), opts.dependsOn as readonly unknown[]);
    return undefined;
  };
  new SwarmCluster("prod", { ssh: { privateKey }, ...args }, { transformations: [note] });
  await cloud.settled();
  return Object.fromEntries([...dependsOn].map(([name, on]) => [name, on.flatMap((one) => names.get(one) ?? [])]));
}

describe("the server of a manager", () => {
  it("depends on those of all managers before it; those of workers on none", async () => {
    const pools = {
      w: { role: "worker", nodes: { w1: {}, w2: {} } },
      a: { role: "manager", nodes: { m3: {}, m1: {} } },
      b: { role: "manager", nodes: { m2: { replacement: 1 } } },
    } as const;
    expect(await dependencies({ pools })).toEqual({ w1: [], w2: [], m1: [], m3: ["m1"], "m2-r1": ["m1", "m3"] });
  });

  it("comes after those with a public address where it has none: it is reached over one of them", async () => {
    const nodes = { m1: { privateOnly: true }, m2: {}, m3: {}, m4: { privateOnly: true }, m5: {} };
    const pools = { m: { role: "manager", nodes } } as const;
    expect(await dependencies({ pools, network: { egress: { node: "m5" } } })).toEqual({
      ...{ m2: [], m3: ["m2"], m5: ["m2", "m3"] },
      ...{ m1: ["m2", "m3", "m5"], m4: ["m2", "m3", "m5", "m1"] },
    });
  });

  it("is in turn where it was adopted, unless it is somebody else's to delete", async () => {
    const server = {
      name: "prod-m1",
      serverType: "cx23",
      location: "fsn1",
      image: "debian-13",
      ipv4Address: "203.0.113.9",
    };
    const there = { ...server, networks: [{ networkId: 7, ip: "10.0.0.9" }] };
    const nodes = { m1: { adopt: { id: "1", hostKey } }, m2: { adopt: { importId: "2", hostKey } }, m3: {} };
    const args = { pools: { m: { role: "manager", nodes } }, network: { existing: { id: "7" } } } as const;
    const servers = { 1: there, 2: { ...there, name: "prod-m2" } };
    expect(await dependencies(args, servers)).toEqual({ m2: [], m3: ["m2"] });
  });
});
