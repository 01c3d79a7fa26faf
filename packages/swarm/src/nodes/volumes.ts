/**
 * Volumes of nodes, which outlast their servers. A volume is at one server at a time: it is taken from a server that has left the
 * swarm, whose tasks run elsewhere, and given to the node's next one.
 */
import * as pulumi from "@pulumi/pulumi";
import { attachedDisks, type NodeWithDisks } from "../cloud/disks";
import type { Owner } from "../cloud/infrastructure";
import { mountProgram, mountWaitSeconds, unmountArgument } from "../host";
import { type ClusterTarget, clusterStep, type StepPlace, volumesStep } from "../remote/steps";

export interface NodeWithVolumes extends NodeWithDisks {
  readonly place: StepPlace;
}

export interface VolumeContext {
  /** For messages: `SwarmCluster "prod"`. */
  readonly component: string;
  readonly owner: Owner;
  /** A manager. */
  readonly target: ClusterTarget;
  /** Another text after each leave, empty where nobody left. */
  readonly left: pulumi.Output<string>;
  /** When these have ended, nodes that leave have left. */
  readonly after: readonly pulumi.Resource[];
}

/**
 * What a system has been given to write it begins to write after 30 s at the latest, looking every 5 s. A host that has left, and
 * perhaps does not answer, is not asked to do it sooner.
 */
const writeSeconds = 45;

/** Gives the steps after which all volumes are mounted; none where no node has any. */
export function attachVolumes(nodes: readonly NodeWithVolumes[], context: VolumeContext): readonly pulumi.Resource[] {
  const { component, owner, target, left, after } = context;
  const having = nodes.filter((node) => node.volumes.length > 0);
  if (having.length === 0) return [];
  const written = clusterStep(
    {
      ...{ name: `${owner.name}-volumes-written`, parent: owner.component, target, dependsOn: after },
      waitSeconds: writeSeconds,
    },
    left.apply((ids) => (ids === "" ? undefined : `sleep ${writeSeconds} # ${ids}\n`)),
  );
  return having.map((node) => {
    const disks = attachedDisks(component, owner, node, written);
    const mounts = disks.map(({ plan: { mountPath, size }, id }) =>
      id.apply((known) => ({ id: known, mountPath, size })),
    );
    const last = disks.at(-1)?.attachment ?? written;
    const program = pulumi.all([pulumi.all(mounts), node.server.id]).apply(
      // Another server under the same name has nothing mounted yet.
      ([list, server]) => `# server ${server}\n${mountProgram(list)}`,
    );
    return volumesStep({ ...node.place, dependsOn: [...(node.place.dependsOn ?? []), last] }, program, {
      undo: unmountArgument,
      waitSeconds: mountWaitSeconds,
    });
  });
}
