/**
 * What a later change of the network's ranges and zone does, with the real engine and provider: what the arguments' documentation says.
 * Not deployed here is a range for which the subnet would be deleted under its servers: the provider tries that without end.
 */
import { expect, test } from "vitest";
import { fileDeployment, partsProgram, timeout } from "../parts";

const deployment = fileDeployment();
const program = (network: object) =>
  partsProgram(
    { pools: { manager: { role: "manager", count: 1 } }, network },
    `
const network = part("cloud/infrastructure").privateNetwork(owner, plan.network);
born(plan.nodes[0], { network });
`,
  );

test("another zone, and another range that overlaps, are refused, and nothing changes", { timeout }, async () => {
  const { project, cloud } = deployment;
  await deployment.apply(program({}));
  const before = await cloud.call("GET", "/networks");
  for (const network of [{ zone: "us-east" }, { subnetRange: "10.0.0.0/23" }]) {
    project.program(program(network));
    await expect(project.run(["up", "--yes", "--skip-preview", "--non-interactive"])).rejects.toThrow(/overlaps/);
    expect(await cloud.call("GET", "/networks")).toEqual(before);
  }
  expect(await deployment.apply(program({}))).toEqual([]);

  const replaced = async (network: object) => {
    project.program(program(network));
    const steps = (await project.preview()).filter(({ op }) => op.includes("replace"));
    return steps.map(({ resource }) => resource).sort();
  };
  expect(await replaced({ ipRange: "10.1.0.0/16" })).toEqual(["Network prod-network", "NetworkSubnet prod-subnet"]);
  expect(await replaced({ subnetRange: "10.0.1.0/24" })).toEqual(["NetworkSubnet prod-subnet"]);
});
