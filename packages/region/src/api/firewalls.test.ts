import { describe, expect, test } from "vitest";
import { makeFirewall, makeNetwork, makeServer, type TestApi, tcpRule, testApi } from "./testing/harness.js";

const everywhere = ["0.0.0.0/0", "::/0"];
const toServer = (id: number) => ({ type: "server", server: { id } });
const toLabel = (selector: string) => ({ type: "label_selector", label_selector: { selector } });
const filterOf = (region: TestApi, server: { id: number }) => region.backend.machines.get(server.id)?.firewall;
const ports = (region: TestApi, server: { id: number }) => filterOf(region, server)?.map((rule) => rule.port);

describe("rules", () => {
  test.each([
    [{ ...tcpRule("0") }, "rules.0.port"],
    [{ ...tcpRule("65536") }, "rules.0.port"],
    [{ ...tcpRule("90-80") }, "rules.0.port"],
    [{ ...tcpRule("http") }, "rules.0.port"],
    [{ ...tcpRule("80"), port: undefined }, "rules.0.port"],
    [{ ...tcpRule("80"), protocol: "icmp" }, "rules.0.port"],
    [{ ...tcpRule("80"), protocol: "sctp" }, "rules.0.protocol"],
    [{ ...tcpRule("80"), source_ips: [] }, "rules.0.source_ips"],
    [{ ...tcpRule("80"), source_ips: ["10.0.0.1/24"] }, "rules.0.source_ips.0"],
    [{ ...tcpRule("80"), source_ips: ["10.0.0.1"] }, "rules.0.source_ips.0"],
    [{ ...tcpRule("80"), destination_ips: everywhere }, "rules.0.destination_ips"],
    [{ ...tcpRule("80"), direction: "out" }, "rules.0.destination_ips"],
    [{ ...tcpRule("80"), description: "d".repeat(256) }, "rules.0.description"],
    [
      { ...tcpRule("80"), source_ips: Array.from({ length: 101 }, (_, index) => `10.0.${index}.0/24`) },
      "rules.0.source_ips",
    ],
  ])("%j is refused", async (rule, field) => {
    const fields = await testApi().refusedFields("POST", "/firewalls", { name: "f", rules: [rule] });
    expect(fields).toContain(field);
  });

  test("are at most 50, and 500 counted by source", async () => {
    const region = testApi();
    const rules = Array.from({ length: 51 }, (_, index) => tcpRule(String(index + 1)));
    expect(await region.refusedFields("POST", "/firewalls", { name: "f", rules })).toEqual(["rules"]);
    const sources = Array.from({ length: 100 }, (_, index) => `10.0.${index}.0/24`);
    const wide = Array.from({ length: 6 }, (_, index) => ({ ...tcpRule(String(index + 1)), source_ips: sources }));
    expect(await region.refusedFields("POST", "/firewalls", { name: "f", rules: wide })).toEqual(["rules"]);
    await region.make("POST", "/firewalls", { name: "f", rules: wide.slice(1) });
    await region.make("POST", "/firewalls", { name: "g", rules: rules.slice(1) });
  });

  test("are kept in canonical form", async () => {
    const region = testApi();
    const rule = { ...tcpRule("80"), source_ips: ["2001:0DB8::/32"], description: "web" };
    const { firewall } = await region.make("POST", "/firewalls", { name: "f", rules: [rule] });
    expect(firewall.rules).toEqual([
      {
        direction: "in",
        protocol: "tcp",
        port: "80",
        source_ips: ["2001:db8::/32"],
        destination_ips: [],
        description: "web",
      },
    ]);
  });
});

