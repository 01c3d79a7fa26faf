/** The SSH key pair of a component: checked when it is known, the private half a secret whatever the program said. */
import * as pulumi from "@pulumi/pulumi";
import type * as z from "zod";
import type { SshArgs } from "../args/host";
import { isSameKey, otherKey, privateKeySchema, publicKeySchema } from "../args/hostSchema";
import { InvalidArgumentError, parseArgument } from "../args/invalidArgument";
import { publicKeyOf } from "../remote/sshKey";
import type { KeyRotation } from "./keyRotation";

export interface SshKeys {
  readonly privateKey: pulumi.Output<string>;
  /** `ssh-ed25519 AAAA…`; derived from the private half where it is not given. */
  readonly publicKey: pulumi.Output<string>;
  /** Where the key takes the place of another one. */
  readonly rotation?: KeyRotation;
}

interface GivenKeys extends Pick<SshArgs, "privateKey"> {
  readonly publicKey?: pulumi.Input<string> | undefined;
  readonly previousPrivateKey?: pulumi.Input<string> | undefined;
}

export function sshKeys(component: string, ssh: GivenKeys): SshKeys {
  const privateKey = checkedLater(component, privateKeySchema, pulumi.secret(ssh.privateKey), "ssh.privateKey");
  const publicKey =
    ssh.publicKey === undefined
      ? pulumi.unsecret(privateKey.apply(publicKeyOf))
      : checkedLater(component, publicKeySchema, ssh.publicKey, "ssh.publicKey");
  if (ssh.previousPrivateKey === undefined) return { privateKey, publicKey };
  return { privateKey, publicKey, rotation: rotationOf(component, ssh.previousPrivateKey, privateKey) };
}

function rotationOf(component: string, given: pulumi.Input<string>, privateKey: pulumi.Output<string>): KeyRotation {
  const path = "ssh.previousPrivateKey";
  const previous = checkedLater(component, privateKeySchema, pulumi.secret(given), path);
  const previousPrivateKey = pulumi.all([previous, privateKey]).apply(([was, is]) => {
    if (isSameKey(was, is)) throw new InvalidArgumentError(component, [{ path, ...otherKey }]);
    return was;
  });
  return {
    previousPrivateKey,
    oldKey: pulumi.unsecret(previousPrivateKey.apply(publicKeyOf)),
    newKey: pulumi.unsecret(privateKey.apply(publicKeyOf)),
  };
}

/** The argument, checked once its value is there; the constructor has checked what was there at once. */
export function checkedLater<T>(
  component: string,
  schema: z.ZodType<T>,
  input: pulumi.Input<T>,
  path: string,
): pulumi.Output<T> {
  const later: pulumi.Output<unknown> = pulumi.output(input);
  return later.apply((value) => parseArgument(component, schema, value, path));
}
