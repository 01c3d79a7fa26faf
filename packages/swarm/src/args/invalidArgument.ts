/** How a wrong argument is told: the path, what was given, what is allowed; never a secret. */
import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { PlainError } from "../plainError";

/** Thrown before anything is created. */
export class InvalidArgumentError extends PlainError {
  /** Paths of the arguments that are wrong, such as `policy.ports[0].port`. */
  readonly paths: readonly string[];

  constructor(component: string, problems: readonly Problem[]) {
    const lines = problems.map(({ path, given, allowed }) => `  ${path}: given ${given}; allowed: ${allowed}`);
    const text = `${component}: invalid argument${problems.length > 1 ? "s" : ""}\n${lines.join("\n")}`;
    super("InvalidArgumentError", text);
    this.paths = problems.map((problem) => problem.path);
  }
}

export interface Problem {
  readonly path: string;
  /** Safe to show. */
  readonly given: string;
  readonly allowed: string;
}

/**
 * Parses untrusted arguments. `component` names the component in the error, such as `SwarmCluster "prod"`; `at` is the
 * path of `value` among its arguments. The schemas' messages say what is allowed (see the helpers below).
 */
export function parseArgument<S extends z.ZodType>(component: string, schema: S, value: unknown, at = ""): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue): Problem => {
    const keys = issue.code === "unrecognized_keys" ? issue.keys : undefined;
    return {
      path: pathText(at, [...issue.path, ...(keys?.slice(0, 1) ?? [])]),
      given: givenBy(issue) ?? (keys ? "an unknown argument" : describe(valueAt(value, issue.path))),
      allowed: issue.message,
    };
  });
  throw new InvalidArgumentError(component, unique(problems));
}

/** Whether the value is known only later: an `Output` or a promise. */
export function isDeferred(value: unknown): value is pulumi.Output<unknown> | Promise<unknown> {
  return pulumi.Output.isInstance(value) || value instanceof Promise;
}

/** Something wrong across several arguments. */
export interface Issue {
  readonly path: readonly (string | number)[];
  /** What is allowed. */
  readonly message: string;
  /** Safe to show. Default: what stands at the path. */
  readonly given?: string;
}

/** Tells the issues to the schema; their paths begin at `at`. */
export function addIssues(context: z.core.$RefinementCtx, issues: readonly Issue[], at: readonly string[] = []): void {
  for (const { path, message, given } of issues)
    context.addIssue({ code: "custom", path: [...at, ...path], message, params: { given } });
}

/** Accepts a value that is known later unseen; checks any other against `schema` now. */
export function inputOf<T>(schema: z.ZodType<T>): z.ZodType<pulumi.Input<T>, pulumi.Input<T>> {
  return z.custom<pulumi.Input<T>>().superRefine((value, context) => {
    if (isDeferred(value)) return;
    for (const issue of schema.safeParse(value).error?.issues ?? [])
      context.addIssue({ code: "custom", path: issue.path, message: issue.message, params: { given: givenBy(issue) } });
  });
}

export function text(pattern: RegExp, allowed: string): z.ZodString {
  return z.string({ error: allowed }).regex(pattern, { error: allowed });
}

export function oneOf<const V extends Readonly<Record<string, string>>>(values: V): z.ZodEnum<V> {
  return z.enum(values, { error: Object.values(values).join(" or ") });
}

/** What a check across several arguments says was given (`params.given` of a custom issue). */
function givenBy(issue: z.core.$ZodIssue): string | undefined {
  const given: unknown = issue.code === "custom" ? issue.params?.given : undefined;
  return typeof given === "string" ? given : undefined;
}

function pathText(at: string, path: readonly PropertyKey[]): string {
  const parts = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`));
  return `${at}${parts.join("")}`.replace(/^\./, "") || "args";
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const part of path) {
    if (typeof found !== "object" || found === null) return undefined;
    found = Reflect.get(found, part);
  }
  return found;
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (isDeferred(value)) return "a value that is known later";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (typeof value === "object") return "an object";
  if (typeof value !== "string") return String(value);
  // A key in the wrong place is a mistake that people make; showing it would make it worse.
  if (/PRIVATE KEY|SWMTKN|SWMKEY/.test(value)) return "[secret]";
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}

function unique(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((problem) => [`${problem.path}\n${problem.allowed}`, problem])).values()];
}
