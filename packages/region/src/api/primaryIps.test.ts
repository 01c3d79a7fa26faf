import { describe, expect, test } from "vitest";
import { makeServer, type TestApi, tcpRule, testApi } from "./testing/harness.js";

async function makeIp(region: TestApi, name: string, more: object = {}) {
  const request = { name, type: "ipv4", assignee_type: "server", location: "fsn1", ...more };
  return (await region.make("POST", "/primary_ips", request)).primary_ip;
}

async function serverThatIsOff(region: TestApi, more: object = {}) {
  return makeServer(region, "s", { start_after_create: false, ...more });
}

describe("a primary IP", () => {
  test("exists on its own", async () => {
    const region = testApi();
    const ip = await makeIp(region, "a", { labels: { x: "y" } });
    expect(ip).toMatchObject({
      ip: "203.0.113.1",
      assignee_id: null,
      auto_delete: false,
      location: { name: "fsn1" },
      datacenter: { name: "fsn1-dc14" },
      dns_ptr: [{ ip: "203.0.113.1", dns_ptr: "static.1.113.0.203.clients.your-server.de" }],
    });
    expect(await makeIp(region, "b", { type: "ipv6" })).toMatchObject({ ip: "2001:db8:1:1::/64", dns_ptr: [] });
    expect((await region.get("/primary_ips?ip=203.0.113.1")).primary_ips).toHaveLength(1);
    expect((await region.get("/primary_ips?ip=2001:db8:1:1::")).primary_ips).toHaveLength(1);
    expect((await region.call("DELETE", `/primary_ips/${ip.id}`)).status).toBe(204);
    expect((await makeIp(region, "c", { location: undefined, datacenter: "nbg1-dc3" })).ip).toBe("203.0.113.1");
  });

  test("is what servers get by default, and goes with them", async () => {
    const region = testApi();
    const server = await makeServer(region, "s");
    const { primary_ips } = await region.get("/primary_ips");
    expect(primary_ips).toMatchObject([
      { type: "ipv4", assignee_id: server.id, auto_delete: true },
      { type: "ipv6", assignee_id: server.id, auto_delete: true },
    ]);
    const only = await makeServer(region, "v6", { public_net: { enable_ipv4: false } });
    expect(only.public_net.ipv4).toBeNull();
    expect(region.backend.machines.get(only.id)?.spec.publicInterface).toEqual({
      mac: expect.any(String),
      ipv6Network: "2001:db8:1:2::/64",
    });
  });

  test.each([
    [{ location: undefined }, "location"],
    [{ location: "moon" }, "location"],
    [{ type: "ipv5" }, "type"],
    [{ assignee_type: "volume" }, "assignee_type"],
    [{ assignee_id: -1 }, "assignee_id"],
  ])("with %j is refused", async (wrong, field) => {
    const request = { name: "a", type: "ipv4", assignee_type: "server", location: "fsn1", ...wrong };
    expect(await testApi().refusedFields("POST", "/primary_ips", request)).toEqual([field]);
  });

  test("is renamed, protected and given PTR records", async () => {
    const region = testApi();
    const { id } = await makeIp(region, "a");
    await makeIp(region, "b");
    expect(await region.refusal("PUT", `/primary_ips/${id}`, { name: "b" })).toBe("uniqueness_error");
    expect(
      await region.refusal("POST", "/primary_ips", {
        name: "a",
        type: "ipv4",
        assignee_type: "server",
        location: "fsn1",
      }),
    ).toBe("uniqueness_error");
    const act = (name: string, body: object) => region.make("POST", `/primary_ips/${id}/actions/${name}`, body);
    await act("change_protection", { delete: true });
    expect(await region.refusal("DELETE", `/primary_ips/${id}`)).toBe("protected");
    expect(await region.refusal("PUT", `/primary_ips/${id}`, { auto_delete: true })).toBe("protected");
    await act("change_protection", { delete: false });
    await region.make("PUT", `/primary_ips/${id}`, { name: "c", auto_delete: true, labels: { x: "y" } });
    expect(
      await region.refusedFields("POST", `/primary_ips/${id}/actions/change_protection`, { delete: true }),
    ).toEqual(["delete"]);
    await act("change_dns_ptr", { ip: "203.0.113.1", dns_ptr: "a.example.com" });
    expect((await region.get(`/primary_ips/${id}`)).primary_ip).toMatchObject({
      name: "c",
      auto_delete: true,
      labels: { x: "y" },
      dns_ptr: [{ ip: "203.0.113.1", dns_ptr: "a.example.com" }],
    });
  });
});

