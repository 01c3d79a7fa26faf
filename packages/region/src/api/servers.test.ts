import { describe, expect, test } from "vitest";
import { makeNetwork, makeServer, PUBLIC_KEY, testApi } from "./testing/harness.js";

const request = { name: "s", server_type: "cx23", image: "debian-13", location: "fsn1" };
const privateOnly = { public_net: { enable_ipv4: false, enable_ipv6: false } };

describe("creation", () => {
  test("answers at once with running actions and ends with a running machine", async () => {
    const region = testApi();
    const key = await region.make("POST", "/ssh_keys", { name: "k", public_key: PUBLIC_KEY });
    const network = await makeNetwork(region);
    const release = region.backend.hold("createMachine");
    const { status, body } = await region.call("POST", "/servers", {
      ...request,
      ssh_keys: ["k"],
      networks: [network.id],
      labels: { a: "b" },
      user_data: "#cloud-config\n",
    });
    expect(status).toBe(201);
    expect(body.root_password).toBeNull();
    expect(body.action).toMatchObject({ command: "create_server", status: "running", progress: 0 });
    expect(body.next_actions).toMatchObject([{ command: "start_server", status: "running" }]);
    expect(body.server).toMatchObject({ status: "initializing", locked: true, labels: { a: "b" } });
    release();
    await region.api.idle();

    const { server } = await region.get(`/servers/${body.server.id}`);
    expect(server).toMatchObject({
      status: "running",
      locked: false,
      primary_disk_size: 40,
      server_type: { name: "cx23" },
      image: { name: "debian-13" },
      location: { name: "fsn1" },
      datacenter: { name: "fsn1-dc14" },
      public_net: { ipv4: { ip: "203.0.113.1" }, ipv6: { ip: "2001:db8:1:1::/64" }, firewalls: [] },
      private_net: [{ network: network.id, ip: "10.0.1.1", alias_ips: [] }],
    });
    for (const action of [body.action, ...body.next_actions]) {
      expect(await region.action(action.id)).toMatchObject({ status: "success", progress: 100, error: null });
    }
    const machine = region.backend.machines.get(server.id);
    expect(machine).toMatchObject({ power: "running", firewall: undefined });
    expect(machine?.spec).toEqual({
      serverId: server.id,
      name: "s",
      image: "debian-13",
      cores: 2,
      memory: 4096,
      disk: 40,
      publicInterface: {
        mac: expect.stringMatching(/^96:00:/),
        ipv4: "203.0.113.1",
        ipv6Network: "2001:db8:1:1::/64",
      },
      privateInterfaces: [
        { networkId: network.id, mac: server.private_net[0].mac_address, ip: "10.0.1.1", aliasIps: [] },
      ],
    });
    expect(region.api.state().servers[0]?.publicKeys).toEqual([PUBLIC_KEY]);
    expect(key.ssh_key.id).not.toBe(server.id);
  });

  test("takes ids where it takes names", async () => {
    const region = testApi();
    const { ssh_key } = await region.make("POST", "/ssh_keys", { name: "k", public_key: PUBLIC_KEY });
    const [image] = (await region.get("/images?name=debian-13")).images;
    const server = await makeServer(region, "s", {
      server_type: 114,
      image: String(image.id),
      ssh_keys: [ssh_key.id],
      location: "2",
    });
    expect(server).toMatchObject({ server_type: { name: "cx23" }, location: { name: "nbg1" } });
    const other = await makeServer(region, "t", { location: undefined, datacenter: "hel1-dc2" });
    expect(other.location.name).toBe("hel1");
  });

  test("gives a root password when there is no key", async () => {
    const { root_password } = await testApi().make("POST", "/servers", request);
    expect(root_password).toMatch(/^[A-Za-z0-9_-]{20}$/);
  });

  test("leaves the server off when asked to", async () => {
    const region = testApi();
    const { next_actions, server } = await region.make("POST", "/servers", { ...request, start_after_create: false });
    expect(next_actions).toEqual([]);
    expect((await region.get(`/servers/${server.id}`)).server.status).toBe("off");
    expect(region.backend.calls).not.toContain(`powerOn(${server.id})`);
  });

  test("chooses a place that offers the type and reaches the Networks and addresses", async () => {
    const region = testApi();
    const { network } = await region.make("POST", "/networks", {
      name: "us",
      ip_range: "10.0.0.0/16",
      subnets: [{ type: "cloud", ip_range: "10.0.0.0/24", network_zone: "us-west" }],
    });
    const anywhere = { location: undefined };
    expect(
      (await makeServer(region, "a", { ...anywhere, server_type: "ccx13", networks: [network.id] })).location.name,
    ).toBe("hil");
    expect((await makeServer(region, "b", { ...anywhere, server_type: "cpx11" })).location.name).toBe("ash");
    const { primary_ip } = await region.make("POST", "/primary_ips", {
      name: "ip",
      type: "ipv4",
      assignee_type: "server",
      location: "hel1",
    });
    const server = await makeServer(region, "c", { ...anywhere, public_net: { ipv4: primary_ip.id } });
    expect(server.location.name).toBe("hel1");
  });

  test.each([
    [{ name: "under_score" }, "name"],
    [{ name: "-dash" }, "name"],
    [{ name: "l".repeat(64) }, "name"],
    [{ server_type: "cx99" }, "server_type"],
    [{ server_type: "cx22" }, "server_type"],
    [{ server_type: "cx22", location: undefined }, "server_type"],
    [{ server_type: "cax11" }, "image"],
    [{ image: "windows" }, "image"],
    [{ location: "ash" }, "location"],
    [{ location: "moon" }, "location"],
    [{ datacenter: "fsn1-dc14" }, "location"],
    [{ location: undefined, datacenter: "x" }, "datacenter"],
    [{ ssh_keys: ["nobody"] }, "ssh_keys"],
    [{ networks: [7] }, "networks"],
    [{ firewalls: [{ firewall: 7 }] }, "firewalls"],
    [{ placement_group: 7 }, "placement_group"],
    [{ public_net: { ipv4: 7 } }, "public_net.ipv4"],
    [{ public_net: { enable_ipv4: false, ipv4: 7 } }, "public_net.ipv4"],
    [{ volumes: [1] }, "volumes"],
    [{ user_data: "ä".repeat(16 * 1024 + 1) }, "user_data"],
    [{ labels: { "a b": "c" } }, "labels.a b"],
  ])("with %j is refused and leaves nothing", async (wrong, field) => {
    const region = testApi();
    expect(await region.refusedFields("POST", "/servers", { ...request, ...wrong })).toEqual([field]);
    expect(region.api.state()).toMatchObject({ servers: [], primaryIps: [], actions: [] });
    expect(region.backend.calls).toEqual([]);
  });

  test("is refused for a name that is taken, and without any interface to start with", async () => {
    const region = testApi();
    await makeServer(region, "s");
    expect(await region.refusal("POST", "/servers", request)).toBe("uniqueness_error");
    expect(await region.refusal("POST", "/servers", { ...request, name: "t", ...privateOnly })).toBe(
      "unsupported_error",
    );
  });

  test("that the backend fails, fails both actions; the server can be deleted", async () => {
    const region = testApi();
    region.backend.failNext("createMachine", "no space left");
    const { action, next_actions, server } = await region.make("POST", "/servers", request);
    expect(await region.action(action.id)).toMatchObject({ status: "error", error: { message: "no space left" } });
    expect((await region.action(next_actions[0].id)).error.message).toContain("was not made");
    expect((await region.get(`/servers/${server.id}`)).server.status).toBe("off");
    await region.make("DELETE", `/servers/${server.id}`);
    expect((await region.get("/servers")).servers).toEqual([]);
  });
});

