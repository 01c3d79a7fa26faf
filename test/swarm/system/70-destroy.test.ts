import { afterAll, expect, test } from "vitest";
import { apiGet, eventually } from "../../harness/src/index.js";
import { ready, restoreReady, swarmIsWhole } from "../lib.js";

afterAll(restoreReady);

const kinds = ["servers", "networks", "firewalls", "ssh_keys", "placement_groups", "primary_ips"] as const;

test("destroy leaves nothing in the region and opens no SSH session; a checkpoint brings everything back", async () => {
  const { region, stack, cluster } = await ready();
  const left = async () => {
    const counts = await Promise.all(
      kinds.map(async (kind) => [
        kind,
        ((await apiGet(region, `/${kind}`)) as Record<string, unknown[]>)[kind]?.length,
      ]),
    );
    return Object.fromEntries(counts) as Record<string, number>;
  };
  // The control: before, there is one of each kind at least.
  for (const [kind, count] of Object.entries(await left())) expect(count, kind).toBeGreaterThan(0);

  const run = await stack.destroy();
  expect(run.sshSessions).toEqual([]);
  expect(await left()).toEqual(Object.fromEntries(kinds.map((kind) => [kind, 0])));

  await restoreReady();
  await eventually("the swarm whole", 180, () => swarmIsWhole(cluster));
});
