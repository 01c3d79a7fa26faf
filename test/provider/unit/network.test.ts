/**
 * What a later change of the network's ranges and zone does, with the real engine and provider: what the arguments' documentation says.
 */
import { describe, expect, test } from "vitest";
import { fileDeployment, partsProgram, timeout } from "../parts";

const deployment = fileDeployment();
const program = (
  network: object,
  { made = `part("cloud/infrastructure").privateNetwork(plan.component, owner, plan.network)`, ...more } = {},
) =>
  partsProgram(
    { pools: { manager: { role: "manager", count: 1 } }, network, ...more },
    `
const network = ${made};
born(plan.nodes[0], { network });
`,
  );

/** As a version made it that said nothing of what it ignores. */
const plainly = `
(() => {
  const net = new hcloud.Network("prod-network", { name: "prod", ipRange: "10.0.0.0/16", labels: owner.labels }, { parent: component });
  const range = { networkId: net.id.apply(Number), type: "cloud", networkZone: "eu-central", ipRange: "10.0.0.0/24" };
  const subnet = new hcloud.NetworkSubnet("prod-subnet", range, { parent: component });
  return { id: range.networkId, subnets: [subnet] };
})()`;

const labelled = { labels: { team: "a" } };
const up = ["up", "--yes", "--skip-preview", "--non-interactive"];
const networks = () => deployment.cloud.call("GET", "/networks");

async function refused(network: object, error: RegExp, more = {}): Promise<void> {
  const { project, cloud } = deployment;
  const [before, changes] = [await networks(), cloud.changes().length];
  project.program(program(network, more));
  for (const command of [["preview", "--non-interactive"], up])
    await expect(project.run(command)).rejects.toThrow(error);
  expect(cloud.changes().slice(changes)).toEqual([]);
  expect(await networks()).toEqual(before);
}

describe("the network of a cluster that is up", () => {
  test("is refused as another one, by the preview and by up, and nothing changes", { timeout }, async () => {
    await deployment.apply(program({}, { made: plainly }));
    await refused({ ipRange: "10.1.0.0/16" }, /network\.ipRange: given 10\.1\.0\.0\/16, it has 10\.0\.0\.0\/16/);
    await refused(
      { subnetRange: "10.0.1.0/24" },
      /network\.subnetRange: given 10\.0\.1\.0\/24, it has 10\.0\.0\.0\/24/,
    );
    await refused(
      { subnetRange: "10.0.0.0/23", zone: "us-east" },
      /given 10\.0\.0\.0\/23.*given us-east, it has eu-central/,
    );
  });

  test("passes as it is, with another change beside it that it takes in place", { timeout }, async () => {
    expect(await deployment.apply(program({}))).toEqual([]);
    const ranges = { ipRange: "10.0.0.0/16", subnetRange: "10.0.0.0/24", zone: "eu-central" };
    const steps = await deployment.apply(program(ranges, labelled));
    expect(steps).toEqual(["update Network prod-network", "update Server prod-manager-1"]);
  });

  test("is extended by hand, as the refusal says; from then on it is what it has become", { timeout }, async () => {
    const { cloud, project } = deployment;
    const wide = { ipRange: "10.0.0.0/15" };
    await refused(
      wide,
      /'hcloud network change-ip-range --ip-range 10\.0\.0\.0\/15 prod', then 'pulumi up --refresh'/,
      labelled,
    );
    const [{ id }] = (await networks()).networks;
    await cloud.call("POST", `/networks/${id}/actions/change_ip_range`, { ip_range: wide.ipRange });
    const extended = { networks: [{ id, ip_range: wide.ipRange, subnets: [{ ip_range: "10.0.0.0/24" }] }] };
    project.program(program(wide, labelled));
    await project.run([...up, "--refresh"]);
    await project.run(["preview", "--refresh", "--expect-no-changes", "--non-interactive"]);
    expect(await networks()).toMatchObject(extended);
    await refused({}, /given 10\.0\.0\.0\/16, it has 10\.0\.0\.0\/15/, labelled);
  });

  test("is destroyed with a program that is refused, and made anew as that one says", { timeout }, async () => {
    const { project } = deployment;
    await refused({ ipRange: "10.1.0.0/16" }, /given 10\.1\.0\.0\/16/, labelled);
    await project.run(["destroy", "--yes", "--skip-preview", "--non-interactive"]);
    expect((await networks()).networks).toEqual([]);
    await deployment.apply(program({ ipRange: "10.1.0.0/16" }));
    expect((await networks()).networks).toMatchObject([
      { ip_range: "10.1.0.0/16", subnets: [{ ip_range: "10.1.0.0/24" }] },
    ]);
  });
});

test("a subnet in a network that was there before is refused as another one, and passes as it is", {
  timeout,
}, async () => {
  const { cloud, project } = deployment;
  await project.run(["destroy", "--yes", "--skip-preview", "--non-interactive"]);
  const { network } = await cloud.call("POST", "/networks", { name: "before", ip_range: "10.0.0.0/16" });
  const existing = { id: String(network.id) };
  const kept = { existing, subnetRange: "10.0.0.0/24" };
  await deployment.apply(program(kept));
  await refused({ ...kept, subnetRange: "10.0.1.0/24" }, /given 10\.0\.1\.0\/24, it has 10\.0\.0\.0\/24/);
  await refused({ ...kept, zone: "us-east" }, /given us-east, it has eu-central/);
  expect(await deployment.apply(program(kept))).toEqual([]);
});
