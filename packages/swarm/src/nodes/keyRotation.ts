/**
 * The SSH key of servers that are up becomes another one. Over a connection with the old key the new one is let in on every server;
 * all further steps come with the new key, which proves it; and when the last of them has ended on every node, the old key goes.
 * Before that moment the old key opens every server, after it the new one does.
 *
 * A server that is made meanwhile boots with the new key: the step that lets it in runs nothing where it is new itself.
 */
import * as pulumi from "@pulumi/pulumi";
import { addKeyProgram, removeKeyProgram, upgradeProgram } from "../host";
import { fingerprintOf } from "../remote/sshKey";
import { agentUpgradeStep, keyRemovalStep, type StepPlace } from "../remote/steps";

export interface KeyRotation {
  /** The key that opened the servers so far, as a secret. */
  readonly previousPrivateKey: pulumi.Output<string>;
  /** Its public half. */
  readonly oldKey: pulumi.Output<string>;
  readonly newKey: pulumi.Output<string>;
}

/** Puts today's agent on a server that is up; where the key is rotated, the new one is let in before. */
export function upgradeStep(place: StepPlace, rotation: KeyRotation | undefined): pulumi.Resource {
  if (rotation === undefined) return agentUpgradeStep(place, upgradeProgram());
  const { previousPrivateKey: privateKey } = rotation;
  const { proxy } = place.target;
  // A bastion that is not the component's has been told of the new key by hand, or has a key of its own.
  const before = proxy?.isServer ? { proxy: { ...proxy, privateKey } } : {};
  return agentUpgradeStep(
    { ...place, target: { ...place.target, ...before, privateKey } },
    rotation.newKey.apply((key) => `set -eu\n${addKeyProgram(key)}${upgradeProgram()}`),
    told(rotation, (was, is) => `lets SSH key ${is} in beside ${was}`),
  );
}

/** Takes the old key away. `dependsOn`: the last steps of all nodes, to which the new key was the way. */
export function retireKey(place: StepPlace, rotation: KeyRotation, dependsOn: readonly pulumi.Resource[]): void {
  keyRemovalStep(
    { ...place, dependsOn },
    pulumi.all([rotation.oldKey, rotation.newKey]).apply(([was, is]) => removeKeyProgram(was, is)),
    told(rotation, (was, is) => `takes SSH key ${was} away, ${is} stays`),
  );
}

/** For a preview: what becomes of the key of one node. */
export function shownRotation(rotation: KeyRotation, adopted: boolean): pulumi.Output<string> {
  return told(rotation, (was, is) =>
    adopted ? `${is}, which has to be let in there already: the server is adopted` : `${was} -> ${is}`,
  );
}

/** Says what a rotation leaves to the person who deploys. */
export function announceRotation(
  component: string,
  resource: pulumi.Resource,
  rotation: KeyRotation,
  adopted: readonly string[],
): void {
  told(rotation, (was, is) => {
    const text = `${component}: SSH key ${is} takes the place of ${was}. Once this deployment went through, take ssh.previousPrivateKey out`;
    void pulumi.log.info(text, resource);
    if (adopted.length === 0) return "";
    const by = `${component}: adopted servers keep the keys that they have: let ${is} in by hand on ${adopted.join(", ")}`;
    void pulumi.log.warn(`${by} before you deploy, and take ${was} away yourself`, resource);
    return "";
  });
}

function told({ oldKey, newKey }: KeyRotation, text: (was: string, is: string) => string): pulumi.Output<string> {
  return pulumi.all([oldKey, newKey]).apply(([was, is]) => text(fingerprintOf(was), fingerprintOf(is)));
}
