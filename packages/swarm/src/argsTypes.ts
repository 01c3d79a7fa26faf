/**
 * Proof for the compiler that the hand-written interfaces (`args.ts`, `argsPolicy.ts`) and the schemas that check them at
 * run time (`argsSchema.ts`) say the same. A difference is an error in this file; nothing of it is left at run time.
 */
import type * as pulumi from "@pulumi/pulumi";
import type * as z from "zod";
import type { SwarmClusterArgs } from "./args";
import type { swarmClusterSchema } from "./argsSchema";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Deferred = pulumi.Output<unknown> | Promise<unknown>;

/**
 * Both sides in one form: optional keys may be undefined, lists are mutable, and an `Input<T>` is `T` (a schema sees values
 * that are known later through `inputOf`, the policy's through a placeholder).
 */
type Plain<T> = T extends Deferred
  ? never
  : T extends readonly (infer I)[]
    ? Plain<I>[]
    : T extends object
      ? { -readonly [K in keyof T as undefined extends T[K] ? never : K]: Plain<T[K]> } & {
          -readonly [K in keyof T as undefined extends T[K] ? K : never]?: Plain<T[K]> | undefined;
        } extends infer O
        ? { [K in keyof O]: O[K] }
        : never
      : T;

/** Takes only `true`, for interface and schema that are equal. */
type Same<A, B> = Equal<Plain<A>, Plain<B>>;

true satisfies Same<SwarmClusterArgs, z.input<typeof swarmClusterSchema>>;
