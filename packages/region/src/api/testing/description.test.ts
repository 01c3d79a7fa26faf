import { describe, expect, test } from "vitest";
import type { Exchange } from "../app.js";
import { description, makeFirewall, makeNetwork, makeServer, PUBLIC_KEY, testApi } from "./harness.js";
import { createChecker } from "./openapi.js";

/** Answers that no client of a region gets: the operations refuse all requests, whose errors are checked elsewhere. */
const REFUSED =
  /\/servers\/\{id\}\/actions\/(attach_iso|create_image|detach_iso|disable_|enable_|request_|reset_password)/;

/** Does everything that the API can do once. */
async function exercise() {
  const region = testApi();
  const { make, get } = region;
  const act = (path: string, names: Record<string, object | undefined>) =>
    Object.entries(names).reduce<Promise<unknown>>(
      (before, [name, body]) => before.then(() => make("POST", `${path}/actions/${name}`, body)),
      Promise.resolve(),
    );

  const { ssh_key } = await make("POST", "/ssh_keys", { name: "k", public_key: PUBLIC_KEY });
  await make("PUT", `/ssh_keys/${ssh_key.id}`, { labels: { a: "b" } });
  const network = await makeNetwork(region);
  const net = `/networks/${network.id}`;
  await make("PUT", net, { name: "renamed" });
  await act(net, {
    add_subnet: { type: "cloud", network_zone: "eu-central" },
    delete_subnet: { ip_range: "10.0.0.0/24" },
    add_route: { destination: "10.9.0.0/16", gateway: "10.0.1.9" },
    delete_route: { destination: "10.9.0.0/16", gateway: "10.0.1.9" },
    change_ip_range: { ip_range: "10.0.0.0/15" },
    change_protection: { delete: false },
  });
  const { placement_group } = await make("POST", "/placement_groups", { name: "pg", type: "spread" });
  await make("PUT", `/placement_groups/${placement_group.id}`, { labels: {} });
  const labelled = [{ type: "label_selector", label_selector: { selector: "role=web" } }];
  const firewall = await makeFirewall(region, "f", ["80"], { apply_to: labelled });
  const server = await makeServer(region, "s", {
    ssh_keys: ["k"],
    labels: { role: "web" },
    placement_group: placement_group.id,
    networks: [network.id],
    user_data: "#cloud-config",
  });
  const path = `/servers/${server.id}`;
  await make("PUT", path, { name: "t" });
  await act(path, {
    change_alias_ips: { network: network.id, alias_ips: ["10.0.1.9"] },
    detach_from_network: { network: network.id },
    attach_to_network: { network: network.id },
    change_dns_ptr: { ip: server.public_net.ipv4.ip, dns_ptr: "a.example.com" },
    change_protection: { delete: false, rebuild: false },
    reboot: undefined,
    reset: undefined,
    shutdown: undefined,
    poweron: undefined,
    rebuild: { image: "debian-12" },
    poweroff: undefined,
    remove_from_placement_group: undefined,
    add_to_placement_group: { placement_group: placement_group.id },
  });
  const resource = [{ type: "server", server: { id: server.id } }];
  await make("PUT", `/firewalls/${firewall.id}`, { name: "g" });
  await act(`/firewalls/${firewall.id}`, {
    apply_to_resources: { apply_to: resource },
    set_rules: { rules: [{ direction: "in", protocol: "icmp", source_ips: ["::/0"] }] },
    remove_from_resources: { remove_from: resource },
  });
  const ip = server.public_net.ipv6.id;
  await make("PUT", `/primary_ips/${ip}`, { auto_delete: false });
  await act(`/primary_ips/${ip}`, {
    unassign: undefined,
    assign: { assignee_id: server.id, assignee_type: "server" },
    change_dns_ptr: { ip: "2001:db8:1:1::5", dns_ptr: "b.example.com" },
    change_protection: { delete: false },
  });
  const { volume } = await make("POST", "/volumes", { name: "v", size: 10, format: "ext4", server: server.id });
  await make("PUT", `/volumes/${volume.id}`, { name: "w" });
  await act(`/volumes/${volume.id}`, {
    detach: undefined,
    attach: { server: server.id, automount: false },
    resize: { size: 11 },
    change_protection: { delete: false },
  });
  await act(path, { change_type: { server_type: "cx33", upgrade_disk: true } });

  const service = {
    protocol: "http",
    listen_port: 80,
    destination_port: 80,
    proxyprotocol: false,
    health_check: {
      protocol: "http",
      port: 80,
      interval: 15,
      timeout: 10,
      retries: 3,
      http: { domain: null, path: "/" },
    },
  };
  const target = { type: "server", server: { id: server.id }, use_private_ip: true };
  const balancer = { name: "lb", load_balancer_type: "lb11", location: "fsn1" };
  const { load_balancer } = await make("POST", "/load_balancers", balancer);
  const balancerPath = `/load_balancers/${load_balancer.id}`;
  await make("PUT", balancerPath, { name: "bl" });
  await act(balancerPath, {
    attach_to_network: { network: network.id },
    add_service: service,
    update_service: { listen_port: 80, destination_port: 81 },
    add_target: target,
    change_algorithm: { type: "least_connections" },
    change_type: { load_balancer_type: "lb21" },
    change_dns_ptr: { ip: load_balancer.public_net.ipv4.ip, dns_ptr: null },
    change_protection: { delete: false },
    disable_public_interface: undefined,
    enable_public_interface: undefined,
  });
  await get(balancerPath);

  const kinds = ["servers", "networks", "firewalls", "primary_ips", "images", "load_balancers", "volumes"];
  const first: Record<string, number> = {};
  for (const kind of [
    ...kinds,
    "ssh_keys",
    "placement_groups",
    "server_types",
    "load_balancer_types",
    "locations",
    "datacenters",
  ]) {
    const list = (await get(`/${kind}`))[kind];
    first[kind] = list[0].id;
    await get(`/${kind}/${list[0].id}`);
  }
  for (const kind of kinds) {
    const { actions } = await get(`/${kind}/actions`);
    await get(`/${kind}/actions/${actions.at(-1).id}`);
    const id = actions.at(-1).resources.find((item: { type: string }) => `${item.type}s` === kind).id;
    await get(`/${kind}/${id}/actions?sort=started:desc`);
    await get(`/${kind}/${id}/actions/${actions.at(-1).id}`);
    await get(`/actions/${actions[0].id}`);
    await get(`/actions?id=${actions[0].id}&id=${actions.at(-1).id}`);
  }
  await get("/isos");
  await get("/pricing");

  const created = await make("POST", "/primary_ips", {
    name: "x",
    type: "ipv4",
    assignee_type: "server",
    location: "fsn1",
  });
  await make("DELETE", `/primary_ips/${created.primary_ip.id}`);
  await act(balancerPath, {
    remove_target: target,
    delete_service: { listen_port: 80 },
    detach_from_network: { network: network.id },
  });
  await make("DELETE", balancerPath);
  await make("POST", `/volumes/${volume.id}/actions/detach`);
  await make("DELETE", `/volumes/${volume.id}`);
  await make("DELETE", path);
  await make("DELETE", net);
  await act(`/firewalls/${firewall.id}`, { remove_from_resources: { remove_from: labelled } });
  await make("DELETE", `/firewalls/${firewall.id}`);
  await make("DELETE", `/placement_groups/${placement_group.id}`);
  await make("DELETE", `/ssh_keys/${ssh_key.id}`);
  return region;
}