describe("what a server gets", () => {
  test("is nothing without a Firewall, and everything closed by an empty one", async () => {
    const region = testApi();
    const server = await makeServer(region, "s");
    expect(filterOf(region, server)).toBeUndefined();
    await makeFirewall(region, "f", [], { apply_to: [toServer(server.id)] });
    expect(filterOf(region, server)).toEqual([]);
  });

  test("is there before the first boot", async () => {
    const region = testApi();
    const firewall = await makeFirewall(region, "f", ["22"]);
    const server = await makeServer(region, "s", { firewalls: [{ firewall: firewall.id }] });
    const { calls } = region.backend;
    expect(calls).toEqual([`createMachine(${server.id})`, `setFirewall(${server.id})`, `powerOn(${server.id})`]);
    expect(server.public_net.firewalls).toEqual([{ id: firewall.id, status: "applied" }]);
    expect(ports(region, server)).toEqual(["22"]);
  });

  test("is the union of its Firewalls, each rule once, with any as all ports", async () => {
    const region = testApi();
    const server = await makeServer(region, "s");
    await makeFirewall(region, "a", ["22", "80"], { apply_to: [toServer(server.id)] });
    const out = { direction: "out", protocol: "udp", port: "any", destination_ips: ["10.0.0.0/8"] };
    const rules = [tcpRule("80"), out, { direction: "in", protocol: "icmp", source_ips: everywhere }];
    await region.make("POST", "/firewalls", { name: "b", rules, apply_to: [toServer(server.id)] });
    expect(filterOf(region, server)).toEqual([
      { direction: "in", protocol: "tcp", port: "22", cidrs: everywhere },
      { direction: "in", protocol: "tcp", port: "80", cidrs: everywhere },
      { direction: "out", protocol: "udp", port: "1-65535", cidrs: ["10.0.0.0/8"] },
      { direction: "in", protocol: "icmp", cidrs: everywhere },
    ]);
  });

  test("follows rules, resources and labels", async () => {
    const region = testApi();
    const server = await makeServer(region, "s", { labels: { role: "web" } });
    const firewall = await makeFirewall(region, "f", ["80"]);
    const act = (name: string, body: object) => region.make("POST", `/firewalls/${firewall.id}/actions/${name}`, body);

    await act("apply_to_resources", { apply_to: [toServer(server.id)] });
    expect(ports(region, server)).toEqual(["80"]);
    await act("set_rules", { rules: [tcpRule("443")] });
    expect(ports(region, server)).toEqual(["443"]);
    await act("remove_from_resources", { remove_from: [toServer(server.id)] });
    expect(filterOf(region, server)).toBeUndefined();

    const { actions } = await act("apply_to_resources", { apply_to: [toLabel("role=web")] });
    expect(actions).toHaveLength(1);
    expect(ports(region, server)).toEqual(["443"]);
    expect((await region.get(`/firewalls/${firewall.id}`)).firewall.applied_to).toEqual([
      { ...toLabel("role=web"), applied_to_resources: [toServer(server.id)] },
    ]);
    await region.make("PUT", `/servers/${server.id}`, { labels: { role: "db" } });
    expect(filterOf(region, server)).toBeUndefined();
    await region.make("PUT", `/servers/${server.id}`, { labels: { role: "web" } });
    expect(ports(region, server)).toEqual(["443"]);
    const { actions: all } = await region.get(`/firewalls/${firewall.id}/actions?sort=id:desc`);
    expect(all[0]).toMatchObject({ command: "apply_firewall", status: "success" });
    const other = await makeServer(region, "later", { labels: { role: "web" } });
    expect(ports(region, other)).toEqual(["443"]);
  });

  test("is only sent when it changed", async () => {
    const region = testApi();
    const server = await makeServer(region, "s");
    const firewall = await makeFirewall(region, "f", ["80"], { apply_to: [toServer(server.id)] });
    region.backend.calls.length = 0;
    await region.make("POST", `/firewalls/${firewall.id}/actions/set_rules`, { rules: [tcpRule("80")] });
    expect(region.backend.calls).toEqual([]);
  });

  test("fails the action when the backend cannot, and is tried again with the next change", async () => {
    const region = testApi();
    const server = await makeServer(region, "s");
    const firewall = await makeFirewall(region, "f", ["80"], { apply_to: [toServer(server.id)] });
    region.backend.failNext("setFirewall", "nft is missing");
    const set = (port: string) =>
      region.make("POST", `/firewalls/${firewall.id}/actions/set_rules`, { rules: [tcpRule(port)] });
    const { actions } = await set("443");
    expect(await region.action(actions[0].id)).toMatchObject({ status: "error", error: { message: "nft is missing" } });
    expect(ports(region, server)).toEqual(["80"]);
    await set("443");
    expect(ports(region, server)).toEqual(["443"]);
  });

  test("is pending while it is on its way", async () => {
    const region = testApi();
    const server = await makeServer(region, "s");
    const release = region.backend.hold("setFirewall");
    await region.call("POST", "/firewalls", { name: "f", rules: [tcpRule("80")], apply_to: [toServer(server.id)] });
    const status = async () =>
      (await region.call("GET", `/servers/${server.id}`)).body.server.public_net.firewalls[0].status;
    expect(await status()).toBe("pending");
    release();
    await region.api.idle();
    expect(await status()).toBe("applied");
  });
});

