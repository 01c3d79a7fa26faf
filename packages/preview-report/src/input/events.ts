/**
 * The engine's events, parsed. Source: `sdk/go/common/apitype/events.go` of Pulumi 3.259. What is not named here is
 * ignored, so that a newer engine's fields and event types pass; what is named but of a wrong type is dropped where the
 * report can live without it, and makes the event malformed where it cannot.
 */
import * as z from "zod";
import { isPlainObject } from "../values/value.js";

const text = z.string().catch("");
const flag = z.boolean().catch(false);
const texts = z.array(z.string()).nullish().catch(null);

const stateSchema = z.object({
  type: text,
  custom: flag,
  id: text,
  parent: text,
  protect: flag,
  retainOnDelete: flag,
  external: flag,
  inputs: z.unknown().optional(),
  outputs: z.unknown().optional(),
  dependencies: texts,
  propertyDependencies: z.unknown().optional(),
});

/** One side of a step: a resource's state before or after it. */
export type StepState = z.infer<typeof stateSchema>;

const diffKindSchema = z.object({ diffKind: z.string().optional(), kind: z.string().optional() });

const stepSchema = z.object({
  op: z.string(),
  urn: z.string(),
  type: text,
  old: stateSchema.nullish(),
  new: stateSchema.nullish(),
  keys: texts,
  diffs: texts,
  detailedDiff: z.record(z.string(), diffKindSchema).nullish().catch(null),
});

/** One step of the engine on one resource. */
export interface Step {
  op: string;
  urn: string;
  type: string;
  old: StepState | undefined;
  new: StepState | undefined;
  /** The properties that force a replacement. */
  replaceKeys: string[];
  /** The properties that change: paths where the engine knows them, else top-level keys. */
  changedKeys: string[];
}

export type PreviewEvent =
  | { kind: "step"; phase: "before" | "outputs"; step: Step }
  | { kind: "failure"; urn: string }
  | { kind: "diagnostic"; severity: string; urn: string; message: string; ephemeral: boolean }
  | { kind: "policy"; violation: PolicyViolation }
  | { kind: "policy-summary"; pack: string; version: string; passed: number; failed: number }
  | { kind: "remediation"; pack: string; policy: string; urn: string }
  | { kind: "config"; config: Record<string, unknown> }
  | { kind: "summary"; summary: EngineSummary }
  | { kind: "engine-error"; message: string }
  | { kind: "end" }
  | { kind: "ignored" }
  | { kind: "unknown"; name: string }
  | { kind: "malformed"; name: string };

export interface PolicyViolation {
  pack: string;
  version: string;
  policy: string;
  /** `mandatory` stops an update, `advisory` does not. */
  level: string;
  urn: string;
  message: string;
}

export interface EngineSummary {
  /** Count of resources by operation, as the engine counted them. */
  changes: Record<string, number>;
  maybeCorrupt: boolean;
  /** `succeeded`, `failed` or `canceled`; empty where the engine does not say. */
  result: string;
  policyPacks: Record<string, string>;
}

const counts = z.record(z.string(), z.number()).nullish().catch(null);
const metadataSchema = z.object({ metadata: stepSchema });
const diagnosticSchema = z.object({ urn: text, prefix: text, message: text, severity: text, ephemeral: flag });
const policySchema = z.object({
  resourceUrn: text,
  message: text,
  policyName: text,
  policyPackName: text,
  policyPackVersion: text,
  enforcementLevel: text,
});
const policySummarySchema = z.object({
  policyPackName: text,
  policyPackVersion: text,
  passed: texts,
  failed: texts,
});
const summarySchema = z.object({
  resourceChanges: counts,
  maybeCorrupt: flag,
  result: text,
  PolicyPacks: z.record(z.string(), z.string()).nullish().catch(null),
});

/** Exactly one of these keys is set in an event. */
const readers: Record<string, (body: unknown) => PreviewEvent | undefined> = {
  resourcePreEvent: (body) => readStep(body, "before"),
  resOutputsEvent: (body) => readStep(body, "outputs"),
  resOpFailedEvent: (body) => {
    const parsed = metadataSchema.safeParse(body);
    return parsed.success ? { kind: "failure", urn: parsed.data.metadata.urn } : undefined;
  },
  diagnosticEvent: (body) => {
    const parsed = diagnosticSchema.safeParse(body);
    if (!parsed.success) return undefined;
    const { severity, urn, prefix, message, ephemeral } = parsed.data;
    return { kind: "diagnostic", severity, urn, message: `${prefix}${message}`, ephemeral };
  },
  policyEvent: (body) => {
    const parsed = policySchema.safeParse(body);
    if (!parsed.success) return undefined;
    const it = parsed.data;
    return {
      kind: "policy",
      violation: {
        pack: it.policyPackName,
        version: it.policyPackVersion,
        policy: it.policyName,
        level: it.enforcementLevel,
        urn: it.resourceUrn,
        message: it.message,
      },
    };
  },
  policyRemediationEvent: (body) => {
    const parsed = policySchema.safeParse(body);
    if (!parsed.success) return undefined;
    const it = parsed.data;
    return { kind: "remediation", pack: it.policyPackName, policy: it.policyName, urn: it.resourceUrn };
  },
  policyAnalyzeSummaryEvent: readPolicySummary,
  policyAnalyzeStackSummaryEvent: readPolicySummary,
  policyRemediateSummaryEvent: () => ({ kind: "ignored" }),
  policyLoadEvent: () => ({ kind: "ignored" }),
  preludeEvent: (body) => {
    const config = isPlainObject(body) && isPlainObject(body.config) ? body.config : {};
    return { kind: "config", config };
  },
  summaryEvent: (body) => {
    const parsed = summarySchema.safeParse(body);
    if (!parsed.success) return undefined;
    const { resourceChanges, maybeCorrupt, result, PolicyPacks } = parsed.data;
    const summary = { changes: resourceChanges ?? {}, maybeCorrupt, result, policyPacks: PolicyPacks ?? {} };
    return { kind: "summary", summary };
  },
  errorEvent: (body) => {
    const parsed = z.object({ error: text }).safeParse(body);
    return parsed.success ? { kind: "engine-error", message: parsed.data.error } : undefined;
  },
  cancelEvent: () => ({ kind: "end" }),
  stdoutEvent: () => ({ kind: "ignored" }),
  progressEvent: () => ({ kind: "ignored" }),
  startDebuggingEvent: () => ({ kind: "ignored" }),
};

