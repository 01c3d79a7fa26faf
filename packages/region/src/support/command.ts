/** Running the host's tools: one place for errors that say which command failed and what it printed. */
import { execa } from "execa";

export interface RunOptions {
  /** Text for standard input; default none. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Bound in milliseconds; default 60 s. */
  readonly timeout?: number;
}

/** Runs a program and gives its standard output. Rejects with what it printed when it fails or takes too long. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { input = "", env = {}, timeout = 60_000 } = options;
  const result = await execa(command, args, { input, env, timeout, reject: false });
  if (result.failed) {
    const why = result.timedOut
      ? `did not end within ${timeout / 1000} s`
      : result.stderr.trim() || result.shortMessage;
    throw new Error(`${command} ${args.join(" ")}: ${why}`);
  }
  return result.stdout;
}

/** As {@link run}, for steps whose failure means that there was nothing to do. */
export async function tryRun(command: string, args: readonly string[], options?: RunOptions): Promise<boolean> {
  try {
    await run(command, args, options);
    return true;
  } catch {
    return false;
  }
}
