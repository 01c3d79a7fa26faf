/** Says, where Hetzner Cloud says nothing but `uniqueness_error`, under which name it has an SSH key that is to be added. */
import { AsyncResource } from "node:async_hooks";
import { randomUUID } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { callsHooks } from "../engine/hooks";
import { cloudAccess } from "./access";
import { lookUpKey } from "./cloud";
import { fingerprintOf, takenKey } from "./keys";

/** For the key's resource; what has its very name is `attempt.ts`'s to tell. In previews, too: nothing is made then in vain. */
export function tellsTakenKey(component: pulumi.Resource): readonly pulumi.ResourceHook[] {
  if (!callsHooks("supportsResourceHooks")) return [];
  const access = cloudAccess(component).catch(() => undefined);
  const look = async ({ newInputs }: pulumi.ResourceHookArgs): Promise<void> => {
    const [name, publicKey]: readonly unknown[] = [newInputs?.name, newInputs?.publicKey];
    const fingerprint = typeof publicKey === "string" ? fingerprintOf(publicKey) : undefined;
    const known = await access;
    if (known === undefined || fingerprint === undefined || typeof name !== "string") return;
    const found = await lookUpKey(known, fingerprint).catch(
      // Hetzner Cloud has the last word: it refuses a key that it has.
      (error: unknown) =>
        void pulumi.log.debug(`whether the SSH key is there is not known: ${String(error)}`, component),
    );
    if (found && found.name !== name) await pulumi.log.error(takenKey(found, name), component);
  };
  // Hooks are called out of the component's context.
  return [
    new pulumi.ResourceHook(`hcloud-swarm-taken-key-${randomUUID()}`, AsyncResource.bind(look), {
      onDryRun: true,
      ignoreErrors: true,
    }),
  ];
}
