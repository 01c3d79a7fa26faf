import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TerraformStateError, terraformImports } from "./imports";

const show = (resources: object[], child_modules: object[] = []) =>
  JSON.stringify({
    format_version: "1.0",
    terraform_version: "1.11.4",
    values: { root_module: { resources, child_modules } },
  });
const resource = (address: string, values: object, more: object = {}) => {
  const [type = "", name = ""] = address.replace(/^(module\.[^.]+\.)+/, "").split(/[.[]/);
  return { address, mode: "managed", type, name, provider_name: "registry/hetznercloud/hcloud", values, ...more };
};

describe("terraformImports", () => {
  it("gives Pulumi's type, a name and the id that the provider imports by", () => {
    const { resources, left } = terraformImports(
      show([
        resource("hcloud_network.main", { id: "11", ip_range: "10.0.0.0/16" }),
        resource("hcloud_network_subnet.nodes", { id: "11-10.0.1.0/24", network_id: 11 }),
        resource("hcloud_ssh_key.ops", { id: "12" }),
        resource("hcloud_placement_group.spread", { id: "13" }),
        resource("hcloud_firewall.nodes", { id: "14" }),
        resource("hcloud_firewall_attachment.nodes", { id: "14-attachment", firewall_id: 14, server_ids: [15] }),
        resource("hcloud_server.node[0]", { id: "15", name: "node-1" }, { index: 0 }),
        resource('hcloud_server.db["eu west"]', { id: "16" }, { index: "eu west" }),
        resource("hcloud_server_network.node[0]", { id: "15-11" }, { index: 0 }),
        resource("hcloud_volume_attachment.data", { id: "17", volume_id: 17 }),
      ]),
    );
    expect(left).toEqual([]);
    expect(resources).toEqual([
      { type: "hcloud:index/network:Network", name: "main", id: "11" },
      { type: "hcloud:index/networkSubnet:NetworkSubnet", name: "nodes", id: "11-10.0.1.0/24" },
      { type: "hcloud:index/sshKey:SshKey", name: "ops", id: "12" },
      { type: "hcloud:index/placementGroup:PlacementGroup", name: "spread", id: "13" },
      { type: "hcloud:index/firewall:Firewall", name: "nodes", id: "14" },
      { type: "hcloud:index/firewallAttachment:FirewallAttachment", name: "nodes", id: "14" },
      { type: "hcloud:index/server:Server", name: "node-0", id: "15" },
      { type: "hcloud:index/server:Server", name: "db-eu-west", id: "16" },
      { type: "hcloud:index/serverNetwork:ServerNetwork", name: "node-0", id: "15-11" },
      { type: "hcloud:index/volumeAttachment:VolumeAttachment", name: "data", id: "17" },
    ]);
  });

  it("walks modules and keeps names apart", () => {
    const inner = {
      address: 'module.cluster["eu"].module.pool',
      resources: [
        resource(
          'module.cluster["eu"].module.pool.hcloud_server.node',
          { id: "2" },
          { type: "hcloud_server", name: "node" },
        ),
      ],
    };
    const text = show(
      [resource("hcloud_server.cluster-eu-pool-node", { id: "1" })],
      [{ address: 'module.cluster["eu"]', child_modules: [inner] }],
    );
    expect(terraformImports(text).resources.map(({ name, id }) => [name, id])).toEqual([
      ["cluster-eu-pool-node", "1"],
      ["cluster-eu-pool-node-2", "2"],
    ]);
  });

  it("says what it leaves out, and why, without a value of the state", () => {
    const { resources, left } = terraformImports(
      show([
        resource("tls_private_key.ssh", { id: "1", private_key_pem: "-----BEGIN SECRET" }),
        resource("hcloud_zone.example", { id: "2" }),
        resource("hcloud_server.half", { id: "" }),
        resource("hcloud_server.old", { id: "3" }, { deposed_key: "00000000" }),
        { ...resource("hcloud_image.debian", { id: "4" }), mode: "data" },
      ]),
    );
    expect(resources).toEqual([]);
    expect(left).toEqual([
      { address: "tls_private_key.ssh", reason: "a tls_private_key is not of Hetzner Cloud" },
      { address: "hcloud_zone.example", reason: "no import of a hcloud_zone is known here" },
      { address: "hcloud_server.half", reason: "the state has no id of it" },
      { address: "hcloud_server.old", reason: "deposed: Terraform is to delete it" },
    ]);
  });

  it("knows an empty state, and refuses what is none", () => {
    expect(terraformImports('{"format_version":"1.0"}')).toEqual({ resources: [], left: [] });
    expect(() => terraformImports("Error: no state")).toThrow(/no JSON/);
    expect(() => terraformImports('{"version":4,"terraform_version":"1.11.4","lineage":"x","resources":[]}')).toThrow(
      /the state file itself; give what `terraform show -json` prints/,
    );
    expect(() => terraformImports('{"format_version":"2.0"}')).toThrow(/format 2.0/);
    expect(() => terraformImports('{"format_version":"1.0","values":{"root_module":{"resources":[{}]}}}')).toThrow(
      TerraformStateError,
    );
  });

  it("gives names that are unique in their type, whatever Terraform's addresses", () => {
    const key = fc.oneof(fc.constantFrom("a", "a-2", "a 2", "a.2", 'a"2'), fc.string({ minLength: 1 }));
    fc.assert(
      fc.property(fc.uniqueArray(key), (keys) => {
        const made = keys.map((index, id) =>
          resource(
            "hcloud_server.n",
            { id: String(id + 1) },
            { address: `hcloud_server.n[${JSON.stringify(index)}]`, index },
          ),
        );
        const names = terraformImports(show(made)).resources.map(({ name }) => name);
        expect(names).toHaveLength(keys.length);
        expect(new Set(names).size).toBe(names.length);
        for (const name of names) expect(name).toMatch(/^[A-Za-z0-9_.-]+$/);
      }),
    );
  });
});
