import { describe, expect, test } from "vitest";
import { makeNetwork, makeServer, type TestApi, testApi } from "./testing/harness.js";

const WEB = { protocol: "tcp", listen_port: 80, destination_port: 8080, proxyprotocol: false };
const WEB_CHECK = { protocol: "tcp", port: 8080, interval: 5, timeout: 3, retries: 2 };
const web = { ...WEB, health_check: WEB_CHECK };

async function makeBalancer(region: TestApi, more: object = {}) {
  const request = { name: "lb", load_balancer_type: "lb11", location: "fsn1", ...more };
  const { load_balancer } = await region.make("POST", "/load_balancers", request);
  return load_balancer;
}
const read = async (region: TestApi, id: number) => (await region.get(`/load_balancers/${id}`)).load_balancer;
const actOn = (region: TestApi, id: number) => (name: string, body?: object) =>
  region.make("POST", `/load_balancers/${id}/actions/${name}`, body);
const pathOf = (id: number, name: string) => `/load_balancers/${id}/actions/${name}`;

/** A Network, two servers with the label role=web in it, and a Load Balancer with the private address 10.0.1.254. */
async function balanced() {
  const region = testApi();
  const network = await makeNetwork(region);
  const labelled = { labels: { role: "web" }, networks: [network.id] };
  const [one, two] = [await makeServer(region, "one", labelled), await makeServer(region, "two", labelled)];
  const { id } = await makeBalancer(region);
  const act = actOn(region, id);
  await act("attach_to_network", { network: network.id, ip: "10.0.1.254" });
  return { region, network, one, two, id, act, spec: () => region.backend.balancers.get(id) };
}

describe("a load balancer", () => {
  test("is made with public addresses that nothing else gets", async () => {
    const region = testApi();
    const made = await makeBalancer(region, { labels: { a: "b" } });
    expect(made).toMatchObject({
      name: "lb",
      labels: { a: "b" },
      location: { name: "fsn1" },
      load_balancer_type: { name: "lb11", max_services: 5 },
      algorithm: { type: "round_robin" },
      public_net: { enabled: true, ipv4: { ip: "203.0.113.1" }, ipv6: { ip: "2001:db8:1:1::1" } },
      private_net: [],
      services: [],
      targets: [],
      protection: { delete: false },
    });
    expect((await makeServer(region, "s")).public_net.ipv4.ip).toBe("203.0.113.2");
    expect(region.backend.balancers.get(made.id)).toMatchObject({
      publicInterface: { ipv4: "203.0.113.1", ipv6Network: "2001:db8:1:1::/64" },
      maxConnections: 10_000,
    });
    expect((await region.get("/load_balancers?label_selector=a=b")).load_balancers).toHaveLength(1);
    expect((await region.get("/load_balancers?label_selector=a!=b")).load_balancers).toEqual([]);
    expect((await region.get("/load_balancer_types?name=lb21")).load_balancer_types).toMatchObject([{ id: 2 }]);
  });

  test.each([
    [{ load_balancer_type: "lb99" }, "load_balancer_type"],
    [{ location: "moon" }, "location"],
    [{ location: undefined }, "location"],
    [{ network_zone: "eu-central" }, "location"],
    [{ location: undefined, network_zone: "moon" }, "network_zone"],
    [{ algorithm: { type: "random" } }, "algorithm.type"],
  ])("with %j is refused", async (wrong, field) => {
    const request = { name: "lb", load_balancer_type: "lb11", location: "fsn1", ...wrong };
    expect(await testApi().refusedFields("POST", "/load_balancers", request)).toEqual([field]);
  });

  test("takes a location of the network zone", async () => {
    const made = await makeBalancer(testApi(), { location: undefined, network_zone: "us-east" });
    expect(made.location.name).toBe("ash");
  });

  test("is renamed, protected and deleted", async () => {
    const region = testApi();
    const { id } = await makeBalancer(region);
    await makeBalancer(region, { name: "other" });
    expect(await region.refusal("PUT", `/load_balancers/${id}`, { name: "other" })).toBe("uniqueness_error");
    await region.make("PUT", `/load_balancers/${id}`, { name: "lb2", labels: { x: "y" } });
    const act = actOn(region, id);
    await act("change_protection", { delete: true });
    expect(await region.refusal("DELETE", `/load_balancers/${id}`)).toBe("protected");
    await act("change_protection", { delete: false });
    await act("change_dns_ptr", { ip: "203.0.113.1", dns_ptr: "lb.example.com" });
    await act("change_algorithm", { type: "least_connections" });
    expect(await read(region, id)).toMatchObject({
      name: "lb2",
      labels: { x: "y" },
      algorithm: { type: "least_connections" },
      public_net: { ipv4: { dns_ptr: "lb.example.com" } },
    });
    expect(region.backend.balancers.get(id)?.algorithm).toBe("least_connections");
    expect((await region.call("DELETE", `/load_balancers/${id}`)).status).toBe(204);
    expect(region.backend.balancers.has(id)).toBe(false);
    expect(await region.refusal("GET", `/load_balancers/${id}`)).toBe("not_found");
  });

  test("changes its type to one that its services fit in", async () => {
    const region = testApi();
    const { id } = await makeBalancer(region, { load_balancer_type: "lb21" });
    const act = actOn(region, id);
    for (const port of [1, 2, 3, 4, 5, 6]) {
      await act("add_service", { ...WEB, listen_port: port, health_check: WEB_CHECK });
    }
    const smaller = { load_balancer_type: "lb11" };
    expect(await region.refusal("POST", pathOf(id, "change_type"), smaller)).toBe("invalid_load_balancer_type");
    await act("delete_service", { listen_port: 6 });
    await act("change_type", smaller);
    expect((await read(region, id)).load_balancer_type.name).toBe("lb11");
    expect(await region.refusal("POST", pathOf(id, "add_service"), web)).toBe("resource_limit_exceeded");
  });

  test("refuses changes while one runs", async () => {
    const { region, id } = await balanced();
    const release = region.backend.hold("putLoadBalancer");
    await region.call("POST", pathOf(id, "add_service"), web);
    expect(await region.refusal("POST", pathOf(id, "delete_service"), { listen_port: 80 })).toBe("locked");
    release();
    await region.api.idle();
    await actOn(region, id)("delete_service", { listen_port: 80 });
  });

  test("tells what the backend could not do, and does it with the next change", async () => {
    const { region, id, act, spec } = await balanced();
    region.backend.failNext("putLoadBalancer", "haproxy did not start");
    const { action } = await act("add_service", web);
    expect(await region.action(action.id)).toMatchObject({
      status: "error",
      error: { message: "haproxy did not start" },
    });
    await act("change_algorithm", { type: "least_connections" });
    expect(spec()?.services).toHaveLength(1);
    expect((await read(region, id)).services).toHaveLength(1);
  });
});

