import { describe, expect, test } from "vitest";
import { makeNetwork, makeServer, testApi } from "./testing/harness.js";

const cloud = (ip_range?: string) => ({ type: "cloud", network_zone: "eu-central", ...(ip_range ? { ip_range } : {}) });

describe("a Network", () => {
  test("is made with subnets and routes, and handed to the backend", async () => {
    const region = testApi();
    const network = await makeNetwork(region, "net", {
      routes: [{ destination: "10.100.1.0/24", gateway: "10.0.1.5" }],
      labels: { a: "b" },
    });
    expect(network).toMatchObject({
      ip_range: "10.0.0.0/16",
      subnets: [
        { type: "cloud", ip_range: "10.0.1.0/24", network_zone: "eu-central", gateway: "10.0.0.1", vswitch_id: null },
      ],
      routes: [{ destination: "10.100.1.0/24", gateway: "10.0.1.5" }],
      servers: [],
      protection: { delete: false },
      expose_routes_to_vswitch: false,
    });
    expect(region.backend.networks.get(network.id)).toEqual({
      networkId: network.id,
      ipRange: "10.0.0.0/16",
      subnets: [{ ipRange: "10.0.1.0/24", gateway: "10.0.0.1" }],
      routes: [{ destination: "10.100.1.0/24", gateway: "10.0.1.5" }],
    });
  });

  test.each([
    [{ ip_range: "10.0.0.1/16" }, "ip_range"],
    [{ ip_range: "100.64.0.0/16" }, "ip_range"],
    [{ ip_range: "10.0.0.0/25" }, "ip_range"],
    [{ ip_range: "2001:db8::/32" }, "ip_range"],
    [{ ip_range: "10.0.0.0/16", subnets: [cloud("10.1.0.0/24")] }, "ip_range"],
    [{ ip_range: "10.0.0.0/16", subnets: [cloud("10.0.0.0/31")] }, "ip_range"],
    [{ ip_range: "10.0.0.0/16", subnets: [cloud("10.0.0.0/24"), cloud("10.0.0.128/25")] }, "ip_range"],
    [{ ip_range: "10.0.0.0/16", subnets: [{ ...cloud(), network_zone: "mars" }] }, "subnets.0.network_zone"],
    [{ ip_range: "10.0.0.0/16", subnets: [{ ...cloud(), type: "vswitch" }] }, "vswitch_id"],
    [{ ip_range: "10.0.0.0/16", subnets: [{ ...cloud(), vswitch_id: 1 }] }, "vswitch_id"],
    [{ ip_range: "10.0.0.0/16", routes: [{ destination: "8.8.8.0/24", gateway: "10.0.0.5" }] }, "destination"],
    [{ ip_range: "10.0.0.0/16", routes: [{ destination: "172.16.0.0/12", gateway: "10.0.0.5" }] }, "destination"],
    [{ ip_range: "10.0.0.0/16", routes: [{ destination: "10.1.0.0/16", gateway: "10.0.0.1" }] }, "gateway"],
    [{ ip_range: "10.0.0.0/16", routes: [{ destination: "10.1.0.0/16", gateway: "10.1.0.5" }] }, "gateway"],
    [{ ip_range: "10.0.0.0/16", routes: [{ destination: "10.1.0.0/16", gateway: "x" }] }, "gateway"],
  ])("is refused with %j", async (request, field) => {
    const region = testApi();
    expect(await region.refusedFields("POST", "/networks", { name: "n", ...request })).toEqual([field]);
    expect(region.backend.calls).toEqual([]);
  });

  test("is renamed, protected and deleted", async () => {
    const region = testApi();
    const { id } = await makeNetwork(region);
    await makeNetwork(region, "other");
    expect(await region.refusal("POST", "/networks", { name: "net", ip_range: "10.0.0.0/16" })).toBe(
      "uniqueness_error",
    );
    expect(await region.refusal("PUT", `/networks/${id}`, { name: "other" })).toBe("uniqueness_error");
    const put = await region.make("PUT", `/networks/${id}`, { name: "new", expose_routes_to_vswitch: true });
    expect(put.network).toMatchObject({ name: "new", expose_routes_to_vswitch: true });
    await region.make("POST", `/networks/${id}/actions/change_protection`, { delete: true });
    expect(await region.refusal("DELETE", `/networks/${id}`)).toBe("protected");
    await region.make("POST", `/networks/${id}/actions/change_protection`, { delete: false });
    expect((await region.call("DELETE", `/networks/${id}`)).status).toBe(204);
    expect(region.backend.networks.has(id)).toBe(false);
    expect(await region.refusal("GET", `/networks/${id}`)).toBe("not_found");
  });

  test("takes its servers' interfaces with it", async () => {
    const region = testApi();
    const { id } = await makeNetwork(region);
    const server = await makeServer(region, "s", { networks: [id] });
    expect((await region.get(`/networks/${id}`)).network.servers).toEqual([server.id]);
    await region.make("DELETE", `/networks/${id}`);
    expect((await region.get(`/servers/${server.id}`)).server.private_net).toEqual([]);
    expect(region.backend.machines.get(server.id)?.spec.privateInterfaces).toEqual([]);
  });
});

