/** The disks of volumes in Hetzner Cloud: each is made for a node, whichever server it has, and attached to the one that it has now. */
import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";
import { type VolumePlan, volumeName } from "../plan/volumes";
import { RefusedChangeError } from "../refusedChange";
import { named, numberOf, type Owner } from "./infrastructure";

export interface NodeWithDisks {
  /** Its key in the program: its volumes are named after it, whichever server it has. */
  readonly name: string;
  readonly pool: string;
  readonly location: string;
  readonly server: { readonly id: pulumi.Output<string> };
  readonly volumes: readonly VolumePlan[];
}

export interface AttachedDisk {
  readonly plan: VolumePlan;
  readonly id: pulumi.Output<string>;
  readonly attachment: pulumi.Resource;
}

/** Attached one after the other, in this order, when `after` has ended: Hetzner Cloud locks a server while it attaches a volume. */
export function attachedDisks(
  component: string,
  owner: Owner,
  node: NodeWithDisks,
  after: pulumi.Resource,
): readonly AttachedDisk[] {
  const disks: AttachedDisk[] = [];
  for (const plan of node.volumes) {
    const volume = madeVolume(owner, node, plan);
    const before = disks.at(-1)?.attachment ?? after;
    disks.push({ plan, id: volume.id, attachment: attachment(component, owner, node, plan, volume, before) });
  }
  return disks;
}

function madeVolume(owner: Owner, { name, location }: NodeWithDisks, plan: VolumePlan): hcloud.Volume {
  const { labels, options } = named(owner);
  const { size, format, deleteProtection } = plan;
  return new hcloud.Volume(
    `${owner.name}-${name}-volume-${plan.name}`,
    { name: volumeName(owner.prefix, name, plan.name), size, format, location, labels, deleteProtection },
    // It would be another, empty one.
    { ...options, ignoreChanges: [...options.ignoreChanges, "location", "format"] },
  );
}

function attachment(
  component: string,
  owner: Owner,
  node: NodeWithDisks,
  { name }: VolumePlan,
  volume: hcloud.Volume,
  after: pulumi.Resource,
): hcloud.VolumeAttachment {
  const serverId = pulumi.all([node.server.id, volume.location]).apply(([id, location]) => {
    refuseElsewhere(component, node, name, location);
    return numberOf(id);
  });
  return new hcloud.VolumeAttachment(
    `${owner.name}-${node.name}-volume-${name}-attachment`,
    { volumeId: numberOf(volume.id), serverId },
    // The other way round, what detaches it from the old server would detach it from the new one.
    { parent: owner.component, dependsOn: [after], deleteBeforeReplace: true },
  );
}

/** @throws RefusedChangeError where the node's server is not where its volume is */
export function refuseElsewhere(
  component: string,
  { pool, name, location }: Pick<NodeWithDisks, "pool" | "name" | "location">,
  volume: string,
  found: string,
): void {
  if (found === location) return;
  throw new RefusedChangeError(
    component,
    `pools.${pool}.volumes.${volume}: that of ${name} is in ${found}, and a server in ${location} cannot have it. ` +
      "Leave the node where its data is, or make another node there and copy the data",
  );
}
