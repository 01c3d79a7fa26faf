import { join } from "node:path";
import { execa, type Options, type Result } from "execa";
import { root } from "./paths.js";

const cli = join(root, "packages/region/bin/region.mjs");

/** A running region, driven through its command line as a user would. */
export interface Region {
  readonly name: string;
  /** Runs a command where the virtual machines can be reached: an outside machine, to them. Rejects when it fails. */
  exec<T extends Options>(command: string, args: readonly string[], options?: T): ReturnType<typeof execa<T>>;
  /** Runs one of the region's own commands and gives its standard output. */
  command(...args: string[]): Promise<string>;
}

/** The region of that name, whether it runs or not. */
export function region(name: string): Region {
  return {
    name,
    exec<T extends Options>(command: string, args: readonly string[], options?: T) {
      const all = [cli, "exec", "--name", name, "--", command, ...args];
      return execa(process.execPath, all, options as T);
    },
    async command(...args) {
      const [verb = "status", ...rest] = args;
      const nested = verb === "checkpoint" || verb === "images" ? rest.splice(0, 1) : [];
      const run = await execa(process.execPath, [cli, verb, ...nested, "--name", name, ...rest]);
      return String(run.stdout);
    },
  };
}

/** Starts the region (a running one is left as it is); what it says goes to `log`. */
export async function startRegion(name: string, log: (line: string) => void, ...flags: string[]): Promise<Region> {
  const child = execa(process.execPath, [cli, "start", "--name", name, ...flags], { all: true, buffer: true });
  for await (const line of child.iterable({ from: "all" })) log(String(line));
  await child;
  return region(name);
}

/**
 * What each machine of the region wrote on its console last, for when one does not answer: the machines, and their logs with
 * them, are gone a moment later. Never rejects, for it is called where something failed already.
 */
export async function consoleTails(region: Region, lines = 15): Promise<string> {
  try {
    const machines = [...(await region.command("status")).matchAll(/^server (\d+) .*$/gm)];
    const tails = await Promise.all(
      machines.map(async ([line, id = ""]) => {
        const text = await region.command("console", id).catch((error: unknown) => `no console: ${String(error)}`);
        return [`--- ${line}`, ...text.trimEnd().split("\n").slice(-lines)].join("\n");
      }),
    );
    return tails.join("\n");
  } catch (error) {
    return `the region tells nothing of its machines: ${String(error)}`;
  }
}

export type ExecResult = Result;