describe("assignment", () => {
  test("at the server's creation checks family, place and owner", async () => {
    const region = testApi();
    const four = await makeIp(region, "four");
    const six = await makeIp(region, "six", { type: "ipv6" });
    const far = await makeIp(region, "far", { location: "hel1" });
    const create = (public_net: object) => ({
      name: "x",
      server_type: "cx23",
      image: "debian-13",
      location: "fsn1",
      public_net,
    });
    expect(await region.refusal("POST", "/servers", create({ ipv4: six.id }))).toBe("primary_ip_version_mismatch");
    expect(await region.refusal("POST", "/servers", create({ ipv4: far.id }))).toBe("primary_ip_datacenter_mismatch");
    const server = await makeServer(region, "s", { public_net: { ipv4: four.id, ipv6: six.id } });
    expect(server.public_net).toMatchObject({ ipv4: { id: four.id, ip: four.ip }, ipv6: { id: six.id, ip: six.ip } });
    expect(await region.refusal("POST", "/servers", create({ ipv4: four.id }))).toBe("primary_ip_assigned");
    expect(await region.refusal("DELETE", `/primary_ips/${four.id}`)).toBe("must_be_unassigned");
  });

  test("to a server that is off changes its interface", async () => {
    const region = testApi();
    const server = await serverThatIsOff(region);
    const [old] = (await region.get("/primary_ips?name=primary_ip-1002")).primary_ips;
    const fresh = await makeIp(region, "fresh");
    const assign = (id: number) =>
      [`/primary_ips/${id}/actions/assign`, { assignee_id: server.id, assignee_type: "server" }] as const;
    expect(await region.refusal("POST", ...assign(fresh.id))).toBe("server_has_ipv4");
    const { action } = await region.make("POST", `/primary_ips/${old.id}/actions/unassign`);
    expect(await region.action(action.id)).toMatchObject({ command: "unassign_primary_ip", status: "success" });
    expect(region.backend.machines.get(server.id)?.spec.publicInterface?.ipv4).toBeUndefined();
    expect(await region.refusal("POST", `/primary_ips/${old.id}/actions/unassign`)).toBe("unsupported_error");
    await region.make("POST", ...assign(fresh.id));
    expect(region.backend.machines.get(server.id)?.spec.publicInterface?.ipv4).toBe(fresh.ip);
    expect(await region.refusal("POST", ...assign(fresh.id))).toBe("primary_ip_already_assigned");
    await region.make("POST", `/servers/${server.id}/actions/poweron`);
    expect(await region.refusal("POST", `/primary_ips/${fresh.id}/actions/unassign`)).toBe("server_not_stopped");
    expect(await region.refusal("POST", ...assign(old.id))).toBe("server_not_stopped");
  });

  test("with creation, to a server without addresses, whose label's Firewall follows", async () => {
    const region = testApi();
    const apply_to = [{ type: "label_selector", label_selector: { selector: "role=web" } }];
    await region.make("POST", "/firewalls", { name: "f", rules: [tcpRule("80")], apply_to });
    const server = await serverThatIsOff(region, {
      public_net: { enable_ipv4: false, enable_ipv6: false },
      labels: { role: "web" },
    });
    expect(server.public_net.firewalls).toEqual([]);
    expect(region.backend.machines.get(server.id)?.firewall).toBeUndefined();
    const request = { name: "ip", type: "ipv6", assignee_type: "server", assignee_id: server.id, auto_delete: true };
    const { primary_ip, action } = await region.make("POST", "/primary_ips", request);
    expect(action).toMatchObject({ command: "assign_primary_ip", status: "running" });
    expect(primary_ip).toMatchObject({ assignee_id: server.id, location: { name: "fsn1" } });
    const machine = region.backend.machines.get(server.id);
    expect(machine?.spec.publicInterface?.ipv6Network).toBe(primary_ip.ip);
    expect(machine?.firewall).toHaveLength(1);
    expect(await region.refusal("POST", "/primary_ips", { ...request, name: "ip2" })).toBe("server_has_ipv6");
    expect(await region.refusedFields("POST", "/primary_ips", { ...request, name: "ip3", location: "fsn1" })).toEqual([
      "location",
    ]);
  });
});
