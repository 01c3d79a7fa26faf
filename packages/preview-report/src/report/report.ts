/** The report as plain data: every text in it is printable and without secrets. `--format json` prints it as it is. */
import type { DangerKind } from "../model/danger.js";

export type Status = "changes" | "no-changes" | "failed" | "incomplete";

export interface Report {
  version: 1;
  stack: string;
  project: string;
  status: Status;
  /** What was wrong with the input; not empty when `status` is `incomplete`. */
  problems: string[];
  counts: Counts;
  danger: { kind: DangerKind; what: string; subjects: string[] }[];
  quorum: { cluster: string; managersBefore: number | null; managersAfter: number | null; text: string }[];
  exposure: { changes: ExposureEntry[]; unchanged: ExposureEntry[]; doubts: Doubt[] };
  trust: { kind: string; what: string; before: string; after: string; subjects: string[] }[];
  commands: { name: string; what: string; host: "new" | "live" | "local"; keys: string[] }[];
  userData: { subjects: string[]; linesBefore: string; linesAfter: string; sections: string[] }[];
  policy: {
    /** False where the input cannot hold policy results (plain `preview --json`). */
    known: boolean;
    packs: { pack: string; version: string; passed: number; failed: number }[];
    violations: { pack: string; policy: string; level: string; resource: string; message: string }[];
    remediations: number;
  };
  /** What this report cannot know, as sentences. */
  unknowns: string[];
  errors: { resource: string; message: string }[];
  warnings: { resource: string; message: string }[];
  changes: { action: string; type: string; name: string; keys: string[] }[];
  drift: { name: string; type: string; what: string }[];
}

export interface Counts {
  create: number;
  update: number;
  replace: number;
  delete: number;
  same: number;
  other: number;
}

export interface ExposureEntry {
  kind: "opens" | "closes" | "widens" | "narrows" | "changes" | "unknown" | "same";
  protocol: string;
  /** `IPv4`, `IPv6` or both where they change alike. */
  families: string[];
  /** `443`, `8000-8100`, `all`, or `-` for protocols without ports. */
  port: string;
  nodes: string[];
  /** `closed`, `anywhere`, networks, or `unknown`. */
  before: string;
  after: string;
  worldBefore: boolean;
  worldAfter: boolean;
  ssh: boolean;
  unfiltered: boolean;
}

export interface Doubt {
  doubt: string;
  nodes: string[];
  /** True where the change touches it; an old doubt alone stops no gate. */
  changed: boolean;
}