describe("deletion", () => {
  test("takes automatic addresses along and frees the others, and all places where the server was", async () => {
    const region = testApi();
    const network = await makeNetwork(region);
    const { primary_ip } = await region.make("POST", "/primary_ips", {
      name: "kept",
      type: "ipv4",
      assignee_type: "server",
      location: "fsn1",
    });
    const { placement_group } = await region.make("POST", "/placement_groups", { name: "pg", type: "spread" });
    const server = await makeServer(region, "s", {
      networks: [network.id],
      placement_group: placement_group.id,
      public_net: { ipv4: primary_ip.id },
    });
    expect(server.placement_group.servers).toEqual([server.id]);
    const { action } = await region.make("DELETE", `/servers/${server.id}`);
    expect(await region.action(action.id)).toMatchObject({ command: "delete_server", status: "success" });
    expect(await region.refusal("GET", `/servers/${server.id}`)).toBe("not_found");
    expect(region.backend.machines.size).toBe(0);
    expect((await region.get(`/networks/${network.id}`)).network.servers).toEqual([]);
    expect((await region.get(`/placement_groups/${placement_group.id}`)).placement_group.servers).toEqual([]);
    const { primary_ips } = await region.get("/primary_ips");
    expect(primary_ips).toMatchObject([{ id: primary_ip.id, assignee_id: null, ip: "203.0.113.1" }]);
  });

  test("is refused while protected or locked, and shows while it runs", async () => {
    const region = testApi();
    const { id } = await makeServer(region, "s");
    await region.make("POST", `/servers/${id}/actions/change_protection`, { delete: true, rebuild: true });
    expect(await region.refusal("DELETE", `/servers/${id}`)).toBe("protected");
    expect(await region.refusal("POST", `/servers/${id}/actions/rebuild`, { image: "debian-12" })).toBe("protected");
    expect(await region.refusedFields("POST", `/servers/${id}/actions/change_protection`, { delete: false })).toEqual([
      "rebuild",
    ]);
    await region.make("POST", `/servers/${id}/actions/change_protection`, { delete: false, rebuild: false });
    const release = region.backend.hold("deleteMachine");
    await region.call("DELETE", `/servers/${id}`);
    expect((await region.call("GET", `/servers/${id}`)).body.server).toMatchObject({
      status: "deleting",
      locked: true,
    });
    expect(await region.refusal("DELETE", `/servers/${id}`)).toBe("locked");
    expect(await region.refusal("POST", `/servers/${id}/actions/poweroff`)).toBe("locked");
    release();
    await region.api.idle();
    expect((await region.get("/servers")).servers).toEqual([]);
  });

  test("that fails can be tried again", async () => {
    const region = testApi();
    const { id } = await makeServer(region, "s");
    region.backend.failNext("deleteMachine", "device is busy");
    const { action } = await region.make("DELETE", `/servers/${id}`);
    expect((await region.action(action.id)).error.message).toBe("device is busy");
    await region.make("DELETE", `/servers/${id}`);
    expect((await region.get("/servers")).servers).toEqual([]);
  });
});

