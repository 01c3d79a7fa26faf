/** Gates: what may stop CI, each with an exit code of its own. */
import type { ExposureEntry, Report } from "../report/report.js";
import { matches, type Waiver, type WaiverState, waiverState } from "./waivers.js";

/** Name, exit code and meaning; the order is the order in which the first one that fires gives the exit code. */
export const GATES = [
  ["delete-server", 10, "a server is deleted"],
  ["replace-server", 11, "a server is replaced"],
  ["ssh-world", 12, "SSH opens to the world"],
  ["world-open", 13, "a port opens to the world (SSH and ping aside)"],
  ["docker-ports", 14, "2375, 2376, 2377, 4789 or 7946 opens to anybody"],
  ["unknown-exposure", 15, "exposure changes and cannot be told before the update"],
  ["quorum", 16, "managers lose their quorum during the update, or a part of their fault tolerance"],
  ["reboot", 17, "a server is powered off or restarted"],
  ["data-loss", 18, "a volume, address, network or the like is deleted or replaced"],
  ["lost-protection", 19, "a resource loses its protection"],
  ["trust", 20, "SSH keys, host keys, images, Docker or the API's address change"],
  ["policy", 21, "a mandatory policy of a policy pack is violated"],
] as const;

export type GateName = (typeof GATES)[number][0];

/** Exit codes that come without a gate. */
export const EXIT = { ok: 0, internal: 1, usage: 2, incomplete: 3, failed: 4, waivers: 5, comment: 6 } as const;
/** What they say, in the order in which they are documented. */
export const EXIT_MEANINGS: readonly (readonly [number, string])[] = [
  [EXIT.ok, "no gate fired"],
  [EXIT.internal, "internal error"],
  [EXIT.usage, "usage, or a file that cannot be read"],
  [EXIT.incomplete, "the input is cut off or unreadable; the report shows what was read"],
  [EXIT.failed, "the preview itself failed"],
  [EXIT.waivers, "a waivers file that is wrong, or a waiver without its reason or date"],
  [EXIT.comment, "GitHub refused the comment for now, or could not be reached"],
];

export interface Finding {
  subject: string;
  what: string;
}

export interface GateResult {
  gate: GateName;
  exitCode: number;
  /** Findings that no waiver covers. The gate fires when there is one. */
  open: Finding[];
  waived: (Finding & { reason: string; expires: string })[];
}

export interface GateOutcome {
  results: GateResult[];
  /** Waivers that do not count, and why. */
  rejected: { waiver: Waiver; why: string }[];
  exitCode: number;
}

export function isGateName(name: string): name is GateName {
  return GATES.some(([gate]) => gate === name);
}

/** @param today `YYYY-MM-DD` in UTC; a waiver counts through the day on which it expires. */
export function evaluateGates(
  report: Report,
  failOn: readonly GateName[],
  waivers: readonly Waiver[],
  today: string,
): GateOutcome {
  const states = waivers.map((waiver): [Waiver, WaiverState] => [waiver, waiverState(waiver, today)]);
  const valid = states.filter(([, state]) => state.counts).map(([waiver]) => waiver);
  const results = GATES.filter(([gate]) => failOn.includes(gate)).map(([gate, exitCode]): GateResult => {
    const open: Finding[] = [];
    const waived: GateResult["waived"] = [];
    for (const finding of findings(gate, report)) {
      const waiver = valid.find((it) => it.gate === gate && matches(it, finding.subject));
      if (waiver) waived.push({ ...finding, reason: waiver.reason ?? "", expires: waiver.expires ?? "" });
      else open.push(finding);
    }
    return { gate, exitCode, open, waived };
  });
  const rejected = states.flatMap(([waiver, state]) => (state.counts ? [] : [{ waiver, why: state.why }]));
  const fired = results.find((it) => it.open.length > 0);
  const wrong = states.some(([, state]) => !state.counts && state.wrong);
  const own =
    report.status === "incomplete"
      ? EXIT.incomplete
      : report.status === "failed"
        ? EXIT.failed
        : wrong
          ? EXIT.waivers
          : EXIT.ok;
  // A gate that fires on half a preview fires on the whole; that it does not fire says nothing.
  return { results, rejected, exitCode: fired?.exitCode ?? own };
}

const DOCKER_PORTS = [2375, 2376, 2377, 4789, 7946];

function findings(gate: GateName, report: Report): Finding[] {
  const { changes, doubts } = report.exposure;
  switch (gate) {
    case "delete-server":
    case "replace-server":
    case "quorum":
    case "reboot":
    case "data-loss":
    case "lost-protection":
      return report.danger
        .filter((it) => it.kind === gate)
        .flatMap((it) => it.subjects.map((subject) => ({ subject, what: it.what })));
    case "ssh-world":
      return changes.filter((it) => newlyWorld(it) && (it.ssh || it.unfiltered)).flatMap(exposureFindings);
    case "world-open":
      return changes
        .filter((it) => newlyWorld(it) && it.protocol !== "icmp" && !(it.ssh && /^\d+$/.test(it.port)))
        .flatMap(exposureFindings);
    case "docker-ports":
      return (
        changes
          .filter((it) => ["opens", "widens", "changes", "unknown"].includes(it.kind) && holds(it, DOCKER_PORTS))
          // A host of which nothing is known is another gate's.
          .filter((it) => it.kind !== "unknown" || it.port !== "all")
          .flatMap(exposureFindings)
      );
    case "unknown-exposure":
      return [
        ...changes.filter((it) => it.kind === "unknown").flatMap(exposureFindings),
        ...doubts.filter((it) => it.changed).flatMap((it) => it.nodes.map((subject) => ({ subject, what: it.doubt }))),
      ];
    case "trust":
      // What a new server is made of is shown, but is no change of what is trusted already.
      return report.trust
        .filter((it) => it.kind !== "image" || it.before !== "none")
        .flatMap((it) => it.subjects.map((subject) => ({ subject, what: `${it.kind}: ${it.what}` })));
    case "policy":
      return report.policy.violations
        .filter((it) => it.level === "mandatory")
        .map((it) => ({ subject: it.resource, what: `${it.pack}: ${it.policy}` }));
  }
}

/** Whether a change opens something to the world that was not. */
export function newlyWorld(entry: ExposureEntry): boolean {
  return entry.worldAfter && !entry.worldBefore;
}

function holds(entry: ExposureEntry, ports: readonly number[]): boolean {
  if (entry.port === "all") return true;
  const [from = 0, to = from] = entry.port.split("-").map(Number);
  return ports.some((port) => from <= port && port <= to);
}

function exposureFindings(entry: ExposureEntry): Finding[] {
  const what = `${entry.protocol}/${entry.port} ${entry.families.join(" and ")}: ${entry.before} to ${entry.after}`;
  return entry.nodes.map((subject) => ({ subject, what }));
}
