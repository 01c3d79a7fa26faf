/** Servers that are never deleted at the same time. docs/decisions/0012-managers-are-deleted-one-at-a-time.md says why it is done so. */
import type * as pulumi from "@pulumi/pulumi";
import type { StepPlace } from "../remote/steps";

/**
 * Makes something that may have a server, after all the servers that were made in turn before it. Each is to depend on every one of
 * these: of what it deletes, Pulumi looks at direct dependencies alone, and a chain would break at a server that stays.
 */
export type InTurn = <Made extends { readonly place: Pick<StepPlace, "server"> }>(
  make: (after: readonly pulumi.Resource[]) => Made,
) => Made;

export function deletedInTurn(): InTurn {
  const servers: pulumi.Resource[] = [];
  return (make) => {
    const made = make([...servers]);
    if (made.place.server !== undefined) servers.push(made.place.server);
    return made;
  };
}
