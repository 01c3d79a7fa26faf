import { describe, expect, it } from "vitest";
import { isOfRegion, privateTap, publicTap } from "./names.js";
import { firstAddress } from "./ranges.js";
import { privateLease, publicLease } from "./router.js";

const network = {
  networkId: 1,
  ipRange: "10.0.0.0/16",
  subnets: [],
  routes: [{ destination: "10.100.0.0/24", gateway: "10.0.1.1" }],
};

describe("leases", () => {
  it("reach the world and the metadata service through the public gateway", () => {
    expect(publicLease("203.0.113.1").routes).toEqual([
      { destination: "172.31.1.1/32", gateway: "0.0.0.0" },
      { destination: "169.254.169.254/32", gateway: "172.31.1.1" },
      { destination: "0.0.0.0/0", gateway: "172.31.1.1" },
    ]);
  });

  it("reach a Network and its routes through its first address, with Hetzner's MTU and no default route", () => {
    const lease = privateLease("10.0.1.2", network, { only: false });
    expect(lease.mtu).toBe(1450);
    expect(lease.router).toBeUndefined();
    expect(lease.routes).toEqual([
      { destination: "10.0.0.1/32", gateway: "0.0.0.0" },
      { destination: "10.0.0.0/16", gateway: "10.0.0.1" },
      { destination: "10.100.0.0/24", gateway: "10.0.0.1" },
    ]);
  });

  it("reach the metadata service through the Network where there is nothing else", () => {
    const { routes } = privateLease("10.0.1.2", { ...network, routes: [] }, { only: true });
    expect(routes).toEqual([
      { destination: "10.0.0.1/32", gateway: "0.0.0.0" },
      { destination: "10.0.0.0/16", gateway: "10.0.0.1" },
      { destination: "169.254.169.254/32", gateway: "10.0.0.1" },
    ]);
  });

  it("leave a Network's default route to the servers that want it", () => {
    const routed = { ...network, routes: [...network.routes, { destination: "0.0.0.0/0", gateway: "10.0.1.1" }] };
    for (const only of [true, false])
      expect(privateLease("10.0.1.2", routed, { only })).toEqual(privateLease("10.0.1.2", network, { only }));
  });
});

describe("names", () => {
  it("fit into the kernel's 15 characters", () => {
    expect(publicTap(4_294_967_295).length).toBeLessThanOrEqual(15);
    expect(privateTap(9_999_999, 9_999_999).length).toBeLessThanOrEqual(15);
  });

  it("tell the namespaces of one region from those of another", () => {
    expect(["hcr-a", "hcr-a-out", "hcr-a-n12"].every((name) => isOfRegion(name, "a"))).toBe(true);
    expect(["hcr-ab", "hcr-ab-out", "hcr-a-nx", "xhcr-a"].some((name) => isOfRegion(name, "a"))).toBe(false);
  });

  it("find a range's gateway", () => {
    expect(firstAddress("10.1.0.0/16")).toBe("10.1.0.1");
    expect(firstAddress("192.168.7.9/24")).toBe("192.168.7.1");
  });
});
