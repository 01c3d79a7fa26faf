import { describe, expect, test } from "vitest";
import { makeNetwork, makeServer, testApi } from "./testing/harness.js";

async function attached() {
  const region = testApi();
  const network = await makeNetwork(region);
  const server = await makeServer(region, "s");
  const post = (name: string, body: object) => region.make("POST", `/servers/${server.id}/actions/${name}`, body);
  const refused = (name: string, body: object) => region.refusal("POST", `/servers/${server.id}/actions/${name}`, body);
  const nets = async () => (await region.get(`/servers/${server.id}`)).server.private_net;
  return { region, network, server, post, refused, nets };
}

describe("attaching", () => {
  test("gives the next free address, or the one that was asked for", async () => {
    const { region, network, server, post, nets } = await attached();
    const { action } = await post("attach_to_network", { network: network.id });
    expect(action.command).toBe("attach_to_network");
    expect(await region.action(action.id)).toMatchObject({ status: "success" });
    expect(await nets()).toMatchObject([{ network: network.id, ip: "10.0.1.1", alias_ips: [] }]);
    expect(region.backend.machines.get(server.id)?.spec.privateInterfaces).toMatchObject([
      { networkId: network.id, ip: "10.0.1.1", mac: expect.stringMatching(/^86:00:/) },
    ]);
    const second = await makeServer(region, "t", { networks: [network.id] });
    expect(second.private_net[0].ip).toBe("10.0.1.2");
    const third = await makeServer(region, "u");
    const wish = { network: network.id, ip: "10.0.1.200", alias_ips: ["10.0.1.201", "10.0.1.202"] };
    await region.make("POST", `/servers/${third.id}/actions/attach_to_network`, wish);
    expect((await region.get(`/servers/${third.id}`)).server.private_net).toMatchObject([
      { ip: "10.0.1.200", alias_ips: ["10.0.1.201", "10.0.1.202"] },
    ]);
  });

  test("into one subnet of several", async () => {
    const { region, network, post, nets, refused } = await attached();
    const subnet = { type: "cloud", ip_range: "10.0.7.0/24", network_zone: "eu-central" };
    await region.make("POST", `/networks/${network.id}/actions/add_subnet`, subnet);
    expect(await refused("attach_to_network", { network: network.id, ip_range: "10.0.8.0/24" })).toBe("invalid_input");
    const outside = { network: network.id, ip_range: "10.0.7.0/24", ip: "10.0.1.5" };
    expect(await refused("attach_to_network", outside)).toBe("invalid_input");
    await post("attach_to_network", { network: network.id, ip_range: "10.0.7.0/24" });
    expect((await nets())[0].ip).toBe("10.0.7.1");
  });

  test.each([
    [{ ip: "10.0.2.1" }, "ip_not_available"],
    [{ ip: "10.0.1.0" }, "ip_not_available"],
    [{ ip: "10.0.1.255" }, "ip_not_available"],
    [{ ip: "10.0.1.9" }, "ip_not_available"],
    [{ ip: "fe80::1" }, "invalid_input"],
    [{ alias_ips: ["10.0.1.9"] }, "ip_not_available"],
    [{ alias_ips: ["10.0.1.7", "10.0.1.7"] }, "ip_not_available"],
    [{ network: 7 }, "not_found"],
  ])("%j is refused with %s", async (wish, code) => {
    const { region, network, refused, nets } = await attached();
    const taker = await makeServer(region, "taker");
    const taken = { network: network.id, ip: "10.0.1.8", alias_ips: ["10.0.1.9"] };
    await region.make("POST", `/servers/${taker.id}/actions/attach_to_network`, taken);
    expect(await refused("attach_to_network", { network: network.id, ...wish })).toBe(code);
    expect(await nets()).toEqual([]);
  });

  test("happens once, to networks that do not overlap, of the server's zone, at most three", async () => {
    const { region, network, post, refused } = await attached();
    await post("attach_to_network", { network: network.id });
    expect(await refused("attach_to_network", { network: network.id })).toBe("server_already_attached");
    const overlapping = await makeNetwork(region, "overlap");
    expect(await refused("attach_to_network", { network: overlapping.id })).toBe("networks_overlap");
    const make = async (name: string, second: number, zone = "eu-central") => {
      const ip_range = `10.${second}.0.0/24`;
      const subnets = [{ type: "cloud", ip_range, network_zone: zone }];
      return (await region.make("POST", "/networks", { name, ip_range, subnets })).network.id;
    };
    expect(await refused("attach_to_network", { network: await make("us", 1, "us-east") })).toBe("no_subnet_available");
    for (const second of [2, 3]) await post("attach_to_network", { network: await make(`n${second}`, second) });
    expect(await refused("attach_to_network", { network: await make("n4", 4) })).toBe("resource_limit_exceeded");
  });

  test("fails when the subnet is full", async () => {
    const region = testApi();
    const subnets = [{ type: "cloud", ip_range: "10.0.0.0/30", network_zone: "eu-central" }];
    const { network } = await region.make("POST", "/networks", { name: "n", ip_range: "10.0.0.0/24", subnets });
    expect((await makeServer(region, "a", { networks: [network.id] })).private_net[0].ip).toBe("10.0.0.2");
    const more = { name: "b", server_type: "cx23", image: "debian-13", location: "fsn1", networks: [network.id] };
    expect(await region.refusal("POST", "/servers", more)).toBe("no_subnet_available");
  });

  test("waits for the Network to be there", async () => {
    const { region, network, server } = await attached();
    const release = region.backend.hold("putNetwork");
    const route = { destination: "10.9.0.0/16", gateway: "10.0.1.9" };
    await region.call("POST", `/networks/${network.id}/actions/add_route`, route);
    await region.call("POST", `/servers/${server.id}/actions/attach_to_network`, { network: network.id });
    expect(region.backend.calls.at(-1)).toBe(`putNetwork(${network.id})`);
    release();
    await region.api.idle();
    expect(region.backend.calls.at(-1)).toBe(`attachPrivate(${server.id})`);
  });
});