describe("power", () => {
  test("follows the actions", async () => {
    const region = testApi();
    const { id } = await makeServer(region, "s");
    const act = (name: string) => region.make("POST", `/servers/${id}/actions/${name}`);
    const status = async () => (await region.get(`/servers/${id}`)).server.status;
    expect((await act("poweroff")).action.command).toBe("stop_server");
    expect(await status()).toBe("off");
    await act("poweron");
    expect(await status()).toBe("running");
    await act("reboot");
    await act("reset");
    expect(await status()).toBe("running");
    await act("shutdown");
    expect(await status()).toBe("off");
    expect(region.backend.calls.slice(-5)).toEqual(
      ["powerOff", "powerOn", "reboot", "reset", "shutdown"].map((method) => `${method}(${id})`),
    );
  });

  test("sees a guest that went down by itself, and filters by it", async () => {
    const region = testApi();
    const { id } = await makeServer(region, "s");
    const machine = region.backend.machines.get(id);
    if (machine) machine.power = "off";
    expect((await region.get("/servers?status=off")).servers).toHaveLength(1);
    expect((await region.get("/servers?status=running&status=starting")).servers).toEqual([]);
    expect(region.api.state().servers[0]?.power).toBe("off");
  });

  test("needs an interface", async () => {
    const region = testApi();
    const network = await makeNetwork(region);
    const { id } = await makeServer(region, "s", { ...privateOnly, start_after_create: false });
    const path = `/servers/${id}/actions`;
    expect(await region.refusal("POST", `${path}/poweron`)).toBe("unsupported_error");
    await region.make("POST", `${path}/attach_to_network`, { network: network.id });
    await region.make("POST", `${path}/poweron`);
    const machine = region.backend.machines.get(id);
    expect(machine?.power).toBe("running");
    expect(machine?.spec.publicInterface).toBeUndefined();
    expect((await region.get(`/servers/${id}`)).server.public_net).toMatchObject({ ipv4: null, ipv6: null });
  });

  test("what a region cannot do says so", async () => {
    const region = testApi();
    const { id } = await makeServer(region, "s");
    const { status, body } = await region.call("POST", `/servers/${id}/actions/enable_rescue`, { type: "linux64" });
    expect([status, body.error.code]).toEqual([422, "unsupported_error"]);
    expect(body.error.message).toContain("enable_rescue is not supported");
    for (const name of ["create_image", "attach_iso", "enable_backup", "request_console", "reset_password"]) {
      expect(await region.refusal("POST", `/servers/${id}/actions/${name}`, {})).toBe("unsupported_error");
    }
  });
});

