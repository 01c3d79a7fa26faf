import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Cloud, engine, key, onCloud, openCloud, openPulumi, type Project } from "../../provider/cloud";

const timeout = 120_000;
let path: string;
const cleanUp: (() => Promise<void>)[] = [];
beforeAll(() => {
  path = engine();
}, 1_200_000);
afterAll(async () => {
  for (const step of cleanUp.reverse()) await step();
});

async function open(): Promise<{ cloud: Cloud; project: Project }> {
  const cloud = await openCloud();
  const project = await openPulumi(cloud, path);
  cleanUp.push(
    () => cloud.close(),
    () => project.close(),
  );
  return { cloud, project };
}

/** A network and three servers in it, made by API calls. */
async function byHand(cloud: Cloud): Promise<{ network: string; ids: readonly string[] }> {
  const { network } = await cloud.call("POST", "/networks", {
    name: "old",
    ip_range: "10.0.0.0/16",
    subnets: [{ type: "cloud", network_zone: "eu-central", ip_range: "10.0.0.0/24" }],
  });
  const ids: string[] = [];
  for (const name of ["a", "b", "c"]) {
    const { server } = await cloud.call("POST", "/servers", {
      name,
      server_type: "cx23",
      image: "debian-13",
      location: "fsn1",
      networks: [network.id],
      user_data: "#cloud-config\n",
      labels: { made: "by-hand" },
    });
    ids.push(String(server.id));
  }
  return { network: String(network.id), ids };
}

const cluster = (network: string, adopts: readonly string[], more = "") => `
new SwarmCluster("prod", {
  ssh,
  network: { existing: { id: ${JSON.stringify(network)} } },
  pools: {
    manager: { role: "manager", nodes: { "manager-1": { adopt: { hostKey, ${adopts[0]} }${more} } } },
    worker: { role: "worker", nodes: {
      "worker-1": { adopt: { hostKey, ${adopts[1]} } },
      "worker-2": { adopt: { hostKey, ${adopts[2]} } },
    } },
  },
});
`;

describe("servers made by hand", () => {
  test("are adopted by id without anything in Hetzner Cloud being made, changed or deleted", { timeout }, async () => {
    const { cloud, project } = await open();
    const { network, ids } = await byHand(cloud);
    const before = cloud.changes().length;
    project.program(
      cluster(
        network,
        ids.map((id) => `id: "${id}"`),
      ),
    );
    const steps = await project.preview();
    expect(onCloud(steps)).toEqual([]);
    expect(steps.filter(({ op }) => op !== "create")).toEqual([]);
    // Each node's steps, and nothing that sets a server up.
    expect(steps.map(({ resource }) => resource)).toContain("Command prod-worker-2-policy");
    expect(steps.map(({ resource }) => resource).join("\n")).not.toMatch(/bootstrap/);
    expect(cloud.changes().slice(before)).toEqual([]);
  });

  test("are imported as they are, and are the same in the next deployment", { timeout }, async () => {
    const { cloud, project } = await open();
    const { network, ids } = await byHand(cloud);
    const before = cloud.changes().length;
    project.program(
      cluster(
        network,
        ids.map((id) => `importId: "${id}"`),
      ),
    );
    expect(onCloud(await project.preview())).toEqual([
      "import Server prod-manager-1",
      "import Server prod-worker-1",
      "import Server prod-worker-2",
    ]);
    // What would run on the hosts stays out: there are no hosts.
    const targets = ["prod", "prod-manager-1", "prod-worker-1", "prod-worker-2"].flatMap((name) => [
      "--target",
      `**::${name}`,
    ]);
    await project.run(["up", "--yes", "--skip-preview", "--non-interactive", ...targets]);
    expect(onCloud(await project.preview())).toEqual([]);
    expect(cloud.changes().slice(before)).toEqual([]);
    const [, second = ""] = ids;
    const { server } = await cloud.call("GET", `/servers/${second}`);
    expect(server).toMatchObject({ name: "b", labels: { made: "by-hand" } });
  });

  test("are refused, with the reason, where the program wants other servers than they are", { timeout }, async () => {
    const { cloud, project } = await open();
    const { network, ids } = await byHand(cloud);
    project.program(
      cluster(
        network,
        ids.map((id) => `id: "${id}"`),
        ', serverType: "cx33"',
      ),
    );
    await expect(project.preview()).rejects.toThrow(
      /pools\.manager\.nodes\.manager-1\.serverType: from \\?"cx23\\?" to \\?"cx33\\?" means that it is powered off/,
    );
  });
});

describe("servers that an older program made", () => {
  const older = `
const network = new hcloud.Network("net", { name: "old", ipRange: "10.0.0.0/16" });
const subnet = new hcloud.NetworkSubnet("sub", {
  networkId: network.id.apply(Number), type: "cloud", networkZone: "eu-central", ipRange: "10.0.0.0/24" });
const sshKey = new hcloud.SshKey("ops", { name: "ops", publicKey: ${JSON.stringify(key.publicKey)} });
exports.network = network.id;
`;
  const servers = `
for (const name of ["a", "b", "c"]) new hcloud.Server(name, {
  name, serverType: "cx23", image: "debian-13", location: "fsn1", userData: "#cloud-config\\n# old", sshKeys: [sshKey.id],
  networks: [{ networkId: network.id.apply(Number), aliasIps: [] }], labels: { made: "before" } }, { dependsOn: [subnet] });
`;
  const aliases = ["a", "b", "c"].map((name) => `alias: "${name}"`);

  async function made(): Promise<{
    cloud: Cloud;
    project: Project;
    adopting: (more?: string, adopt?: string) => string;
  }> {
    const { cloud, project } = await open();
    project.program(older + servers);
    await project.run(["up", "--yes", "--skip-preview", "--non-interactive"]);
    const network = JSON.parse(await project.run(["stack", "output", "--json"])).network;
    const adopting = (more = "", adopt = "") =>
      older + cluster(network, [`${aliases[0]}${adopt}`, ...aliases.slice(1)], more);
    return { cloud, project, adopting };
  }

  test("move under the component without being touched; without the alias they would be deleted", {
    timeout,
  }, async () => {
    const { cloud, project, adopting } = await made();
    const before = cloud.changes().length;
    project.program(adopting());
    const steps = await project.preview();
    expect(onCloud(steps)).toEqual([]);
    expect(steps.map(({ resource }) => resource)).toContain("Command prod-worker-1-membership");
    expect(cloud.changes().slice(before)).toEqual([]);

    project.program(older);
    expect(onCloud(await project.preview())).toEqual(["delete Server a", "delete Server b", "delete Server c"]);
  });

  test("are powered off or replaced when the program says that they may, and else not", { timeout }, async () => {
    const { project, adopting } = await made();
    project.program(adopting(', serverType: "cx33"'));
    await expect(project.preview()).rejects.toThrow(/or say adopt\.mayReboot: true/);
    project.program(adopting(', serverType: "cx33"', ", mayReboot: true"));
    expect(onCloud(await project.preview())).toEqual(["update Server prod-manager-1"]);

    project.program(adopting(', image: "debian-12"'));
    await expect(project.preview()).rejects.toThrow(/or say adopt\.mayReplace: true/);
    project.program(adopting(', image: "debian-12"', ", mayReplace: true"));
    expect((await project.preview()).map(({ op, resource }) => `${op} ${resource}`)).toContain(
      "replace Server prod-manager-1",
    );
  });
});