describe("services", () => {
  test("are added, changed in part and taken away", async () => {
    const region = testApi();
    const { id } = await makeBalancer(region);
    const act = actOn(region, id);
    await act("add_service", web);
    const http = {
      protocol: "http",
      listen_port: 81,
      destination_port: 82,
      proxyprotocol: true,
      http: { sticky_sessions: true, cookie_name: "C" },
      health_check: {
        protocol: "http",
        port: 83,
        interval: 15,
        timeout: 10,
        retries: 3,
        http: { path: "/up", domain: "" },
      },
    };
    await act("add_service", http);
    const { services } = await read(region, id);
    expect(services).toEqual([
      web,
      {
        ...http,
        http: { sticky_sessions: true, cookie_name: "C", cookie_lifetime: 300, redirect_http: false, certificates: [] },
        health_check: {
          ...http.health_check,
          http: { domain: "", path: "/up", response: "", status_codes: ["2??", "3??"], tls: false },
        },
      },
    ]);
    await act("update_service", { listen_port: 81, destination_port: 90, health_check: { interval: 20 } });
    expect((await read(region, id)).services[1]).toMatchObject({
      destination_port: 90,
      proxyprotocol: true,
      http: { sticky_sessions: true },
      health_check: { interval: 20, port: 83, http: { path: "/up" } },
    });
    expect(region.backend.balancers.get(id)?.services[1]).toMatchObject({
      cookie: { name: "C", lifetime: 300 },
      proxyProtocol: true,
      healthCheck: { interval: 20 },
    });
    await act("delete_service", { listen_port: 80 });
    expect((await read(region, id)).services).toHaveLength(1);
    expect(await region.refusal("POST", pathOf(id, "delete_service"), { listen_port: 80 })).toBe("not_found");
    expect(await region.refusal("POST", pathOf(id, "add_service"), http)).toBe("source_port_already_used");
  });

  test.each([
    [{ protocol: "udp" }, "protocol"],
    [{ listen_port: 0 }, "listen_port"],
    [{ listen_port: undefined }, "listen_port"],
    [{ destination_port: 65_536 }, "destination_port"],
    [{ health_check: { ...WEB_CHECK, interval: 2 } }, "health_check.interval"],
    [{ health_check: { ...WEB_CHECK, timeout: 6 } }, "health_check.timeout"],
    [{ protocol: "http", http: { certificates: [1] } }, "http.certificates"],
    [
      { health_check: { ...WEB_CHECK, protocol: "http", http: { domain: null, path: "/ a" } } },
      "health_check.http.path",
    ],
    [{ protocol: "http", http: { cookie_name: "a\n  bind :1" } }, "http.cookie_name"],
  ])("with %j are refused", async (wrong, field) => {
    const region = testApi();
    const { id } = await makeBalancer(region);
    expect(await region.refusedFields("POST", pathOf(id, "add_service"), { ...web, ...wrong })).toEqual([field]);
  });

  test("with certificates are not offered", async () => {
    const region = testApi();
    const { id } = await makeBalancer(region);
    const https = { ...web, protocol: "https", http: { certificates: [1] } };
    expect(await region.refusal("POST", pathOf(id, "add_service"), https)).toBe("unsupported_error");
  });
});