describe("changes", () => {
  test("of name and labels", async () => {
    const region = testApi();
    const { id } = await makeServer(region, "s");
    await makeServer(region, "t");
    expect(await region.refusal("PUT", `/servers/${id}`, { name: "t" })).toBe("uniqueness_error");
    expect(await region.refusedFields("PUT", `/servers/${id}`, { name: "a_b" })).toEqual(["name"]);
    const { server } = await region.make("PUT", `/servers/${id}`, { name: "u.example.com", labels: { x: "y" } });
    expect(server).toMatchObject({ name: "u.example.com", labels: { x: "y" }, status: "running" });
  });

  test("of type: off first, disk never smaller, and the server starts after it", async () => {
    const region = testApi();
    const { id } = await makeServer(region, "s");
    const path = `/servers/${id}/actions/change_type`;
    const to = (server_type: string, upgrade_disk = true) => ({ server_type, upgrade_disk });
    expect(await region.refusal("POST", path, to("cx33"))).toBe("server_not_stopped");
    const off = () => region.make("POST", `/servers/${id}/actions/poweroff`);
    await off();
    for (const name of ["cx23", "cax21", "cx32"])
      expect(await region.refusal("POST", path, to(name))).toBe("invalid_server_type");
    expect(await region.refusedFields("POST", path, to("cx99"))).toEqual(["server_type"]);
    await region.make("POST", path, to("cx33", false));
    expect(region.backend.machines.get(id)).toMatchObject({
      power: "running",
      spec: { cores: 4, memory: 8192, disk: 40 },
    });
    await off();
    await region.make("POST", path, to("cx43"));
    expect((await region.get(`/servers/${id}`)).server).toMatchObject({
      status: "running",
      primary_disk_size: 160,
      server_type: { name: "cx43" },
    });
    await off();
    expect(await region.refusal("POST", path, to("cx33"))).toBe("invalid_server_type");
  });

  test("rebuild: a fresh disk from another image, with new user-data, running again", async () => {
    const region = testApi();
    const { id } = await makeServer(region, "s", { user_data: "old" });
    const path = `/servers/${id}/actions/rebuild`;
    expect(await region.refusedFields("POST", path, { image: "windows" })).toEqual(["image"]);
    const { action } = await region.make("POST", path, { image: "debian-12", user_data: "new" });
    expect(action.command).toBe("rebuild_server");
    expect(region.backend.calls.slice(-3)).toEqual([`powerOff(${id})`, `rebuildMachine(${id})`, `powerOn(${id})`]);
    expect((await region.get(`/servers/${id}`)).server).toMatchObject({
      status: "running",
      image: { name: "debian-12" },
    });
    expect(region.api.state().servers[0]?.userData).toBe("new");
  });

  test("of reverse DNS", async () => {
    const region = testApi();
    const { id } = await makeServer(region, "s");
    const path = `/servers/${id}/actions/change_dns_ptr`;
    await region.make("POST", path, { ip: "203.0.113.1", dns_ptr: "a.example.com" });
    await region.make("POST", path, { ip: "2001:db8:1:1::1", dns_ptr: "b.example.com" });
    const net = async () => (await region.get(`/servers/${id}`)).server.public_net;
    expect(await net()).toMatchObject({
      ipv4: { dns_ptr: "a.example.com" },
      ipv6: { dns_ptr: [{ ip: "2001:db8:1:1::1", dns_ptr: "b.example.com" }] },
    });
    await region.make("POST", path, { ip: "203.0.113.1", dns_ptr: null });
    expect((await net()).ipv4.dns_ptr).toBe("static.1.113.0.203.clients.your-server.de");
    expect(await region.refusedFields("POST", path, { ip: "203.0.113.9", dns_ptr: null })).toEqual(["ip"]);
  });
});

