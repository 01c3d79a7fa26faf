import { expect, inject, test } from "vitest";
import { eventually } from "../../harness/src/index.js";
import { exposureProblems, ready, restoreReady, swarmIsWhole } from "../lib.js";

test("restoring a ready cluster takes under a tenth of bringing it up, and it is healthy after", async () => {
  const { cluster } = await ready();
  const { secondsToReady } = inject("shared");
  const mark = "/var/tmp/after-the-checkpoint";
  for (const node of cluster.nodes) await cluster.ssh(node, `touch ${mark}`);

  const started = Date.now();
  await restoreReady();
  await eventually("SSH on every node", 120, async () => {
    await Promise.all(cluster.nodes.map((node) => cluster.ssh(node, "true")));
    return true;
  });
  const seconds = (Date.now() - started) / 1000;
  process.stdout.write(`restored in ${seconds.toFixed(1)} s; brought up in ${secondsToReady.toFixed(1)} s\n`);
  expect(seconds).toBeLessThan(secondsToReady / 10);

  // The disks went back in time, the clocks did not.
  for (const node of cluster.nodes) {
    expect((await cluster.ssh(node, `test -e ${mark} && echo there || echo gone`)).trim()).toBe("gone");
    const clock = Number(await cluster.ssh(node, "date +%s"));
    expect(Math.abs(clock - Date.now() / 1000)).toBeLessThan(5);
  }
  await eventually("the swarm whole", 120, () => swarmIsWhole(cluster));
  expect(await exposureProblems(cluster)).toEqual([]);
});
