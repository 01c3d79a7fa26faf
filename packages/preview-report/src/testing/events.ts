/** Makes event logs in the engine's form, for tests: what the engine writes, and what nobody should. */

export interface FakeSide {
  inputs?: Record<string, unknown>;
  outputs?: Record<string, unknown>;
  id?: string;
  protect?: boolean;
  retainOnDelete?: boolean;
}

export interface FakeStep {
  op: string;
  type: string;
  name: string;
  parent?: string;
  old?: FakeSide;
  new?: FakeSide;
  keys?: string[];
  diffs?: string[];
  detailedDiff?: Record<string, { diffKind: string; inputDiff: boolean }>;
}

export const UNKNOWN_ID = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export function urnOf(type: string, name: string): string {
  return `urn:pulumi:dev::shop::${type}::${name}`;
}

let sequence = 0;

export function stepEvent(step: FakeStep, kind = "resourcePreEvent"): Record<string, unknown> {
  const urn = urnOf(step.type, step.name);
  const side = (it: FakeSide | undefined) =>
    it && {
      type: step.type,
      urn,
      custom: true,
      id: it.id ?? "",
      parent: step.parent ?? urnOf("pulumi:pulumi:Stack", "shop-dev"),
      inputs: it.inputs ?? {},
      outputs: it.outputs ?? {},
      provider: "",
      ...(it.protect ? { protect: true } : {}),
      ...(it.retainOnDelete ? { retainOnDelete: true } : {}),
    };
  const metadata = {
    op: step.op,
    urn,
    type: step.type,
    old: side(step.old) ?? null,
    new: side(step.new) ?? null,
    detailedDiff: step.detailedDiff ?? null,
    provider: "",
    ...(step.keys ? { keys: step.keys } : {}),
    ...(step.diffs ? { diffs: step.diffs } : {}),
  };
  return { sequence: sequence++, timestamp: 1, [kind]: { metadata, planning: true } };
}

export function diagnostic(message: string, severity = "error", urn = ""): Record<string, unknown> {
  return { sequence: sequence++, timestamp: 1, diagnosticEvent: { urn, message, color: "raw", severity } };
}

export function summary(changes: Record<string, number> = {}): Record<string, unknown>[] {
  return [
    {
      sequence: sequence++,
      timestamp: 1,
      summaryEvent: {
        maybeCorrupt: false,
        durationSeconds: 1,
        resourceChanges: changes,
        PolicyPacks: {},
        isPreview: true,
        result: "succeeded",
      },
    },
    { sequence: sequence++, timestamp: 1, cancelEvent: {} },
  ];
}

/** One JSON a line, in chunks of a size that splits lines and characters. */
export async function* stream(events: readonly unknown[], chunk = 1 << 16): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(
    events.map((event) => `${typeof event === "string" ? event : JSON.stringify(event)}\n`).join(""),
  );
  for (let start = 0; start < bytes.length; start += chunk) yield bytes.subarray(start, start + chunk);
}

export async function* text(value: string): AsyncGenerator<string> {
  yield value;
}

/** A cluster's events: the component, its servers and their steps. */
export function clusterSteps(
  op: string,
  policy: { before?: Record<string, string>; after?: Record<string, string> },
  nodes: Record<string, "manager" | "worker">,
  server: (name: string) => Partial<FakeStep> = () => ({}),
): FakeStep[] {
  const type = "hcloud-swarm:index:SwarmCluster";
  const shown = Object.fromEntries(Object.entries(nodes).map(([name, role]) => [name, { role, pool: role }]));
  const urn = urnOf(type, "prod");
  const create = op === "create";
  const old = (inputs: Record<string, unknown>, id = "1"): { old?: FakeSide } =>
    create ? {} : { old: { inputs, id } };
  return [
    {
      op,
      type,
      name: "prod",
      ...old({ policy: policy.before ?? policy.after, nodes: shown }),
      new: { inputs: { policy: policy.after, nodes: shown } },
    },
    ...Object.keys(nodes).flatMap((name, index): FakeStep[] => {
      const inputs = {
        name: `prod-${name}`,
        serverType: "cx23",
        image: "debian-13",
        location: "fsn1",
        userData: "#cloud-config\nruncmd: [true]\n",
      };
      const bundle = `### hcloud-swarm payload 1\n${Object.keys(policy.after ?? {})
        .map((key) => `-A HC-IN -m comment --comment "${key}" -j ACCEPT`)
        .join("\n")}\n### end\n`;
      return [
        {
          op: create ? "create" : "same",
          type: "hcloud:index/server:Server",
          name: `prod-${name}`,
          parent: urn,
          ...old(inputs, String(index + 1)),
          new: { inputs, id: create ? "" : String(index + 1) },
          ...server(name),
        },
        ...["bootstrap", "policy", "membership"].map(
          (step): FakeStep => ({
            op: create ? "create" : step === "bootstrap" ? "same" : op,
            type: "command:remote:Command",
            name: `prod-${name}-${step}`,
            parent: urn,
            ...old({ create: "sh -s", stdin: bundle }),
            new: { inputs: { create: "sh -s", stdin: bundle } },
            diffs: create ? [] : ["stdin"],
          }),
        ),
      ];
    }),
  ];
}