describe("afterwards", () => {
  test("aliases are replaced", async () => {
    const { region, network, server, post, refused, nets } = await attached();
    await post("attach_to_network", { network: network.id, alias_ips: ["10.0.1.50"] });
    await post("change_alias_ips", { network: network.id, alias_ips: ["10.0.1.50", "10.0.1.51"] });
    expect((await nets())[0].alias_ips).toEqual(["10.0.1.50", "10.0.1.51"]);
    expect(region.backend.machines.get(server.id)?.spec.privateInterfaces[0]?.aliasIps).toEqual([
      "10.0.1.50",
      "10.0.1.51",
    ]);
    await post("change_alias_ips", { network: network.id, alias_ips: [] });
    expect((await nets())[0].alias_ips).toEqual([]);
    expect(await refused("change_alias_ips", { network: network.id, alias_ips: ["10.0.1.1"] })).toBe(
      "ip_not_available",
    );
    expect(await refused("change_alias_ips", { network: 7, alias_ips: [] })).toBe("not_found");
  });

  test("detaching frees the address", async () => {
    const { region, network, server, post, refused, nets } = await attached();
    await post("attach_to_network", { network: network.id });
    await post("detach_from_network", { network: network.id });
    expect(await nets()).toEqual([]);
    expect(region.backend.machines.get(server.id)?.spec.privateInterfaces).toEqual([]);
    expect(await refused("detach_from_network", { network: network.id })).toBe("not_found");
    expect((await makeServer(region, "t", { networks: [network.id] })).private_net[0].ip).toBe("10.0.1.1");
  });

  test("a locked server refuses both", async () => {
    const { region, network, server, refused } = await attached();
    const release = region.backend.hold("powerOff");
    await region.call("POST", `/servers/${server.id}/actions/poweroff`);
    expect(await refused("attach_to_network", { network: network.id })).toBe("locked");
    release();
    await region.api.idle();
  });
});
