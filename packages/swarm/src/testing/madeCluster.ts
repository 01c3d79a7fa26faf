/** A cluster in the mocks. */
import type { SwarmClusterArgs } from "../args";
import { SwarmCluster } from "../swarmCluster";
import { type FakeCloud, type FakeOptions, fakeCloud } from "./fakeCloud";

/** Makes the cluster `prod` in a fresh cloud, and waits until nothing more is asked for. */
export async function madeCluster(
  args: SwarmClusterArgs,
  options: FakeOptions = {},
): Promise<{ cloud: FakeCloud; cluster: SwarmCluster }> {
  const cloud = await fakeCloud(options);
  const cluster = new SwarmCluster("prod", args);
  await cloud.settled();
  return { cloud, cluster };
}
