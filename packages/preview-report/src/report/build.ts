/** From what was read to the report. The last step takes secrets and unprintable text out of every string at once. */

import type { Listening } from "../exposure/adopted.js";
import type { SourceSet } from "../exposure/sources.js";
import { balancerSources, type ExposureRow, exposureTable } from "../exposure/table.js";
import type { ReadStatus } from "../input/read.js";
import { clustersOf, isComponent } from "../model/cluster.js";
import { dangersOf } from "../model/danger.js";
import type { Action, Resource, StackModel } from "../model/stack.js";
import { commandsOf, trustOf, userDataChanges } from "../model/trust.js";
import { createRedactor, type Redactor } from "../secrets/redact.js";
import { parseUrn } from "../values/urn.js";
import { leafChanges } from "../values/value.js";
import type { Counts, ExposureEntry, Report } from "./report.js";

/** Longest name or value, in characters, and longest message. What is cut off is marked. */
const MAX_LINE = 240;
const MAX_MESSAGE = 2000;
const MAX_NETWORKS = 12;

export interface ReportOptions {
  readonly secrets?: readonly string[];
  readonly listening?: Listening;
}

export function buildReport(
  model: StackModel,
  status: ReadStatus,
  { secrets = [], listening = new Map() }: ReportOptions = {},
): Report {
  const redactor = createRedactor([...model.secrets, ...secrets]);
  return sanitize(compose(model, status, listening), redactor);
}

function compose(model: StackModel, status: ReadStatus, listening: Listening): Report {
  const clusters = clustersOf(model);
  const { dangers, notes } = dangersOf(model, clusters);
  const { rows, doubts } = exposureTable(model, clusters, listening);
  const balancers = balancerSources(model);
  const entries = mergeFamilies(rows.map((row) => entryOf(row, balancers)));
  const counts = countsOf(model);
  const messages = (severity: string) =>
    model.diagnostics
      .filter((it) => it.severity === severity)
      .map((it) => ({ resource: it.urn === "" ? "" : parseUrn(it.urn).name, message: it.message }));
  const errors = joined(messages("error"));
  const failed =
    errors.length > 0 || model.failures.length > 0 || ["failed", "canceled"].includes(model.summary?.result ?? "");
  const touched = counts.create + counts.update + counts.replace + counts.delete + counts.other;
  const changed = [...model.resources.values()].filter(
    (it) => it.action !== "same" && it.action !== "read" && isReviewed(it.type),
  );
  return {
    version: 1,
    stack: model.stack,
    project: model.project,
    status: !status.complete ? "incomplete" : failed ? "failed" : touched > 0 ? "changes" : "no-changes",
    problems: status.problems,
    counts,
    danger: dangers,
    quorum: notes.map((it) => ({
      ...it,
      managersBefore: it.managersBefore ?? null,
      managersAfter: it.managersAfter ?? null,
    })),
    exposure: {
      changes: entries.filter((it) => it.kind !== "same"),
      unchanged: entries.filter((it) => it.kind === "same"),
      doubts,
    },
    trust: trustOf(model),
    commands: commandsOf(model),
    userData: userDataChanges(model),
    policy: {
      known: status.format === "events",
      packs: [...model.policyPacks].map(([pack, it]) => ({ pack, ...it })),
      violations: model.violations.map((it) => ({
        pack: it.pack,
        policy: it.policy,
        level: it.level,
        resource: it.urn === "" ? "" : parseUrn(it.urn).name,
        message: it.message,
      })),
      remediations: model.remediations,
    },
    unknowns: unknownsOf(model, status),
    errors,
    warnings: joined(messages("warning")),
    changes: changed.map((it) => ({
      action: it.action,
      type: it.type,
      name: it.name,
      keys: keysOf(it),
    })),
    drift: [...model.drift].map(([urn, op]) => {
      const { type, name } = parseUrn(urn);
      return { name, type, what: op === "delete" ? "gone" : "changed" };
    }),
  };
}

/** The engine prints one message in many events: a program's stack trace comes line by line. */
function joined(messages: { resource: string; message: string }[]): { resource: string; message: string }[] {
  const result: { resource: string; message: string }[] = [];
  for (const { resource, message } of messages) {
    const last = result[result.length - 1];
    if (last && last.resource === resource && last.message.length < 20_000) {
      last.message += last.message.endsWith("\n") ? message : `\n${message}`;
    } else result.push({ resource, message });
  }
  return result;
}

/** The stack's root and the providers come and go with the rest. */
function isReviewed(type: string): boolean {
  return type !== "pulumi:pulumi:Stack" && !type.startsWith("pulumi:providers:");
}