describe("subnets and routes", () => {
  test("are added and removed, each by an action that the backend completes", async () => {
    const region = testApi();
    const { id } = await makeNetwork(region);
    const post = (name: string, body: object) => region.make("POST", `/networks/${id}/actions/${name}`, body);
    const { action } = await post("add_subnet", cloud("10.0.2.0/24"));
    expect(action).toMatchObject({ command: "add_subnet", status: "running", progress: 0, finished: null });
    expect(await region.action(action.id)).toMatchObject({ status: "success", progress: 100 });
    await post("add_route", { destination: "10.200.0.0/16", gateway: "10.0.1.9" });
    expect(region.backend.networks.get(id)).toMatchObject({
      subnets: [{ ipRange: "10.0.1.0/24" }, { ipRange: "10.0.2.0/24" }],
      routes: [{ destination: "10.200.0.0/16", gateway: "10.0.1.9" }],
    });
    await post("delete_route", { destination: "10.200.0.0/16", gateway: "10.0.1.9" });
    await post("delete_subnet", { ip_range: "10.0.2.0/24" });
    expect(region.backend.networks.get(id)).toMatchObject({ subnets: [{ ipRange: "10.0.1.0/24" }], routes: [] });
    const refused = (name: string, body: object) => region.refusal("POST", `/networks/${id}/actions/${name}`, body);
    expect(await refused("delete_subnet", { ip_range: "10.0.2.0/24" })).toBe("not_found");
    expect(await refused("delete_route", { destination: "10.200.0.0/16", gateway: "10.0.1.9" })).toBe("not_found");
    expect(await refused("add_route", { destination: "10.0.1.0/25", gateway: "10.0.1.9" })).toBe("invalid_input");
  });

  test("a subnet without a range gets the first free /24, beside routes too", async () => {
    const region = testApi();
    const { network } = await region.make("POST", "/networks", {
      name: "n",
      ip_range: "10.0.0.0/16",
      routes: [{ destination: "10.0.0.0/24", gateway: "10.0.9.9" }],
      subnets: [],
    });
    for (const expected of ["10.0.1.0/24", "10.0.2.0/24"]) {
      await region.make("POST", `/networks/${network.id}/actions/add_subnet`, cloud());
      const { subnets } = (await region.get(`/networks/${network.id}`)).network;
      expect(subnets.at(-1).ip_range).toBe(expected);
    }
    const small = await region.make("POST", "/networks", { name: "s", ip_range: "10.9.0.0/24", subnets: [cloud()] });
    expect(small.network.subnets[0].ip_range).toBe("10.9.0.0/24");
    expect(await region.refusedFields("POST", `/networks/${small.network.id}/actions/add_subnet`, cloud())).toEqual([
      "ip_range",
    ]);
  });

  test("a default route and private routes live beside each other, twice the same do not", async () => {
    const region = testApi();
    const { id } = await makeNetwork(region);
    const add = (destination: string) => ({ destination, gateway: "10.0.1.5" });
    const path = `/networks/${id}/actions/add_route`;
    await region.make("POST", path, add("0.0.0.0/0"));
    await region.make("POST", path, add("192.168.0.0/24"));
    expect(await region.refusedFields("POST", path, add("0.0.0.0/0"))).toEqual(["destination"]);
    expect(await region.refusedFields("POST", path, add("192.168.0.0/16"))).toEqual(["destination"]);
  });

  test("a subnet with servers stays, as the provider expects to be told", async () => {
    const region = testApi();
    const { id } = await makeNetwork(region);
    await makeServer(region, "s", { networks: [id] });
    const { body } = await region.call("POST", `/networks/${id}/actions/delete_subnet`, { ip_range: "10.0.1.0/24" });
    expect(body.error.code).toBe("service_error");
    expect(body.error.message).toContain("servers are attached");
  });

  test("a Network that is being changed refuses more changes with conflict", async () => {
    const region = testApi();
    const { id } = await makeNetwork(region);
    const release = region.backend.hold("putNetwork");
    await region.call("POST", `/networks/${id}/actions/add_subnet`, cloud("10.0.2.0/24"));
    const again = cloud("10.0.3.0/24");
    expect(await region.refusal("POST", `/networks/${id}/actions/add_subnet`, again)).toBe("conflict");
    expect(await region.refusal("DELETE", `/networks/${id}`)).toBe("conflict");
    release();
    await region.api.idle();
    await region.make("POST", `/networks/${id}/actions/add_subnet`, again);
  });

  test("ranges only grow at their end", async () => {
    const region = testApi();
    const { id } = await makeNetwork(region);
    const path = `/networks/${id}/actions/change_ip_range`;
    await region.make("POST", path, { ip_range: "10.0.0.0/15" });
    expect(region.backend.networks.get(id)?.ipRange).toBe("10.0.0.0/15");
    for (const ip_range of ["10.0.0.0/16", "10.0.0.0/15", "10.2.0.0/14", "10.0.0.0/7"]) {
      expect(await region.refusedFields("POST", path, { ip_range })).toEqual(["ip_range"]);
    }
  });

  test("a change that the backend refuses fails its action", async () => {
    const region = testApi();
    const { id } = await makeNetwork(region);
    region.backend.failNext("putNetwork", "no buffer space");
    const { action } = await region.make("POST", `/networks/${id}/actions/add_subnet`, cloud("10.0.2.0/24"));
    expect(await region.action(action.id)).toMatchObject({
      status: "error",
      error: { code: "action_failed", message: "no buffer space" },
    });
  });
});
