/** A cluster in the mocks. */
import type { SwarmClusterArgs } from "../args/components";
import { SwarmCluster } from "../swarmCluster";
import { type FakeCloud, type FakeOptions, fakeCloud } from "./fakeCloud";

/** What the cluster `prod` is refused with once it is known what is there, and what was asked for by then. */
export async function refusedCluster(
  args: SwarmClusterArgs,
  options: FakeOptions = {},
): Promise<{ cloud: FakeCloud; errors: string }> {
  const cloud = await fakeCloud(options);
  const errors: unknown[] = [];
  const note = (error: unknown) => void errors.push(error);
  const listeners = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection").on("unhandledRejection", note);
  try {
    new SwarmCluster("prod", args);
    await cloud.settled().catch(note);
    await new Promise((resolve) => setTimeout(resolve, 100));
  } finally {
    process.removeListener("unhandledRejection", note);
    for (const listener of listeners) process.on("unhandledRejection", listener);
  }
  return { cloud, errors: errors.map(String).join("\n") };
}

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
