/** The way of docs/terraform.md, with the real Terraform (where the machine has it), its real provider and the real engine. */
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Cloud, engine, key, onCloud, openCloud, openPulumi, type Project } from "../../provider/cloud";

const timeout = 240_000;
const root = join(import.meta.dirname, "../../..");
const tool = join(root, "packages/swarm/bin/hcloud-swarm-terraform.mjs");
const hasTerraform = spawnSync("terraform", ["version"]).status === 0;

/** A cluster as people write it. */
const program = `
terraform {
  required_providers {
    hcloud = { source = "hetznercloud/hcloud" }
  }
}
resource "hcloud_network" "main" {
  name     = "main"
  ip_range = "10.0.0.0/16"
}
resource "hcloud_network_subnet" "nodes" {
  network_id   = hcloud_network.main.id
  type         = "cloud"
  network_zone = "eu-central"
  ip_range     = "10.0.1.0/24"
}
resource "hcloud_ssh_key" "ops" {
  name       = "ops"
  public_key = "${key.publicKey}"
}
resource "hcloud_placement_group" "nodes" {
  name = "nodes"
  type = "spread"
}
resource "hcloud_firewall" "nodes" {
  name = "nodes"
  rule {
    direction  = "in"
    protocol   = "tcp"
    port       = "22"
    source_ips = ["0.0.0.0/0", "::/0"]
  }
}
resource "hcloud_server" "node" {
  count              = 3
  name               = "node-\${count.index}"
  server_type        = "cx23"
  image              = "debian-13"
  location           = "fsn1"
  ssh_keys           = [hcloud_ssh_key.ops.id]
  firewall_ids       = [hcloud_firewall.nodes.id]
  placement_group_id = hcloud_placement_group.nodes.id
  user_data          = "#cloud-config\\n"
  network {
    network_id = hcloud_network.main.id
  }
  depends_on = [hcloud_network_subnet.nodes]
}
`;

let directory: string;
let cloud: Cloud;
let project: Project;
let terraform: (...args: string[]) => Promise<string>;
beforeAll(async () => {
  if (!hasTerraform) return;
  const path = engine("--terraform");
  cloud = await openCloud();
  directory = mkdtempSync(join(tmpdir(), "from-terraform-"));
  writeFileSync(join(directory, "main.tf"), program);
  writeFileSync(
    join(directory, "cli.tfrc"),
    `provider_installation {\n  dev_overrides { "hetznercloud/hcloud" = "${path}" }\n}\n`,
  );
  terraform = async (...args) => {
    const env = {
      ...process.env,
      TF_CLI_CONFIG_FILE: join(directory, "cli.tfrc"),
      CHECKPOINT_DISABLE: "1",
      HCLOUD_TOKEN: cloud.token,
      HCLOUD_ENDPOINT: cloud.endpoint,
    };
    return (await promisify(execFile)("terraform", args, { cwd: directory, env })).stdout;
  };
  project = await openPulumi(cloud, path);
}, 1_200_000);
afterAll(async () => {
  await project?.close();
  await cloud?.close();
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
});

describe.skipIf(!hasTerraform)("a cluster that Terraform made", () => {
  test("becomes a swarm of the component without anything being made, changed or deleted", { timeout }, async () => {
    await terraform("apply", "-auto-approve", "-no-color");
    const made = cloud.changes().length;
    const show = await terraform("show", "-json");

    const converted = spawnSync(process.execPath, [tool], { input: show, encoding: "utf8" });
    expect(converted.stderr).toBe("8 resources to import\n");
    writeFileSync(join(project.dir, "import.json"), converted.stdout);
    await project.run([
      "import",
      "--file",
      "import.json",
      "--yes",
      "--generate-code=false",
      "--protect=false",
      "--non-interactive",
    ]);

    project.program(`
      const network = new hcloud.Network("main", { name: "main", ipRange: "10.0.0.0/16" });
      const subnet = new hcloud.NetworkSubnet("nodes", {
        networkId: network.id.apply(Number), type: "cloud", networkZone: "eu-central", ipRange: "10.0.1.0/24" });
      new hcloud.SshKey("ops", { name: "ops", publicKey: ${JSON.stringify(key.publicKey)} });
      new hcloud.PlacementGroup("nodes", { name: "nodes", type: "spread" });
      new hcloud.Firewall("nodes", { name: "nodes", rules: [
        { direction: "in", protocol: "tcp", port: "22", sourceIps: ["0.0.0.0/0", "::/0"] } ] });
      new SwarmCluster("prod", {
        ssh,
        network: { existingSubnet: { id: subnet.id } },
        pools: {
          manager: { role: "manager", nodes: { "manager-1": { adopt: { hostKey, alias: "node-0" } } } },
          worker: { role: "worker", nodes: {
            "worker-1": { adopt: { hostKey, alias: "node-1" } },
            "worker-2": { adopt: { hostKey, alias: "node-2" } },
          } },
        },
      });`);
    const steps = await project.preview();
    expect(onCloud(steps)).toEqual([]);
    expect(steps.map(({ resource }) => resource)).toContain("Command prod-worker-2-membership");
    expect(cloud.changes().slice(made)).toEqual([]);

    // Terraform lets go of what Pulumi keeps, and would make it anew, not delete it.
    await terraform("state", "rm", "hcloud_server.node");
    expect(cloud.changes().slice(made)).toEqual([]);
    expect(await terraform("show", "-json")).not.toContain("hcloud_server");
  });
});

test("the tool says what it cannot read, and prints nothing then", () => {
  const run = (input: string, ...args: string[]) =>
    spawnSync(process.execPath, [tool, ...args], { input, encoding: "utf8" });
  expect(run("no state")).toMatchObject({ status: 2, stdout: "", stderr: expect.stringMatching(/no JSON/) });
  expect(run('{"format_version":"1.0"}')).toMatchObject({ status: 1, stderr: "0 resources to import\n" });
  expect(run("", "--file", "x")).toMatchObject({ status: 2, stderr: expect.stringMatching(/^usage/) });
});
