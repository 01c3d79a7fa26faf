/** In which order servers are deleted, with the real engine and provider, against Hetzner Cloud's API without machines. */
import { expect, test } from "vitest";
import { fileDeployment, partsProgram, timeout } from "../parts";

const deployment = fileDeployment({ deletionTakes: 1500 });

/** The servers as the component makes them, by its own functions: no host is reached. */
const program = (managers: Readonly<Record<string, object>>, workers: Readonly<Record<string, object>>) =>
  partsProgram(
    { pools: { m: { role: "manager", nodes: managers }, w: { role: "worker", nodes: workers } } },
    `
const inTurn = part("cloud/deletionOrder").deletedInTurn();
for (const node of plan.nodes) {
  const make = (after) => ({ place: { server: born(node, { after }) } });
  if (node.role === "manager") inTurn(make);
  else make([]);
}
`,
  );

/** What a deployment deletes, begun and ended, and how many servers of managers and of workers go at a time. */
async function deletions(deploy: Promise<unknown>) {
  const before = deployment.cloud.deletions().length;
  await deploy;
  const log = deployment.cloud.deletions().slice(before);
  const most = (of: string): number => {
    let [now, peak] = [0, 0];
    for (const line of log.filter((one) => one.includes(`prod-${of}`))) {
      now += line.startsWith("begun") ? 1 : -1;
      peak = Math.max(peak, now);
    }
    return peak;
  };
  return { ended: log.filter((one) => one.startsWith("ended")).length, managers: most("m"), workers: most("w") };
}
const up = (...nodes: Parameters<typeof program>) => deletions(deployment.apply(program(...nodes)));

test("replaced at once, not adjacent, servers of managers go one at a time, those of workers together", {
  timeout,
}, async () => {
  await up({ m1: {}, m2: {}, m3: {} }, { w1: {}, w2: {}, w3: {} });
  const replaced = { m1: { replacement: 1 }, m2: {}, m3: { replacement: 1 } };
  expect(await up(replaced, { w3: {} })).toEqual({ ended: 4, managers: 1, workers: 2 });
});

test("so they do where a fresh one and one of old leave with none between them", { timeout }, async () => {
  const before = deployment.cloud.deletions().length;
  const moved = { m1: { replacement: 1 }, m2: { replacement: 1 }, m3: { replacement: 2 } };
  expect(await up(moved, { w3: {} })).toEqual({ ended: 2, managers: 1, workers: 0 });
  expect(await up({ m2: { replacement: 1 } }, { w3: {} })).toEqual({ ended: 2, managers: 1, workers: 0 });
  expect(deployment.cloud.deletions().slice(before)).toEqual(
    ["m3-r1", "m2", "m3-r2", "m1-r1"].flatMap((name) => [`begun prod-${name}`, `ended prod-${name}`]),
  );
});

test("so they do when all is destroyed", { timeout }, async () => {
  await up({ m2: { replacement: 1 }, m3: {}, m4: {} }, { w3: {} });
  const destroyed = deployment.project.run(["destroy", "--yes", "--skip-preview", "--non-interactive"]);
  expect(await deletions(destroyed)).toEqual({ ended: 4, managers: 1, workers: 1 });
});