describe("its place in a Network", () => {
  test("is an address that no server gets, until it leaves", async () => {
    const { region, network, one, id, act, spec } = await balanced();
    expect((await read(region, id)).private_net).toEqual([{ network: network.id, ip: "10.0.1.254" }]);
    expect((await region.get(`/networks/${network.id}`)).network.load_balancers).toEqual([id]);
    expect(spec()?.privateInterfaces).toEqual([{ networkId: network.id, ip: "10.0.1.254", ipRange: "10.0.0.0/16" }]);
    const attach = pathOf(id, "attach_to_network");
    expect(await region.refusal("POST", attach, { network: network.id })).toBe("load_balancer_already_attached");
    const other = await makeServer(region, "other");
    const taken = { network: network.id, ip: "10.0.1.254" };
    expect(await region.refusal("POST", `/servers/${other.id}/actions/attach_to_network`, taken)).toBe(
      "ip_not_available",
    );
    const range = { ip_range: "10.0.1.0/24" };
    for (const server of [one, other]) await region.make("DELETE", `/servers/${server.id}`);
    expect(await region.refusal("POST", `/networks/${network.id}/actions/delete_subnet`, range)).toBe("service_error");
    await act("detach_from_network", { network: network.id });
    expect((await read(region, id)).private_net).toEqual([]);
    expect(await region.refusal("POST", pathOf(id, "detach_from_network"), { network: network.id })).toBe("not_found");
    const used = { network: network.id, ip: "10.0.1.2" };
    expect(await region.refusal("POST", attach, used)).toBe("ip_not_available");
  });

  test("is in its own network zone only, and goes with the Network", async () => {
    const { region, network, id, spec } = await balanced();
    const far = await makeBalancer(region, { name: "far", location: "ash" });
    expect(await region.refusal("POST", pathOf(far.id, "attach_to_network"), { network: network.id })).toBe(
      "no_subnet_available",
    );
    await region.make("DELETE", `/networks/${network.id}`);
    expect((await read(region, id)).private_net).toEqual([]);
    expect(spec()?.privateInterfaces).toEqual([]);
  });

  test("lets its public side be switched off", async () => {
    const { region, one, id, act, spec } = await balanced();
    await act("add_target", { type: "server", server: { id: one.id } });
    expect(await region.refusal("POST", pathOf(id, "disable_public_interface"))).toBe("targets_without_use_private_ip");
    await act("remove_target", { type: "server", server: { id: one.id } });
    await act("disable_public_interface");
    expect((await read(region, id)).public_net.enabled).toBe(false);
    expect(spec()?.publicInterface).toBeUndefined();
    expect(await region.refusal("POST", pathOf(id, "add_target"), { type: "server", server: { id: one.id } })).toBe(
      "load_balancer_public_interface_disabled",
    );
    await act("enable_public_interface");
    expect(spec()?.publicInterface?.ipv4).toBe("203.0.113.3");
    const lonely = await makeBalancer(region, { name: "lonely" });
    expect(await region.refusal("POST", pathOf(lonely.id, "disable_public_interface"))).toBe(
      "load_balancer_not_attached_to_network",
    );
  });
});

