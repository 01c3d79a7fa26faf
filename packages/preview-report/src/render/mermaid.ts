/** A picture of what reaches the nodes after the update, small enough for GitHub to draw (it stops at 50,000 characters). */
import type { Report } from "../report/report.js";
import { compressNames } from "./names.js";

const MAX_EDGES = 40;
const MAX_NODES = 24;

/** Undefined where nothing is open or known to be. */
export function mermaid(report: Report): string | undefined {
  const open = [...report.exposure.changes, ...report.exposure.unchanged].filter((it) => it.after !== "closed");
  if (open.length === 0) return undefined;
  const sources = new Map<string, string>();
  const targets = new Map<string, string>();
  const edges = new Map<string, { from: string; to: string; ports: Set<string>; changed: boolean }>();
  let left = 0;
  for (const entry of open) {
    const key = entry.nodes.join("\u0000");
    const nodes = compressNames(entry.nodes);
    const label =
      nodes.length > 3
        ? `${nodes[0]?.text ?? ""} and ${entry.nodes.length - (nodes[0]?.names ?? 0)} more`
        : nodes.map((it) => it.text).join(", ");
    const full = targets.size >= MAX_NODES && !targets.has(key);
    const fullSources = sources.size >= MAX_NODES && !sources.has(entry.after);
    const edgeKey = `${entry.after}\u0000${key}`;
    if (full || fullSources || (edges.size >= MAX_EDGES && !edges.has(edgeKey))) {
      left++;
      continue;
    }
    const to = targets.get(key) ?? `n${targets.size}["${safe(label)}"]`;
    const from = sources.get(entry.after) ?? `s${sources.size}(["${safe(entry.after)}"])`;
    targets.set(key, to);
    sources.set(entry.after, from);
    const edge = edges.get(edgeKey) ?? { from, to, ports: new Set<string>(), changed: false };
    edge.ports.add(entry.port === "-" ? entry.protocol : `${entry.port}/${entry.protocol}`);
    edge.changed ||= entry.kind !== "same";
    edges.set(edgeKey, edge);
  }
  const id = (node: string) => /^[a-z]\d+/.exec(node)?.[0] ?? "x";
  const lines = [...edges.values()].map((edge) => {
    const ports = [...edge.ports];
    const label = ports.length > 8 ? `${ports.slice(0, 8).join(" ")} and ${ports.length - 8} more` : ports.join(" ");
    return `  ${id(edge.from)} ${edge.changed ? "==>" : "-->"}|"${safe(label)}"| ${id(edge.to)}`;
  });
  const note = left > 0 ? [`  more["${left} more not drawn"]`] : [];
  return [
    "flowchart LR",
    ...[...sources.values(), ...targets.values()].map((node) => `  ${node}`),
    ...lines,
    ...note,
  ].join("\n");
}

/** Mermaid reads HTML, entities, links and its own directives in labels: only plain characters stay. */
function safe(text: string): string {
  const plain = text.replace(/[^\p{L}\p{N} ._:/,…-]/gu, "_").replace(/_{2,}/g, "_");
  return plain.length > 60 ? `${plain.slice(0, 59)}…` : plain || "_";
}
