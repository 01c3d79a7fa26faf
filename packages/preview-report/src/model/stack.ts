/** Folds the engine's events into what the report needs to know; holds no user-data and no state it will not use. */
import type { EngineSummary, PolicyViolation, PreviewEvent, Step, StepState } from "../input/events.js";
import { SecretCollector } from "../secrets/collect.js";
import { parseUrn } from "../values/urn.js";
import {
  asArray,
  asRecord,
  asText,
  at,
  decode,
  isPlainObject,
  ownOf,
  UNKNOWN,
  type Value,
  type ValueRecord,
} from "../values/value.js";
import { type UserData, userDataOf } from "./userData.js";

export type Action = "create" | "update" | "replace" | "delete" | "import" | "read" | "same" | "other";

/** One side of a resource. */
export interface Side {
  id: string;
  inputs: ValueRecord;
  /** Outputs the report looks at, of servers and firewalls only. */
  labels: ValueRecord;
  protect: boolean;
  retainOnDelete: boolean;
  userData: UserData | undefined;
  /** URNs by property; only plain `preview --json` has them. */
  dependencies: ReadonlyMap<string, readonly string[]>;
}

export interface Resource {
  urn: string;
  type: string;
  name: string;
  parent: string;
  action: Action;
  before: Side | undefined;
  after: Side | undefined;
  replaceKeys: string[];
  changedKeys: string[];
}

export interface Diagnostic {
  severity: string;
  urn: string;
  message: string;
}

export interface PolicyPackSummary {
  version: string;
  passed: number;
  failed: number;
}

/** Everything that was read, raw: texts of the input that only the report's redactor may let out. */
export interface StackModel {
  stack: string;
  project: string;
  resources: ReadonlyMap<string, Resource>;
  diagnostics: readonly Diagnostic[];
  violations: readonly PolicyViolation[];
  policyPacks: ReadonlyMap<string, PolicyPackSummary>;
  remediations: number;
  failures: readonly string[];
  /** Resources that a refresh found changed or gone outside Pulumi. */
  drift: ReadonlyMap<string, string>;
  summary: EngineSummary | undefined;
  unknownEvents: ReadonlyMap<string, number>;
  secrets: ReadonlySet<string>;
}

/** Keeps so many messages; a program in a loop must not fill the memory. */
const MAX_DIAGNOSTICS = 2000;
const KEPT = /^(hcloud:|hcloud-swarm:|pulumi:providers:hcloud$)/;
const COMMAND = /^command:(remote|local):/;

export class StackBuilder {
  readonly collector = new SecretCollector();
  private readonly resources = new Map<string, Resource>();
  private readonly diagnostics: Diagnostic[] = [];
  private readonly violations: PolicyViolation[] = [];
  private readonly policyPacks = new Map<string, PolicyPackSummary>();
  private remediations = 0;
  private readonly failures: string[] = [];
  private readonly refreshed = new Set<string>();
  private readonly drift = new Map<string, string>();
  private summary: EngineSummary | undefined;
  private readonly unknownEvents = new Map<string, number>();
  private origin = { stack: "", project: "" };

  take(event: PreviewEvent, raw: unknown): void {
    this.collector.collect(raw);
    switch (event.kind) {
      case "step":
        this.takeStep(event.step, event.phase);
        return;
      case "diagnostic":
        if (event.ephemeral || event.severity === "debug" || event.message.trim() === "") return;
        if (this.diagnostics.length < MAX_DIAGNOSTICS) this.diagnostics.push(event);
        return;
      case "engine-error":
        this.diagnostics.push({ severity: "error", urn: "", message: event.message });
        return;
      case "policy":
        this.violations.push(event.violation);
        return;
      case "policy-summary": {
        const pack = this.policyPacks.get(event.pack) ?? { version: event.version, passed: 0, failed: 0 };
        pack.passed += event.passed;
        pack.failed += event.failed;
        this.policyPacks.set(event.pack, pack);
        return;
      }
      case "remediation":
        this.remediations++;
        return;
      case "failure":
        this.failures.push(event.urn);
        return;
      case "summary":
        this.summary = event.summary;
        for (const [pack, version] of Object.entries(event.summary.policyPacks)) {
          if (!this.policyPacks.has(pack)) this.policyPacks.set(pack, { version, passed: 0, failed: 0 });
        }
        return;
      case "unknown":
        if (this.unknownEvents.size < 50)
          this.unknownEvents.set(event.name, (this.unknownEvents.get(event.name) ?? 0) + 1);
        return;
      default:
        return;
    }
  }