const why = description === undefined ? " (skipped: no description of the API; set HCLOUD_OPENAPI to one)" : "";
describe.skipIf(description === undefined)(`answers of the API are as its description says${why}`, () => {
  test("each operation that the region offers was used with success, and each answer is valid", async () => {
    const checker = createChecker(description ?? "");
    const { exchanges, api } = await exercise();
    expect(exchanges.flatMap((exchange) => checker.check(exchange))).toEqual([]);

    const offered = checker.described.filter((operation) => {
      const [method = "", route = ""] = operation.split(" ");
      return api.app.hasRoute({ method, url: `/v1${route.replace(/\{(\w+)\}/g, ":$1")}` });
    });
    expect(offered.length).toBeGreaterThan(80);
    const unused = offered.filter((operation) => !REFUSED.test(operation) && !checker.seen.has(operation));
    expect(unused).toEqual(["GET /isos/{id}"]);
  });

  test("refusals have the error envelope", async () => {
    const checker = createChecker(description ?? "");
    const { call, exchanges } = testApi();
    await call("GET", "/servers/1");
    await call("POST", "/servers", {});
    await call("GET", "/actions");
    expect(exchanges.flatMap((exchange) => checker.check(exchange))).toEqual([]);
    expect(exchanges.map((exchange) => exchange.status)).toEqual([404, 422, 410]);
  });

  test("the checker sees what is wrong", () => {
    const checker = createChecker(description ?? "");
    const exchange: Exchange = {
      method: "GET",
      route: "/ssh_keys/{id}",
      path: "/v1/ssh_keys/1",
      status: 200,
      requestBody: undefined,
      responseBody: { ssh_key: { id: "1", name: null, fingerprint: "", public_key: "", labels: { a: "b c" } } },
    };
    const problems = checker.check(exchange);
    for (const part of [
      "/ssh_key/id must be integer",
      "/ssh_key/name must be string",
      "'created'",
      "/labels/a must match",
    ]) {
      expect(
        problems.some((problem) => problem.includes(part)),
        part,
      ).toBe(true);
    }
    expect(checker.check({ ...exchange, responseBody: undefined })).not.toEqual([]);
    expect(checker.check({ ...exchange, route: "/nothing" })).toEqual(["GET /nothing 200: not described"]);
    expect(checker.check({ ...exchange, method: "DELETE", status: 204 })).toEqual([
      "DELETE /ssh_keys/{id} 204: a body that is not described",
    ]);
  });
});
