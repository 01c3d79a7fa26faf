/** zod schemas and helpers shared by the routes. Everything a client sends goes through one of them. */
import { z } from "zod";
import { type FieldProblem, invalidFields } from "./errors.js";
import { labelsSchema } from "./labels.js";

/** Positive integer within JavaScript's safe range, as the API bounds its ids. */
export const idSchema = z.number().int().positive();

/** An id in a path or query string. */
export const idTextSchema = z
  .string()
  .regex(/^[1-9][0-9]{0,15}$/, { error: "must be a positive integer" })
  .transform(Number);

/** An id (number or digits) or a name. */
export const idOrNameSchema = z.union([idSchema, z.string().min(1)]).transform((value) => String(value));

/** Names of resources other than servers: 1 to 128 characters. */
export const nameSchema = z.string().min(1).max(128);

const HOSTNAME =
  /^(?=.{1,253}$)[a-z0-9A-Z]([a-z0-9A-Z-]{0,61}[a-z0-9A-Z])?(\.[a-z0-9A-Z]([a-z0-9A-Z-]{0,61}[a-z0-9A-Z])?)*$/;

/** A hostname of RFC 1123: letters, digits, dashes and periods. */
export const hostnameSchema = z.string().regex(HOSTNAME, { error: "must be a valid hostname as per RFC 1123" });

/** A DNS name of a PTR record, or null to reset it. */
export const dnsPtrSchema = z.union([z.string().regex(HOSTNAME, { error: "must be a valid DNS name" }), z.null()]);

/** The body of a PUT on most resources: a new name, new labels, or both. */
export const renameSchema = z.object({ name: nameSchema.optional(), labels: labelsSchema.optional() });

/** The body of change_protection on most resources. */
export const protectionSchema = z.object({ delete: z.boolean().optional() });

function fieldName(path: readonly PropertyKey[]): string {
  return path.length === 0 ? "body" : path.map(String).join(".");
}

/** Parses untrusted input; throws `invalid_input` that names every wrong field. */
export function parseInput<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const messages = new Map<string, string[]>();
  for (const issue of result.error.issues) {
    const name = fieldName(issue.path);
    messages.set(name, [...(messages.get(name) ?? []), issue.message]);
  }
  const fields: FieldProblem[] = [...messages].map(([name, list]) => ({ name, messages: list }));
  throw invalidFields(fields);
}