describe("placement groups", () => {
  test("take ten servers, and joining needs the server off", async () => {
    const region = testApi();
    const { placement_group } = await region.make("POST", "/placement_groups", { name: "pg", type: "spread" });
    const group = placement_group.id;
    for (let index = 0; index < 10; index += 1) await makeServer(region, `s${index}`, { placement_group: group });
    expect(await region.refusal("POST", "/servers", { ...request, name: "s10", placement_group: group })).toBe(
      "placement_error",
    );
    const { id } = await makeServer(region, "other");
    const post = (name: string, body?: object) => region.refusal("POST", `/servers/${id}/actions/${name}`, body);
    expect(await post("add_to_placement_group", { placement_group: group })).toBe("server_not_stopped");
    await region.make("POST", `/servers/${id}/actions/poweroff`);
    expect(await post("add_to_placement_group", { placement_group: group })).toBe("placement_error");
    expect(await post("add_to_placement_group", { placement_group: 7 })).toBe("not_found");
    expect(await post("remove_from_placement_group")).toBe("unsupported_error");
    const [first] = (await region.get("/servers?name=s0")).servers;
    await region.make("POST", `/servers/${first.id}/actions/remove_from_placement_group`);
    await region.make("POST", `/servers/${id}/actions/add_to_placement_group`, { placement_group: group });
    expect(await post("add_to_placement_group", { placement_group: group })).toBe("unsupported_error");
    expect((await region.get(`/placement_groups/${group}`)).placement_group.servers).toContain(id);
    await region.make("DELETE", `/placement_groups/${group}`);
    expect((await region.get(`/servers/${id}`)).server.placement_group).toBeNull();
  });

  test("have unique names and one type", async () => {
    const region = testApi();
    const { placement_group } = await region.make("POST", "/placement_groups", { name: "pg", type: "spread" });
    expect(await region.refusal("POST", "/placement_groups", { name: "pg", type: "spread" })).toBe("uniqueness_error");
    expect(await region.refusedFields("POST", "/placement_groups", { name: "x", type: "pack" })).toEqual(["type"]);
    const put = await region.make("PUT", `/placement_groups/${placement_group.id}`, {
      name: "new",
      labels: { a: "b" },
    });
    expect(put.placement_group).toMatchObject({ name: "new", labels: { a: "b" } });
    expect((await region.get("/placement_groups?type=spread")).placement_groups).toHaveLength(1);
  });
});
