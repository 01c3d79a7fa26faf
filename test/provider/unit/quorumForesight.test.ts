/** Warnings of a preview about the swarm's quorum, from the hooks of the real engine, without machines and without a swarm. */
import { describe, expect, test } from "vitest";
import { fileDeployment, partsProgram, timeout } from "../parts";

// An engine whose language host knows hooks.
const deployment = fileDeployment(undefined, "--policies");

/** A cluster's servers, and the mark that its swarm has begun, as the component makes them: no host is reached. */
const program = (managers: object, workers: object = {}, more: object = {}) => {
  const w = Object.keys(workers).length === 0 ? {} : { w: { role: "worker", nodes: workers } };
  return partsProgram(
    { pools: { m: { role: "manager", nodes: managers }, ...w }, ...more },
    `
const servers = plan.nodes.map((node) => born(node, node.role === "manager" ? { beforeCreate: foresight.onServer } : {}));
part("remote/steps").firstValue("prod-founder", component, servers[0].id, servers);
`,
    {
      before: `
const foresight = part("swarm/quorumForesight").quorumForesight(plan, "prod");
const nodes = Object.fromEntries(plan.nodes.map(({ name, role, serverName }) => [name, { role, server: serverName }]));
`,
      component: "{ nodes }, foresight.optionsOf()",
    },
  );
};
const three = { m1: {}, m2: {}, m3: {} };

async function warned(text: string, ...flags: string[]): Promise<string> {
  deployment.project.program(text);
  const output = await deployment.project.run(["preview", "--non-interactive", ...flags]);
  return output
    .split("\n")
    .filter((line) => line.includes("is going to refuse"))
    .join("\n");
}

async function remove(...names: string[]): Promise<void> {
  const { servers }: { servers: { id: number; name: string }[] } = await deployment.cloud.call("GET", "/servers");
  for (const { id } of servers.filter(({ name }) => names.includes(name)))
    await deployment.cloud.call("DELETE", `/servers/${String(id)}`);
}

describe("a preview", () => {
  test("warns where no manager of today's stays one, and not where one does", { timeout }, async () => {
    expect(await warned(program(three)), "a cluster that is new").toBe("");
    await deployment.apply(program(three));
    const again = { replacement: 1 };
    expect(await warned(program({ m1: again, m2: again, m3: {} }))).toBe("");
    expect(await warned(program({ m1: again, m2: again, m3: again }))).toMatch(
      /SwarmCluster "prod".*Let at least one of today's/,
    );
    expect(await warned(program({ m4: {} }, three)), "all become workers").toMatch(
      /Let at least one of today's managers stay/,
    );
  });

  test("knows managers by what they are in the program where the cluster gets another name", { timeout }, async () => {
    const again = { replacement: 1 };
    const live = (managers: object) => program(managers, {}, { clusterName: "live" });
    expect(await warned(live(three))).toBe("");
    expect(await warned(live({ m1: again, m2: again, m3: again }))).toMatch(/no manager of today's stays one/);
  });

  test("warns where most managers' servers are gone, and not where one is", { timeout }, async () => {
    await remove("prod-m2");
    expect(await warned(program(three), "--refresh")).toBe("");
    await remove("prod-m3");
    expect(await warned(program(three), "--refresh")).toMatch(
      /1 of 3 managers answer \(silent: prod-m[23], prod-m[23]\)/,
    );
  });
});
