/**
 * Servers of nodes that leave, and that Hetzner Cloud would not delete. Pulumi deletes last, and nothing in a program changes a server
 * that it no longer has: found out there, the node would be drained and gone, and its server would fail every further deployment.
 */
import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";
import { type Cluster, isOwn, namesOf } from "../membership/ownership";
import type { Member } from "../membership/survey";
import { RefusedChangeError } from "../refusedChange";
import type { Owner } from "./infrastructure";

export interface Leave {
  /** For messages: `SwarmCluster "prod"`. */
  readonly component: string;
  readonly owner: Owner;
  /** Names of the servers that the program has. */
  readonly servers: readonly string[];
  /** Selects the cluster's own servers in Hetzner Cloud by a label: others are not deleted. */
  readonly selector: string;
}

/** The members, once it is sure that the servers of those that leave can be deleted. Hetzner Cloud is asked only where some leave. */
export function withoutProtected(
  members: pulumi.Output<readonly Member[]>,
  cluster: pulumi.Output<Cluster>,
  { component, owner, servers, selector }: Leave,
): pulumi.Output<readonly Member[]> {
  return pulumi.all([members, cluster]).apply(([list, ours]) => {
    const leaving = list
      .filter((member) => isOwn(member, ours))
      .map((member) => namesOf(member, ours))
      .filter((names) => !names.some((name) => servers.includes(name)))
      .flat();
    if (leaving.length === 0) return pulumi.output(list);
    return hcloud.getServersOutput({ withSelector: selector }, { parent: owner.component }).servers.apply((found) => {
      refuseProtected(
        component,
        leaving,
        found.flatMap(({ name, deleteProtection }) => (deleteProtection ? name : [])),
      );
      return list;
    });
  });
}

/** @throws RefusedChangeError naming those that leave and are protected, and the ways out */
function refuseProtected(component: string, leaving: readonly string[], guarded: readonly string[]): void {
  const refused = [...new Set(leaving)].filter((name) => guarded.includes(name));
  if (refused.length === 0) return;
  const byHand = refused.map((name) => `'hcloud server disable-protection ${name} delete rebuild'`).join(" and ");
  throw new RefusedChangeError(
    component,
    `protected from deletion in Hetzner Cloud, and about to leave: ${refused.join(", ")}. Nothing has been drained. Let a deployment of ` +
      `its own come first that has these nodes as they were, with deleteProtection: false, or run ${byHand}; then deploy again`,
  );
}
