/**
 * Emulated machines that boot leave the processor to those that are up: a swarm whose machines starve loses its leader, moves its
 * tasks, and is then busier than before.
 */
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";

/** A quarter of the weight of a machine that is up. */
const NICE_WHILE_BOOTING = 6;
const LOOK_MS = 2_000;
/** A machine whose boot does not end is as good as any other after it. */
const PATIENCE_MS = 45 * 60_000;
/** What cloud-init writes at the end of each boot. */
const BOOTED = /Cloud-init v\. \S+ finished at/;

export class BootShare {
  readonly #pid: number;
  readonly #console: string;
  #looking: NodeJS.Timeout | undefined;

  /** `console` is the file that the guest's console goes to. */
  constructor(pid: number, console: string) {
    this.#pid = pid;
    this.#console = console;
  }

  /** From now until its guest says that it has booted. */
  begin(): void {
    clearInterval(this.#looking);
    const from = this.#length();
    const until = Date.now() + PATIENCE_MS;
    setNiceness(this.#pid, NICE_WHILE_BOOTING);
    this.#looking = setInterval(() => {
      if (BOOTED.test(this.#since(from)) || Date.now() > until) this.end();
    }, LOOK_MS);
    this.#looking.unref();
  }

  end(): void {
    this.forget();
    setNiceness(this.#pid, 0);
  }

  /** Its process has ended, and its number may be another one's. */
  forget(): void {
    clearInterval(this.#looking);
  }

  #length(): number {
    return existsSync(this.#console) ? statSync(this.#console).size : 0;
  }

  #since(from: number): string {
    const text = Buffer.alloc(Math.max(0, this.#length() - from));
    if (text.length === 0) return "";
    const file = openSync(this.#console, "r");
    try {
      return text.subarray(0, readSync(file, text, 0, text.length, from)).toString("latin1");
    } finally {
      closeSync(file);
    }
  }
}

/**
 * Of all of a process's threads. Where the kernel groups processes by session, as a desktop's does, niceness counts within a group
 * only, and the group has its own.
 */
function setNiceness(pid: number, niceness: number): void {
  const group = `/proc/${pid}/autogroup`;
  attempt(() => existsSync(group) && writeFileSync(group, String(niceness)));
  attempt(() => {
    for (const thread of readdirSync(`/proc/${pid}/task`)) attempt(() => setPriority(Number(thread), niceness));
  });
}

/** A process or one of its threads may have ended; and where the host does not let us, machines share alike. */
function attempt(change: () => unknown): void {
  try {
    change();
  } catch {
    // Nothing depends on it.
  }
}
