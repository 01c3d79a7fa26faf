/** The stack's state as Pulumi wrote it down, asked of Pulumi itself: a program does not see what an earlier deployment began. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import * as pulumi from "@pulumi/pulumi";
import { type StackState, stateSchema } from "./state";

export interface StackName {
  readonly organization: string;
  readonly project: string;
  readonly stack: string;
  /** Where the project is; unknown to a component that is used from another language. */
  readonly directory: string | undefined;
}

export function thisStack(): StackName {
  return {
    organization: pulumi.getOrganization(),
    project: pulumi.getProject(),
    stack: pulumi.getStack(),
    directory: pulumi.getRootDirectory(),
  };
}

const megabyte = 1024 * 1024;
const seconds = 1000;

/**
 * Asks once, when it is needed: what an earlier deployment noted does not change in this one, and what this one makes is not looked
 * for. Secrets in it stay encrypted.
 * @throws Error where Pulumi cannot be asked
 */
export function stackStates(name: StackName): () => Promise<StackState> {
  let asked: Promise<StackState> | undefined;
  return () => {
    asked ??= ask(name);
    return asked;
  };
}

async function ask({ organization, project, stack, directory }: StackName): Promise<StackState> {
  const args = ["stack", "export", "--stack", `${organization}/${project}/${stack}`, "--non-interactive"];
  const options = {
    ...(directory ? { cwd: directory } : {}),
    env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" },
    maxBuffer: 512 * megabyte,
    timeout: 60 * seconds,
  };
  for (let left = 4; ; left -= 1) {
    try {
      const { stdout } = await promisify(execFile)("pulumi", args, options);
      return stateSchema.parse(JSON.parse(stdout));
    } catch {
      // A state in a file is half there while this deployment writes it. The cause may quote it.
      if (left === 0) throw new Error("'pulumi stack export' failed");
      await new Promise((resolve) => setTimeout(resolve, 1 * seconds));
    }
  }
}
