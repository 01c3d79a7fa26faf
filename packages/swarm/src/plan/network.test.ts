import { expect, it } from "vitest";
import { gatewayOf, nodesRange } from "./network";

it.each([
  ["10.0.0.0/16", "10.0.0.1"],
  ["172.16.128.0/17", "172.16.128.1"],
  ["192.168.7.128/25", "192.168.7.129"],
])("the router of %s is %s", (range, router) => expect(gatewayOf(range)).toBe(router));

it("nodes are in their subnet, and anywhere in a network that was there before", () => {
  const own = { ipRange: "10.0.0.0/16", subnetRange: "10.0.0.0/24" };
  expect(nodesRange(own)).toBe("10.0.0.0/24");
  expect(nodesRange({ ipRange: "10.0.0.0/16" })).toBe("10.0.0.0/16");
  expect(nodesRange({ ...own, existing: { id: "1" } })).toBe("10.0.0.0/16");
  expect(nodesRange({ ...own, existingSubnet: { id: "1-10.0.0.0/24" } })).toBe("10.0.0.0/16");
});
