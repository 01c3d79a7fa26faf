/** The verification: what the host agent reports of itself, and how a failed one reads. */
import * as z from "zod";

const checkSchema = z.object({
  name: z.string().min(1),
  passed: z.boolean(),
  expected: z.string(),
  found: z.string(),
  /** Of a check that failed: what it is about, and what to do. The host agent knows; an older one does not say. */
  what: z.string().optional(),
  fix: z.string().optional(),
});

const reportSchema = z
  .object({
    version: z.literal(1),
    /** Host name. */
    node: z.string().min(1),
    /** SHA-256 of the payload in force, in hexadecimal; `none` without one. */
    digest: z.string().regex(/^([0-9a-f]{64}|none)$/, "no SHA-256"),
    /** When, in UTC (RFC 3339). */
    time: z.iso.datetime(),
    passed: z.boolean(),
    checks: z.array(checkSchema).min(1),
  })
  .refine(({ passed, checks }) => passed === checks.every((check) => check.passed), {
    message: "contradicts the checks",
    path: ["passed"],
  });

export type Report = z.output<typeof reportSchema>;
export type Check = Report["checks"][number];

/** What a host printed is no report. */
export class ReportError extends Error {
  override readonly name = "ReportError";
}

/** @throws ReportError that says what is wrong with the text. */
export function parseReport(text: string): Report {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ReportError(`The host agent's report is no JSON; it begins: ${JSON.stringify(text.slice(0, 200))}`);
  }
  const result = reportSchema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join(".") || "report"}: ${message}`);
  throw new ReportError(`The host agent's report cannot be understood: ${problems.join("; ")}`);
}

export function failedChecks(report: Report): readonly Check[] {
  return report.checks.filter((check) => !check.passed);
}

/** The error of a report that did not pass; nothing for one that did. */
export function verificationError(report: Report): Error | undefined {
  const failed = failedChecks(report);
  if (failed.length === 0) return undefined;
  const lines = failed.flatMap(({ name, expected, found, what, fix }) => [
    `  ${name}${what ? `: ${what}` : ""}`,
    `    must be: ${expected || "nothing"}`,
    `    is:      ${found || "nothing"}`,
    ...(fix ? [`    to fix:  ${fix}`] : []),
  ]);
  return new Error(
    [`Verification of ${report.node} failed: ${failed.length} of ${report.checks.length} checks`, ...lines].join("\n"),
  );
}
