import { join } from "node:path";
import { inject } from "vitest";
import {
  type Cluster,
  controls,
  type Observation,
  observe,
  openCluster,
  openStack,
  type Port,
  ports,
  type Region,
  region as regionOf,
  restoreCheckpoint,
  root,
  type Stack,
  withoutCloudFirewall,
} from "../harness/src/index.js";
import { readyCheckpoint } from "./setup.js";

export interface Ready {
  readonly region: Region;
  readonly stack: Stack;
  readonly cluster: Cluster;
  readonly keyFile: string;
}

/** The shared cluster, as it is now. */
export async function ready(): Promise<Ready> {
  const { region: name, stateDir, keyFile } = inject("shared");
  const region = regionOf(name);
  const stack = await openStack({ region, program: join(root, "examples/cluster"), name: "cluster", stateDir });
  return { region, stack, cluster: await openCluster(region, stack, keyFile), keyFile };
}

/** Brings the shared cluster, and Pulumi's state of it, back to how it was when it became ready. */
export async function restoreReady(): Promise<void> {
  const { region, stateDir } = inject("shared");
  await restoreCheckpoint(regionOf(region), stateDir, readyCheckpoint);
}

const line = ({ node, port, family, result }: Observation, wanted: boolean): string =>
  `${node.name} ${port.port}/${port.protocol} IPv${family}: ${result.open ? "open" : "closed"}, must be ${wanted ? "open" : "closed"} (${result.detail})`;

/**
 * Everything from outside that is not as it must be, with the host's rules alone and with the cloud's firewall before them, and
 * every positive control that is silent.
 */
export async function exposureProblems(cluster: Cluster, wanted: readonly Port[] = ports): Promise<string[]> {
  const inside = await controls(cluster, wanted);
  const alone = await withoutCloudFirewall(cluster.region, () => observe(cluster, wanted));
  const outside = await observe(cluster, wanted);
  return [
    ...inside.filter((o) => !o.result.open).map((o) => `control: ${line(o, true)}`),
    ...[...alone, ...outside]
      .filter((o) => o.result.open !== o.port.open.includes(o.family))
      .map((o) => line(o, o.port.open.includes(o.family))),
  ];
}

/** True when every node of the cluster is Ready and both services run on every node. */
export async function swarmIsWhole(cluster: Cluster): Promise<boolean> {
  const nodes = await cluster.ssh(cluster.manager, "docker node ls --format '{{.Status}}'");
  const tasks = await cluster.ssh(
    cluster.manager,
    "docker service ps --filter desired-state=running --format '{{.CurrentState}}' allowed forbidden",
  );
  const count = (text: string, pattern: RegExp) => text.split("\n").filter((l) => pattern.test(l)).length;
  return count(nodes, /^Ready/) === cluster.nodes.length && count(tasks, /^Running/) === 2 * cluster.nodes.length;
}