describe("targets", () => {
  test("by label follow the servers", async () => {
    const { region, network, one, two, id, act, spec } = await balanced();
    await act("add_service", web);
    await act("add_target", { type: "label_selector", label_selector: { selector: "role=web" }, use_private_ip: true });
    expect(spec()?.targets.map(({ address }) => address)).toEqual(["10.0.1.1", "10.0.1.2"]);
    const well = [{ listen_port: 80, status: "healthy" }];
    expect((await read(region, id)).targets).toMatchObject([
      {
        type: "label_selector",
        label_selector: { selector: "role=web" },
        use_private_ip: true,
        targets: [
          { type: "server", server: { id: one.id }, health_status: well },
          { type: "server", server: { id: two.id }, health_status: well },
        ],
      },
    ]);
    expect((await region.get(`/servers/${one.id}`)).server.load_balancers).toEqual([id]);
    await region.make("PUT", `/servers/${one.id}`, { labels: {} });
    await region.api.idle();
    expect(spec()?.targets.map(({ address }) => address)).toEqual(["10.0.1.2"]);
    await region.make("DELETE", `/servers/${two.id}`);
    expect(spec()?.targets).toEqual([]);
    const three = await makeServer(region, "three", { labels: { role: "web" } });
    expect((await read(region, id)).targets[0].targets).toMatchObject([
      { server: { id: three.id }, health_status: [{ listen_port: 80, status: "unknown" }] },
    ]);
    await region.make("POST", `/servers/${three.id}/actions/attach_to_network`, { network: network.id });
    await region.api.idle();
    expect(spec()?.targets).toMatchObject([{ serverId: three.id, usePrivateIp: true }]);
  });

  test("by server go with it", async () => {
    const { region, one, two, id, act, spec } = await balanced();
    const target = (server: { id: number }, more: object = {}) => ({
      type: "server",
      server: { id: server.id },
      ...more,
    });
    await act("add_target", target(one, { use_private_ip: true }));
    await act("add_target", target(two));
    expect(spec()?.targets.map(({ address }) => address)).toEqual(["10.0.1.1", two.public_net.ipv4.ip]);
    expect(await region.refusal("POST", pathOf(id, "add_target"), target(two))).toBe("target_already_defined");
    await region.make("DELETE", `/servers/${one.id}`);
    expect((await read(region, id)).targets).toMatchObject([target(two)]);
    await act("remove_target", target(two));
    expect(await region.refusal("POST", pathOf(id, "remove_target"), target(two))).toBe("not_found");
  });

  test("that cannot be reached are refused", async () => {
    const { region, one, id } = await balanced();
    const add = (body: object) => region.refusal("POST", pathOf(id, "add_target"), body);
    const outside = await makeServer(region, "outside", { public_net: { enable_ipv4: false } });
    const byId = (server: number, use_private_ip: boolean) => ({
      type: "server",
      server: { id: server },
      use_private_ip,
    });
    expect(await add(byId(outside.id, true))).toBe("server_not_attached_to_network");
    expect(await add(byId(outside.id, false))).toBe("missing_ipv4");
    expect(await add(byId(999_999, false))).toBe("not_found");
    expect(await add({ type: "ip", ip: { ip: one.public_net.ipv4.ip } })).toBe("cloud_resource_ip_not_allowed");
    expect(await add({ type: "ip", ip: { ip: "198.51.100.77" } })).toBe("ip_not_owned");
    expect(await region.refusedFields("POST", pathOf(id, "add_target"), { type: "server" })).toEqual(["server"]);
    const wrong = { type: "label_selector", label_selector: { selector: "a==b==c" } };
    expect(await region.refusedFields("POST", pathOf(id, "add_target"), wrong)).toEqual(["label_selector.selector"]);
    const lonely = await makeBalancer(region, { name: "lonely" });
    expect(await region.refusal("POST", pathOf(lonely.id, "add_target"), byId(one.id, true))).toBe(
      "load_balancer_not_attached_to_network",
    );
  });
});

describe("after a restart", () => {
  test("it is made again, and an interrupted action is completed", async () => {
    const { region, one, id, act } = await balanced();
    await act("add_target", { type: "server", server: { id: one.id }, use_private_ip: true });
    region.backend.hold("putLoadBalancer");
    const { action } = (await region.call("POST", pathOf(id, "add_service"), web)).body;
    const after = testApi({ saved: region.api.snapshot() });
    expect(await after.api.resume()).toEqual([]);
    expect(after.backend.calls.at(-1)).toBe(`putLoadBalancer(${id})`);
    expect(after.backend.balancers.get(id)).toMatchObject({
      services: [{ listenPort: 80 }],
      targets: [{ address: "10.0.1.1" }],
    });
    expect(await after.action(action.id)).toMatchObject({ status: "success" });
  });

  test("one that cannot be brought back is told", async () => {
    const { region, id } = await balanced();
    const after = testApi({ saved: region.api.snapshot() });
    after.backend.failNext("putLoadBalancer", "no haproxy");
    expect(await after.api.resume()).toEqual([{ resource: `load balancer ${id}`, message: "no haproxy" }]);
  });

  test("a checkpoint's is made as it was then", async () => {
    const { region, id, act, spec } = await balanced();
    const saved = region.api.snapshot();
    await act("add_service", web);
    region.api.restore(saved);
    expect(await region.api.resume()).toEqual([]);
    expect(spec()?.services).toEqual([]);
    expect((await read(region, id)).services).toEqual([]);
  });

  test("a state of before there were load balancers is read", () => {
    const { loadBalancers, ...old } = JSON.parse(testApi().api.snapshot());
    expect(loadBalancers).toEqual([]);
    expect(testApi({ saved: JSON.stringify(old) }).api.state().loadBalancers).toEqual([]);
  });
});
