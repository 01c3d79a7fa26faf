/** What can be wrong with a policy or a payload, as data that a caller can print. */

/** One wrong place of a policy. */
export interface PolicyProblem {
  /** Such as `publishedPorts[0].port`. */
  readonly path: string;
  /** What stands there, shortened. */
  readonly given: string;
  /** What may stand there. */
  readonly allowed: string;
}

/** A policy that cannot be compiled, for all nodes or for one. */
export class PolicyError extends Error {
  readonly problems: readonly PolicyProblem[];

  constructor(problems: readonly PolicyProblem[]) {
    super(
      `invalid policy\n${problems.map(({ path, given, allowed }) => `  ${path}: given ${given}; allowed: ${allowed}`).join("\n")}`,
    );
    this.name = "PolicyError";
    this.problems = problems;
  }
}

/** A text that is no payload. `line` counts from 1. */
export class PayloadError extends Error {
  readonly line: number;

  constructor(line: number, reason: string) {
    super(`payload line ${line}: ${reason}`);
    this.name = "PayloadError";
    this.line = line;
  }
}