describe("the API refuses", () => {
  test("to apply twice, to nothing, to private servers, or more than five to one", async () => {
    const region = testApi();
    const server = await makeServer(region, "s");
    const network = await makeNetwork(region);
    const hidden = await makeServer(region, "hidden", {
      public_net: { enable_ipv4: false, enable_ipv6: false },
      networks: [network.id],
    });
    const create = (name: string, apply_to: object[]) => region.refusal("POST", "/firewalls", { name, apply_to });
    expect(await create("a", [toServer(server.id), toServer(server.id)])).toBe("server_already_added");
    expect(await create("a", [toServer(999)])).toBe("firewall_resource_not_found");
    expect(await create("a", [toServer(hidden.id)])).toBe("private_net_only_server");
    for (const name of ["1", "2", "3", "4", "5"])
      await makeFirewall(region, name, [], { apply_to: [toServer(server.id)] });
    expect(await create("6", [toServer(server.id)])).toBe("resource_limit_exceeded");
    const [first] = (await region.get("/firewalls")).firewalls;
    expect(
      await region.refusal("POST", `/firewalls/${first.id}/actions/apply_to_resources`, {
        apply_to: [toServer(server.id)],
      }),
    ).toBe("firewall_already_applied");
  });

  test("to delete a Firewall in use, until its server is gone", async () => {
    const region = testApi();
    const server = await makeServer(region, "s");
    const firewall = await makeFirewall(region, "f", [], { apply_to: [toServer(server.id)] });
    expect(await region.refusal("DELETE", `/firewalls/${firewall.id}`)).toBe("resource_in_use");
    await region.make("DELETE", `/servers/${server.id}`);
    expect((await region.get(`/firewalls/${firewall.id}`)).firewall.applied_to).toEqual([]);
    expect((await region.call("DELETE", `/firewalls/${firewall.id}`)).status).toBe(204);
  });

  test("to take away by hand what a label selector gives", async () => {
    const region = testApi();
    const server = await makeServer(region, "s", { labels: { a: "b" } });
    const firewall = await makeFirewall(region, "f", [], { apply_to: [toLabel("a=b")] });
    const path = `/firewalls/${firewall.id}/actions/remove_from_resources`;
    const remove_from = [toServer(server.id)];
    expect(await region.refusal("POST", path, { remove_from })).toBe("firewall_managed_by_label_selector");
    await region.make("POST", path, { remove_from: [toLabel("a=b")] });
    await region.make("POST", path, { remove_from });
    expect(await region.refusal("POST", path, { remove_from: [toServer(999)] })).toBe("firewall_resource_not_found");
  });

  test("names that are taken and selectors that are none", async () => {
    const region = testApi();
    const firewall = await makeFirewall(region, "f", []);
    await makeFirewall(region, "g", []);
    expect(await region.refusal("POST", "/firewalls", { name: "f" })).toBe("uniqueness_error");
    expect(await region.refusal("PUT", `/firewalls/${firewall.id}`, { name: "g" })).toBe("uniqueness_error");
    expect(
      (await region.make("PUT", `/firewalls/${firewall.id}`, { name: "h", labels: { a: "b" } })).firewall,
    ).toMatchObject({
      name: "h",
      labels: { a: "b" },
    });
    const fields = await region.refusedFields("POST", "/firewalls", { name: "x", apply_to: [toLabel("a b")] });
    expect(fields).toEqual(["apply_to.0.label_selector.selector"]);
  });
});
