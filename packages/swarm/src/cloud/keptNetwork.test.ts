import { describe, expect, it } from "vitest";
import { bootstrapHostKey } from "../remote/sshKey";
import { madeCluster, refusedCluster } from "../testing/madeCluster";
import { type KeptArgument, type KeptValue, refuseOther } from "./keptNetwork";

const refuse = (kept: Partial<Record<KeptArgument, KeptValue>>) => () =>
  refuseOther('SwarmCluster "prod"', "prod", kept);
const ipRange = (found: string | undefined, asked: string) => refuse({ ipRange: { found, asked } });

describe("a network that is there", () => {
  it("passes as what it is, and where it is not known", () => {
    expect(ipRange("10.0.0.0/16", "10.0.0.0/16")).not.toThrow();
    expect(ipRange(undefined, "10.0.0.0/16")).not.toThrow();
    expect(refuse({})).not.toThrow();
  });

  it("is refused as another one, with what is there, what is asked for and the way", () => {
    expect(ipRange("10.0.0.0/16", "10.1.0.0/16")).toThrow(
      'SwarmCluster "prod": the network prod is there and stays as it is. network.ipRange: given 10.1.0.0/16, it has 10.0.0.0/16. Say ' +
        "network.ipRange: 10.0.0.0/16 again. For another network make another cluster beside this one, or destroy this one first",
    );
    const subnet = { found: "10.0.0.0/24", asked: "10.0.1.0/24" };
    expect(refuse({ subnetRange: subnet, zone: { found: "eu-central", asked: "us-east" } })).toThrow(
      /it has 10\.0\.0\.0\/24; network\.zone: given us-east.* Say network\.subnetRange: 10\.0\.0\.0\/24 and network\.zone: eu-central again\./,
    );
  });

  it("can be extended at its end by hand, and not otherwise; a subnet cannot", () => {
    expect(ipRange("10.0.0.0/16", "10.0.0.0/15")).toThrow(
      "again, or extend it: 'hcloud network change-ip-range --ip-range 10.0.0.0/15 prod', then 'pulumi up --refresh'. For",
    );
    for (const [found, asked] of [
      ["10.0.0.0/16", "10.0.0.0/17"],
      ["10.1.0.0/16", "10.0.0.0/15"],
      ["10.0.0.0/16", "10.1.0.0/16"],
    ] as const)
      expect(ipRange(found, asked)).toThrow(/again\. For/);
    expect(refuse({ subnetRange: { found: "10.0.0.0/24", asked: "10.0.0.0/23" } })).toThrow(/again\. For/);
  });
});

describe("a cluster", () => {
  const { privateKey } = bootstrapHostKey("a test", "key", "pair");
  const args = { ssh: { privateKey }, pools: { manager: { role: "manager", count: 1 } } } as const;
  const network = { ipRange: "10.0.0.0/16" };
  const subnet = { ipRange: "10.0.0.0/24", networkZone: "eu-central" };
  const servers = { "prod-network": network, "prod-subnet": subnet };
  const all = { ipRange: "10.1.0.0/16", subnetRange: "10.1.2.0/24", zone: "us-east" };

  it.each([
    [{ ipRange: all.ipRange }, /network\.ipRange: given 10\.1\.0\.0\/16, it has 10\.0\.0\.0\/16/],
    [{ subnetRange: "10.0.1.0/24" }, /network\.subnetRange: given 10\.0\.1\.0\/24, it has 10\.0\.0\.0\/24/],
    [{ zone: all.zone }, /network\.zone: given us-east, it has eu-central/],
  ])("with another network than it has is refused before a server or a host is touched: %j", async (asked, error) => {
    for (const preview of [false, true]) {
      const { cloud, errors } = await refusedCluster({ ...args, network: asked }, { servers, preview });
      expect(errors).toMatch(error);
      for (const type of ["hcloud:index/server:Server", "command:remote:Command"])
        expect(cloud.ofType(type)).toEqual([]);
    }
  });

  it("does not so much as look at the subnet of a network that is another one", async () => {
    const { cloud } = await refusedCluster({ ...args, network: all }, { servers });
    expect(cloud.ofType("hcloud:index/networkSubnet:NetworkSubnet")).toEqual([]);
  });

  it("with the network that it has goes on, and so does one that is new", async () => {
    const { cloud } = await madeCluster(args, { servers });
    expect(cloud.inputsOf("prod-manager-1")).toMatchObject({ networks: [{ networkId: 77, aliasIps: [] }] });
    const fresh = await madeCluster({ ...args, network: all });
    expect(fresh.cloud.inputsOf("prod-subnet")).toMatchObject({ ipRange: all.subnetRange, networkZone: all.zone });
    expect(fresh.cloud.ofType("hcloud:index/server:Server")).toHaveLength(1);
  });

  it("with a subnet of its own in a network that was there before keeps that subnet", async () => {
    const existing = { id: "12" };
    const kept = { existing, subnetRange: subnet.ipRange };
    const { cloud } = await madeCluster({ ...args, network: kept }, { servers });
    expect(cloud.inputsOf("prod-manager-1")).toMatchObject({ networks: [{ networkId: 12 }] });
    for (const preview of [false, true]) {
      const refused = await refusedCluster(
        { ...args, network: { ...kept, subnetRange: "10.0.1.0/24" } },
        { servers, preview },
      );
      expect(refused.errors).toMatch(
        /the network 12 is there.* network\.subnetRange: given 10\.0\.1\.0\/24, it has 10\.0\.0\.0\/24/,
      );
      expect(refused.cloud.ofType("hcloud:index/server:Server")).toEqual([]);
    }
  });

  it("is in any subnet of a network that was there before when it says none, whatever range and zone it says", async () => {
    const { cloud } = await madeCluster(
      { ...args, network: { ...all, subnetRange: undefined, existing: { id: "12" } } },
      { servers },
    );
    expect(cloud.inputsOf("prod-manager-1")).toMatchObject({ networks: [{ networkId: 12 }] });
    expect(cloud.ofType("hcloud:index/networkSubnet:NetworkSubnet")).toEqual([]);
  });
});
