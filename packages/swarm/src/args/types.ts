/** Lets the compiler prove that a hand-written interface and the schema that checks it at run time say the same. */
import type * as pulumi from "@pulumi/pulumi";

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

/** `true` for an interface and a schema's input that are equal, key by key. */
export type Same<A, B> = Equal<Plain<A>, Plain<B>>;
