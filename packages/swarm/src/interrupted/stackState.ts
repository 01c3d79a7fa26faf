/** The stack's state as Pulumi wrote it down, asked of Pulumi itself: a program does not see what an earlier deployment began. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type StackState, stateSchema } from "./leftover";

export interface StackName {
  readonly organization: string;
  readonly project: string;
  readonly stack: string;
  /** Where the project is; unknown to a component that is used from another language. */
  readonly directory: string | undefined;
}

const megabyte = 1024 * 1024;
const seconds = 1000;

/** Secrets in it stay encrypted. @throws Error where Pulumi cannot be asked */
export async function stackState({ organization, project, stack, directory }: StackName): Promise<StackState> {
  const args = ["stack", "export", "--stack", `${organization}/${project}/${stack}`, "--non-interactive"];
  try {
    const { stdout } = await promisify(execFile)("pulumi", args, {
      ...(directory ? { cwd: directory } : {}),
      env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" },
      maxBuffer: 512 * megabyte,
      timeout: 120 * seconds,
    });
    return stateSchema.parse(JSON.parse(stdout));
  } catch {
    // The cause may quote the state.
    throw new Error("'pulumi stack export' failed");
  }
}
