import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { ASKING } from "../backend.js";
import { makeNetwork, makeServer, PUBLIC_KEY, type TestApi, testApi } from "./testing/harness.js";

async function withServer(more: object = {}) {
  const region = testApi();
  await region.make("POST", "/ssh_keys", { name: "k", public_key: PUBLIC_KEY });
  const network = await makeNetwork(region);
  const server = await makeServer(region, "web-1", { ssh_keys: ["k"], networks: [network.id], ...more });
  return { region, network, server };
}

async function read(region: TestApi, path: string, remoteAddress = "203.0.113.1") {
  const response = await region.api.metadata.inject({ url: `/hetzner/v1/${path}`, remoteAddress });
  return { status: response.statusCode, text: response.body };
}

describe("the metadata service", () => {
  test("answers in the shape that cloud-init reads", async () => {
    const { region, server } = await withServer();
    const { text } = await read(region, "metadata");
    expect(parse(text)).toEqual({
      "availability-zone": "fsn1-dc14",
      hostname: "web-1",
      "instance-id": server.id,
      "local-ipv4": "",
      "network-config": {
        version: 1,
        config: [
          {
            type: "physical",
            name: "eth0",
            mac_address: region.backend.machines.get(server.id)?.spec.publicInterface?.mac,
            subnets: [
              { type: "dhcp", ipv4: true, dns_nameservers: ["172.31.1.1"] },
              { type: "static", ipv6: true, address: "2001:db8:1:1::1/64", gateway: "fe80::1" },
            ],
          },
        ],
      },
      "public-ipv4": "203.0.113.1",
      "public-keys": [PUBLIC_KEY],
      region: "eu-central",
      vendor_data: "",
    });
  });

  test("quotes MAC addresses that YAML 1.1 takes for base-60 numbers", async () => {
    const region = testApi();
    const server = await makeServer(region, "s");
    expect(region.backend.machines.get(server.id)?.spec.publicInterface?.mac).toBe("96:00:00:00:03:e9");
    const saved = region.api.snapshot().replaceAll("96:00:00:00:03:e9", "96:00:00:00:03:19");
    region.api.restore(saved);
    expect((await read(region, "metadata")).text).toContain('mac_address: "96:00:00:00:03:19"');
  });

  test("serves each key on its own: text plain, the rest as YAML", async () => {
    const { region, server } = await withServer();
    const value = async (key: string) => (await read(region, `metadata/${key}`)).text;
    expect(await value("instance-id")).toBe(String(server.id));
    expect(await value("hostname")).toBe("web-1");
    expect(await value("public-ipv4")).toBe("203.0.113.1");
    expect(await value("region")).toBe("eu-central");
    expect(await value("availability-zone")).toBe("fsn1-dc14");
    expect(parse(await value("public-keys"))).toEqual([PUBLIC_KEY]);
    expect(parse(await value("network-config")).version).toBe(1);
    expect((await read(region, "metadata/nothing")).status).toBe(404);
    expect((await read(region, "metadata/constructor")).status).toBe(404);
  });

  test("lists private networks, as an empty list when there are none", async () => {
    const { region, network, server } = await withServer();
    expect(parse((await read(region, "metadata/private-networks")).text)).toEqual([
      {
        ip: "10.0.1.1",
        alias_ips: [],
        interface_num: 1,
        mac_address: server.private_net[0].mac_address,
        network_id: network.id,
        network_name: "net",
        network: "10.0.0.0/16",
        subnet: "10.0.1.0/24",
        gateway: "10.0.0.1",
      },
    ]);
    await makeServer(region, "alone");
    expect((await read(region, "metadata/private-networks", "203.0.113.2")).text.trim()).toBe("[]");
  });

  test("serves user-data as it was given", async () => {
    const user_data = "#cloud-config\nruncmd: ['true']\n# ä\n";
    const { region } = await withServer({ user_data });
    expect(await read(region, "userdata")).toEqual({ status: 200, text: user_data });
    await makeServer(region, "plain");
    expect(await read(region, "userdata", "203.0.113.2")).toEqual({ status: 204, text: "" });
  });

  test("hands root's password to a server without keys only", async () => {
    const region = testApi();
    const { root_password } = await region.make("POST", "/servers", {
      name: "s",
      server_type: "cx23",
      image: "debian-13",
    });
    const vendor = parse((await read(region, "metadata")).text).vendor_data;
    expect(vendor).toMatch(/^#cloud-config\n/);
    expect(parse(vendor)).toMatchObject({ chpasswd: { users: [{ name: "root", password: root_password }] } });
  });

  test("knows a server by every address it has, and nobody else", async () => {
    const { region, server } = await withServer();
    await region.make("POST", `/servers/${server.id}/actions/change_alias_ips`, {
      network: server.private_net[0].network,
      alias_ips: ["10.0.1.77"],
    });
    const mac = region.backend.machines.get(server.id)?.spec.publicInterface?.mac ?? "";
    const tail = mac.split(":").slice(3).join("").replace(/^../, "fe$&:").replace(/:0+/, ":");
    for (const address of [
      "203.0.113.1",
      "::ffff:203.0.113.1",
      "2001:db8:1:1::1",
      "2001:DB8:1:1:ABCD::9",
      "10.0.1.1",
      "10.0.1.77",
      `fe80::9400:ff:${tail}`,
      `fe80::9400:ff:${tail}%tap0`,
    ]) {
      expect(region.api.findServerByAddress(address)?.id, address).toBe(server.id);
    }
    expect(region.api.findServerByAddress("10.0.1.1", server.private_net[0].network)?.id).toBe(server.id);
    expect(region.api.findServerByAddress("10.0.1.1", 999)).toBeUndefined();
    for (const stranger of ["203.0.113.2", "2001:db8:1:2::1", "10.0.1.2", "", "x"]) {
      expect(region.api.findServerByAddress(stranger), stranger).toBeUndefined();
      expect((await read(region, "metadata", stranger || "192.0.2.1")).status).toBe(404);
    }
    await region.make("DELETE", `/servers/${server.id}`);
    expect((await read(region, "userdata")).status).toBe(404);
  });

  test("a private server has no eth0 in its network-config", async () => {
    const { region } = await withServer();
    const hidden = await makeServer(region, "hidden", {
      public_net: { enable_ipv4: false, enable_ipv6: false },
      networks: [region.api.state().networks[0]?.id],
    });
    const { text } = await read(region, "metadata", hidden.private_net[0].ip);
    expect(parse(text)).toMatchObject({ "public-ipv4": "", "network-config": { version: 1, config: [] } });
  });

  test("inside a Network knows a server by that Network and its address there", async () => {
    const region = testApi();
    const [one, two] = [await makeNetwork(region, "one"), await makeNetwork(region, "two")];
    const hidden = { public_net: { enable_ipv4: false, enable_ipv6: false } };
    const first = await makeServer(region, "first", { ...hidden, networks: [one.id], user_data: "1" });
    const second = await makeServer(region, "second", { ...hidden, networks: [two.id], user_data: "2" });
    expect(first.private_net[0].ip).toBe(second.private_net[0].ip);
    const ask = async (headers: Record<string, string>) => {
      const url = "/hetzner/v1/userdata";
      const { statusCode, body } = await region.api.networkMetadata.inject({ url, headers, remoteAddress: "10.0.1.1" });
      return statusCode === 200 ? body : statusCode;
    };
    const asking = (network: number, address: string) => ({
      [ASKING.network]: `${network}`,
      [ASKING.address]: address,
    });
    expect(await ask(asking(one.id, first.private_net[0].ip))).toBe("1");
    expect(await ask(asking(two.id, second.private_net[0].ip))).toBe("2");
    expect(await ask(asking(two.id, "10.0.1.99"))).toBe(404);
    expect(await ask({ [ASKING.network]: `${one.id}` })).toBe(404);
    // A public address is nobody's inside a Network.
    const shown = await makeServer(region, "shown");
    expect(await ask(asking(one.id, shown.public_net.ipv4.ip))).toBe(404);
  });
});
