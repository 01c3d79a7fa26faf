/** The SSH key pair of a component: checked when it is known, the private half a secret whatever the program said. */
import * as pulumi from "@pulumi/pulumi";
import type * as z from "zod";
import type { SshArgs } from "./args";
import { privateKeySchema, publicKeySchema } from "./argsSchema";
import { parseArgument } from "./invalidArgument";
import { publicKeyOf } from "./remote/sshKey";

export interface SshKeys {
  readonly privateKey: pulumi.Output<string>;
  /** `ssh-ed25519 AAAA…`; derived from the private half where it is not given. */
  readonly publicKey: pulumi.Output<string>;
}

export function sshKeys(
  component: string,
  ssh: Pick<SshArgs, "privateKey"> & { publicKey?: pulumi.Input<string> | undefined },
): SshKeys {
  const privateKey = checkedLater(component, privateKeySchema, pulumi.secret(ssh.privateKey), "ssh.privateKey");
  const publicKey =
    ssh.publicKey === undefined
      ? pulumi.unsecret(privateKey.apply(publicKeyOf))
      : checkedLater(component, publicKeySchema, ssh.publicKey, "ssh.publicKey");
  return { privateKey, publicKey };
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