/** What replaces or changes it. The engine does not compare components, so that is done here. */
function keysOf({ type, action, before, after, replaceKeys, changedKeys }: Resource): string[] {
  if (replaceKeys.length > 0) return replaceKeys;
  if (changedKeys.length > 0 || action !== "update" || !isComponent(type)) return changedKeys;
  return leafChanges(before?.inputs, after?.inputs).map((it) => it.path);
}

/** Our own count, which leaves out the stack's root and the providers, as nobody reviews those. */
function countsOf(model: StackModel): Counts {
  const counts: Counts = { create: 0, update: 0, replace: 0, delete: 0, same: 0, other: 0 };
  for (const { action, type } of model.resources.values()) {
    if (!isReviewed(type)) continue;
    if (action !== "read") counts[countOf(action)]++;
  }
  // Plain preview --json leaves unchanged resources out; its summary knows how many there are.
  if (counts.same === 0) counts.same = model.summary?.changes.same ?? 0;
  return counts;
}

function countOf(action: Exclude<Action, "read">): keyof Counts {
  return action === "import" ? "other" : action;
}

function unknownsOf(model: StackModel, status: ReadStatus): string[] {
  const result: string[] = [];
  if (status.format === "digest") {
    result.push(
      "The input is plain preview --json: results of policy packs are not in it, and unchanged resources only with --show-sames, so exposure and quorum that do not change may be missing here.",
    );
  }
  if (model.summary?.maybeCorrupt) result.push("The engine says that the stack's state may be corrupt.");
  if (model.unknownEvents.size > 0) {
    const kinds = model.unknownEvents.size;
    result.push(`${kinds} kind${kinds === 1 ? "" : "s"} of event are unknown to this version and were passed over.`);
  }
  const expected = model.summary?.changes;
  if (expected) {
    for (const action of ["replace", "delete"] as const) {
      const found = [...model.resources.values()].filter((it) => it.action === action).length;
      const said = expected[action] ?? 0;
      if (said > found)
        result.push(`The engine counts ${said} resources to ${action}, but only ${found} are in the input.`);
    }
  }
  return result;
}

function entryOf(row: ExposureRow, balancers: ReadonlySet<string>): ExposureEntry {
  const { kind, protocol, family, nodes, worldBefore, worldAfter, ssh, unfiltered } = row;
  const all = row.from === 0 && row.to === 65535;
  const port = all ? "all" : row.to === 0 ? "-" : row.from === row.to ? `${row.from}` : `${row.from}-${row.to}`;
  return {
    kind,
    protocol,
    families: [family === "ipv4" ? "IPv4" : "IPv6"],
    port,
    nodes,
    before: sourcesText(row.before, worldBefore, balancers),
    after: sourcesText(row.after, worldAfter, balancers),
    worldBefore,
    worldAfter,
    ssh,
    unfiltered,
  };
}

function sourcesText(set: SourceSet, world: boolean, balancers: ReadonlySet<string>): string {
  const unknown = set.unknown ? ["unknown"] : [];
  if (set.networks.length === 0) return set.unknown ? "unknown" : "closed";
  if (world && set.networks.some((network) => network.endsWith("/0"))) return ["anywhere", ...unknown].join(" and ");
  const shown = set.networks
    .slice(0, MAX_NETWORKS)
    .map((network) => (balancers.has(network) ? `${network} (the load balancer)` : network));
  const more = set.networks.length - shown.length;
  return [...shown, ...(more > 0 ? [`${more} more networks`] : []), ...unknown].join(", ");
}

/** One row for both families where they read the same. */
function mergeFamilies(entries: ExposureEntry[]): ExposureEntry[] {
  const rows = new Map<string, ExposureEntry>();
  for (const entry of entries) {
    const { families: _, ...rest } = entry;
    const key = JSON.stringify(rest);
    const known = rows.get(key);
    if (known) known.families = [...new Set([...known.families, ...entry.families])].sort();
    else rows.set(key, entry);
  }
  return [...rows.values()];
}

/** Every string of the report through the redactor: there is no other way for text to get into a report. */
function sanitize(report: Report, redactor: Redactor): Report {
  const visit = (value: unknown, key: string): unknown => {
    if (typeof value === "string") {
      return key === "message" ? clip(redactor.block(value).trim(), MAX_MESSAGE) : clip(redactor.line(value), MAX_LINE);
    }
    if (Array.isArray(value)) return value.map((item) => visit(item, key));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, visit(inner, name)]));
  };
  return visit(report, "") as Report;
}

function clip(text: string, length: number): string {
  if (text.length <= length) return text;
  // Never through the middle of a character.
  return `${text.slice(0, length).replace(/[\uD800-\uDBFF]$/, "")}…`;
}