  private takeStep(step: Step, phase: "before" | "outputs"): void {
    if (phase === "outputs") {
      // Outputs matter in two cases: an import says only here what is there, and a refresh what it found.
      const known = this.resources.get(step.urn);
      if (known?.action === "import" && step.op === "import") {
        known.before = sideOf(known.type, step.old);
        known.after = sideOf(known.type, step.new) ?? known.after;
      }
      if (this.refreshed.has(step.urn) && (step.op === "update" || step.op === "delete"))
        this.drift.set(step.urn, step.op);
      return;
    }
    if (step.op === "refresh") {
      this.refreshed.add(step.urn);
      return;
    }
    const { stack, project, type, name } = parseUrn(step.urn);
    if (this.origin.stack === "") this.origin = { stack, project };
    const ownType = step.type || type;
    const known = this.resources.get(step.urn);
    const action = stronger(known?.action, actionOf(step.op));
    const resource: Resource = {
      urn: step.urn,
      type: ownType,
      name,
      parent: step.new?.parent || step.old?.parent || known?.parent || "",
      action,
      before: sideOf(ownType, step.old) ?? known?.before,
      after: sideOf(ownType, step.new) ?? known?.after,
      replaceKeys: merged(known?.replaceKeys, step.replaceKeys),
      changedKeys: merged(known?.changedKeys, step.changedKeys),
    };
    if (action === "delete") resource.after = undefined;
    this.resources.set(step.urn, resource);
  }

  build(): StackModel {
    return {
      ...this.origin,
      // The engine works on many at once, so that its order differs from run to run: the report's must not.
      resources: new Map([...this.resources].sort(([, a], [, b]) => byName(a, b))),
      diagnostics: this.diagnostics,
      violations: this.violations,
      policyPacks: this.policyPacks,
      remediations: this.remediations,
      failures: this.failures,
      drift: this.drift,
      summary: this.summary,
      unknownEvents: this.unknownEvents,
      secrets: this.collector.found,
    };
  }
}

const collator = new Intl.Collator("en", { numeric: true });

/** `worker-2` before `worker-10`, and a node's resources together. */
function byName(a: Resource, b: Resource): number {
  return collator.compare(a.name, b.name) || (a.urn < b.urn ? -1 : a.urn > b.urn ? 1 : 0);
}

const ACTIONS: Record<string, Action> = {
  same: "same",
  create: "create",
  update: "update",
  delete: "delete",
  replace: "replace",
  "create-replacement": "replace",
  "delete-replaced": "replace",
  "import-replacement": "replace",
  "read-replacement": "replace",
  "discard-replaced": "replace",
  read: "read",
  discard: "read",
  import: "import",
};

function actionOf(op: string): Action {
  return Object.hasOwn(ACTIONS, op) ? (ACTIONS[op] ?? "other") : "other";
}

const STRENGTH: readonly Action[] = ["other", "same", "read", "import", "update", "create", "delete", "replace"];

/** A resource has several steps when it is replaced, or created anew after a pending deletion. */
function stronger(known: Action | undefined, next: Action): Action {
  if (known === undefined) return next;
  if ((known === "delete" && next === "create") || (known === "create" && next === "delete")) return "replace";
  return STRENGTH.indexOf(next) > STRENGTH.indexOf(known) ? next : known;
}

function merged(known: string[] | undefined, next: string[]): string[] {
  return known === undefined || known.length === 0 ? next : [...new Set([...known, ...next])];
}

function sideOf(type: string, state: StepState | undefined): Side | undefined {
  if (!state) return undefined;
  const kept = KEPT.test(type);
  const inputs: ValueRecord = Object.create(null);
  let userData: UserData | undefined;
  const raw = isPlainObject(state.inputs) ? state.inputs : {};
  if (kept) {
    for (const key of Object.keys(raw)) {
      if (key === "userData") userData = userDataOf(decode(raw[key]));
      else inputs[key] = decode(raw[key]);
    }
  } else if (COMMAND.test(type)) {
    // The command's text is only looked at for what stops a host; its host key is all that is kept of the connection.
    for (const key of ["create", "update", "delete"]) {
      const text = raw[key];
      if (text === undefined || text === null) continue;
      if (decode(text) === UNKNOWN) inputs[key] = UNKNOWN;
      else inputs[key] = typeof text === "string" && stopsHost(text) ? "stops" : "runs";
    }
    inputs.hostKey = at(decode(ownOf(raw, "connection")), "hostKey") ?? null;
  }
  const outputs = kept && isPlainObject(state.outputs) ? state.outputs : {};
  return {
    id: state.id,
    inputs,
    labels: asRecord(decode(ownOf(raw, "labels") ?? ownOf(outputs, "labels"))) ?? Object.create(null),
    protect: state.protect,
    retainOnDelete: state.retainOnDelete,
    userData: userData ?? (type === "hcloud:index/server:Server" ? userDataOf(null) : undefined),
    dependencies: dependenciesOf(state.propertyDependencies),
  };
}

function stopsHost(text: string): boolean {
  return /(^|[\s;&|/"'`(])(reboot|poweroff|halt|shutdown|init\s+[06]|systemctl\s+(reboot|poweroff|halt|kexec)|kexec\s+-e)\b/.test(
    text,
  );
}

function dependenciesOf(raw: unknown): ReadonlyMap<string, readonly string[]> {
  const result = new Map<string, readonly string[]>();
  if (!isPlainObject(raw)) return result;
  for (const key of Object.keys(raw)) {
    const urns = asArray(decode(raw[key]) as Value).map(asText);
    result.set(
      key,
      urns.filter((urn): urn is string => urn !== undefined),
    );
  }
  return result;
}