/** The names by which an event of this format is told from any other JSON. */
const EVENT_NAMES: ReadonlySet<string> = new Set(Object.keys(readers));

/** True for an object that looks like one event of the engine's stream, of a known type or of one to come. */
export function looksLikeEvent(json: unknown): json is Record<string, unknown> {
  if (!isPlainObject(json)) return false;
  const keys = Object.keys(json);
  return keys.some((key) => EVENT_NAMES.has(key)) || ("sequence" in json && "timestamp" in json);
}

/** One JSON object of the stream to one event. Never throws. */
export function readEvent(json: unknown): PreviewEvent {
  if (!isPlainObject(json)) return { kind: "malformed", name: "not an object" };
  const keys = Object.keys(json);
  const name = keys.find((key) => EVENT_NAMES.has(key));
  if (name === undefined) {
    const other = keys.find((key) => key !== "sequence" && key !== "timestamp" && key !== "type");
    return { kind: "unknown", name: other ?? "empty event" };
  }
  return readers[name]?.(json[name]) ?? { kind: "malformed", name };
}

function readStep(body: unknown, phase: "before" | "outputs"): PreviewEvent | undefined {
  const parsed = metadataSchema.safeParse(body);
  return parsed.success ? { kind: "step", phase, step: toStep(parsed.data.metadata) } : undefined;
}

function readPolicySummary(body: unknown): PreviewEvent | undefined {
  const parsed = policySummarySchema.safeParse(body);
  if (!parsed.success) return undefined;
  const { policyPackName, policyPackVersion, passed, failed } = parsed.data;
  return {
    kind: "policy-summary",
    pack: policyPackName,
    version: policyPackVersion,
    passed: passed?.length ?? 0,
    failed: failed?.length ?? 0,
  };
}

function toStep(raw: z.infer<typeof stepSchema>): Step {
  const detailed = Object.keys(raw.detailedDiff ?? {});
  return {
    op: raw.op,
    urn: raw.urn,
    type: raw.type || raw.new?.type || raw.old?.type || "",
    old: raw.old ?? undefined,
    new: raw.new ?? undefined,
    // In the order of a map, which is none.
    replaceKeys: [...(raw.keys ?? [])].sort(),
    changedKeys: detailed.length > 0 ? detailed : [...(raw.diffs ?? [])].sort(),
  };
}

/** A step of plain `preview --json`, which names the same things differently. */
const digestStepSchema = z.object({
  op: z.string(),
  urn: z.string(),
  oldState: z.unknown().optional(),
  newState: z.unknown().optional(),
  replaceReasons: z.unknown().optional(),
  diffReasons: z.unknown().optional(),
  detailedDiff: z.unknown().optional(),
});

const digestSchema = z.object({
  config: z.unknown().optional(),
  steps: z.array(z.unknown()).nullish(),
  diagnostics: z.array(z.unknown()).nullish().catch(null),
  changeSummary: counts,
  maybeCorrupt: flag,
});

/** True for the document that plain `preview --json` prints. */
export function looksLikeDigest(json: unknown): boolean {
  return isPlainObject(json) && ["steps", "changeSummary", "config", "diagnostics"].some((key) => key in json);
}

/** The document of plain `preview --json` as the same events; `undefined` where it is none. */
export function readDigest(json: unknown): PreviewEvent[] | undefined {
  if (!looksLikeDigest(json)) return undefined;
  const parsed = digestSchema.safeParse(json);
  if (!parsed.success) return undefined;
  const { config, steps, diagnostics, changeSummary, maybeCorrupt } = parsed.data;
  const events: PreviewEvent[] = [];
  if (isPlainObject(config)) events.push({ kind: "config", config });
  for (const raw of steps ?? []) events.push(readDigestStep(raw));
  for (const raw of diagnostics ?? []) {
    events.push(readers.diagnosticEvent?.(raw) ?? { kind: "malformed", name: "diagnostic" });
  }
  if (changeSummary) {
    events.push({ kind: "summary", summary: { changes: changeSummary, maybeCorrupt, result: "", policyPacks: {} } });
  }
  return events;
}

function readDigestStep(raw: unknown): PreviewEvent {
  const parsed = digestStepSchema.safeParse(raw);
  if (!parsed.success) return { kind: "malformed", name: "step" };
  const it = parsed.data;
  const step = stepSchema.safeParse({
    op: it.op,
    urn: it.urn,
    old: it.oldState,
    new: it.newState,
    keys: it.replaceReasons,
    diffs: it.diffReasons,
    detailedDiff: it.detailedDiff,
  });
  return step.success
    ? { kind: "step", phase: "before", step: toStep(step.data) }
    : { kind: "malformed", name: "step" };
}
