import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { cacheDir } from "./paths.js";
import type { Region } from "./region.js";

/** A Pulumi stack of one program, kept in a local file backend, whose engine runs where the region can be reached. */
export interface Stack {
  readonly stateDir: string;
  readonly log: string;
  setConfig(key: string, value: string): Promise<void>;
  /** As a secret, and on standard input: neither arguments nor the log have it. */
  setSecret(key: string, value: string): Promise<void>;
  removeConfig(key: string): Promise<void>;
  /** `pulumi up`; every line of its output goes to `onLine`. */
  up(onLine?: (line: string) => void, ...args: string[]): Promise<StackRun>;
  /** `pulumi preview --diff`. */
  previewDiff(...args: string[]): Promise<StackRun>;
  destroy(onLine?: (line: string) => void): Promise<StackRun>;
  outputs(): Promise<unknown>;
  /** Any other command; does not reject on failure. */
  pulumi(...args: string[]): Promise<StackRun>;
}

export interface StackRun {
  readonly exitCode: number;
  /** stdout and stderr as they came. */
  readonly text: string;
  /** SSH connections made while it ran, as the Command stand-in logs them. */
  readonly sshSessions: readonly SshSession[];
}

const sessionSchema = z.looseObject({ host: z.string() });
export type SshSession = z.infer<typeof sessionSchema>;

export interface StackOptions {
  readonly region: Region;
  /** The program's folder. */
  readonly program: string;
  readonly name: string;
  /** Directory of the engine; on PATH already when absent. */
  readonly stateDir?: string;
}

/** Makes the stack when it is not there yet. */
export async function openStack({ region, program, name, stateDir }: StackOptions): Promise<Stack> {
  const state = stateDir ?? cacheDir("stacks", `${region.name}-${name}`);
  mkdirSync(state, { recursive: true });
  const log = join(state, "pulumi.log");
  const sessions = join(state, "ssh-sessions.jsonl");
  const env = {
    PULUMI_BACKEND_URL: `file://${state}`,
    PULUMI_HOME: cacheDir("pulumi-home"),
    // The stack lives on this machine and in test regions only; its secrets guard nothing else.
    PULUMI_CONFIG_PASSPHRASE: "a region's stack",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_SKIP_CONFIRMATIONS: "true",
    HCS_SSH_SESSION_LOG: sessions,
    // With an agent set, the Command provider dials it too and its failure is fatal.
    SSH_AUTH_SOCK: "",
    NO_COLOR: "1",
  };

  const run = async (
    args: readonly string[],
    onLine?: (line: string) => void,
    options: { readonly input?: string } = {},
  ): Promise<StackRun> => {
    const before = readSessions(sessions).length;
    const configured = ["up", "preview", "destroy", "refresh", "config"].includes(args[0] ?? "");
    // The stack's configuration stays with its state; a checkout is nobody's scratch pad.
    const file = configured ? ["--config-file", join(state, "config.yaml")] : [];
    const child = region.exec("pulumi", [...args, ...file, "--stack", name, "--non-interactive", "--color", "never"], {
      cwd: program,
      env,
      all: true,
      reject: false,
      ...options,
    });
    appendFileSync(log, `\n$ pulumi ${args.join(" ")}\n`);
    const lines: string[] = [];
    for await (const line of child.iterable({ from: "all" })) {
      lines.push(String(line));
      appendFileSync(log, `${String(line)}\n`);
      onLine?.(String(line));
    }
    const { exitCode } = await child;
    return { exitCode: exitCode ?? 1, text: lines.join("\n"), sshSessions: readSessions(sessions).slice(before) };
  };
  const must = async (...given: Parameters<typeof run>): Promise<StackRun> => {
    const [args] = given;
    const done = await run(...given);
    if (done.exitCode !== 0)
      throw new Error(`pulumi ${args[0]} ended with ${done.exitCode} (log: ${log})\n${done.text}`);
    return done;
  };

  const selected = await region.exec("pulumi", ["stack", "select", "--create", name, "--non-interactive"], {
    cwd: program,
    env,
    all: true,
    reject: false,
  });
  if (selected.exitCode !== 0) throw new Error(`pulumi stack select: ${String(selected.all)}`);

  return {
    stateDir: state,
    log,
    async setConfig(key, value) {
      await must(["config", "set", key, value]);
    },
    async setSecret(key, value) {
      await must(["config", "set", "--secret", key], undefined, { input: value });
    },
    async removeConfig(key) {
      await must(["config", "rm", key]);
    },
    up: (onLine, ...args) => must(["up", "--yes", "--skip-preview", ...args], onLine),
    previewDiff: (...args) => must(["preview", "--diff", ...args]),
    destroy: (onLine) => must(["destroy", "--yes", "--skip-preview"], onLine),
    async outputs() {
      const done = await must(["stack", "output", "--json", "--show-secrets"]);
      return JSON.parse(done.text);
    },
    pulumi: (...args) => run(args),
  };
}

/** How many SSH sessions a run opened to each host. */
export function sessionsByHost(run: StackRun): Record<string, number> {
  const count: Record<string, number> = {};
  for (const { host } of run.sshSessions) count[host] = (count[host] ?? 0) + 1;
  return count;
}

function readSessions(file: string): SshSession[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return [];
  }
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => sessionSchema.parse(JSON.parse(line)));
}
