/** QEMU's monitor (QMP) and guest agent, both JSON lines over a Unix socket. */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

interface Message {
  readonly return?: unknown;
  readonly error?: { readonly class?: string; readonly desc?: string };
  readonly event?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly QMP?: unknown;
}

export type EventListener = (event: string, data: Readonly<Record<string, unknown>>) => void;

/** Connects to a socket that may not be there yet; gives up when `alive` says no, or after `timeout` ms. */
async function connectPatiently(path: string, timeout: number, alive: () => boolean): Promise<Socket> {
  const deadline = Date.now() + timeout;
  for (;;) {
    try {
      return await new Promise<Socket>((resolve, reject) => {
        const socket = connect(path);
        socket.once("connect", () => resolve(socket));
        socket.once("error", reject);
      });
    } catch (error) {
      if (!alive() || Date.now() > deadline) throw error;
      await sleep(20);
    }
  }
}

export class Qmp {
  readonly #socket: Socket;
  readonly #pending: Pending[] = [];
  readonly #listeners = new Set<EventListener>();
  #rest = "";
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("utf8");
    socket.on("data", (text) => this.#receive(String(text)));
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#closed = true;
      for (const { reject } of this.#pending.splice(0)) reject(new Error("the machine has gone"));
    });
  }

  static async connect(path: string, alive: () => boolean, timeout = 20_000): Promise<Qmp> {
    const qmp = new Qmp(await connectPatiently(path, timeout, alive));
    await qmp.execute("qmp_capabilities");
    return qmp;
  }

  onEvent(listener: EventListener): void {
    this.#listeners.add(listener);
  }

  /** Runs a command. Rejects with QEMU's own words, or when no answer came within `timeout` ms (default 60 s). */
  async execute(command: string, args?: Readonly<Record<string, unknown>>, timeout = 60_000): Promise<unknown> {
    if (this.#closed) throw new Error("the machine has gone");
    const answer = new Promise<unknown>((resolve, reject) => this.#pending.push({ resolve, reject }));
    this.#socket.write(`${JSON.stringify({ execute: command, ...(args ? { arguments: args } : {}) })}\n`);
    const timer = setTimeout(() => this.#socket.destroy(new Error("timeout")), timeout);
    try {
      return await answer;
    } catch (error) {
      throw new Error(`${command}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Runs a line of the human monitor; it prints nothing when all is well, and errors as text. */
  async human(line: string, timeout?: number): Promise<void> {
    const printed = await this.execute("human-monitor-command", { "command-line": line }, timeout);
    if (typeof printed === "string" && printed.trim() !== "") throw new Error(`${line}: ${printed.trim()}`);
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.trim() === "") continue;
      const message = JSON.parse(line) as Message;
      if (message.event !== undefined) {
        for (const listener of this.#listeners) listener(message.event, message.data ?? {});
      } else if (message.error) {
        this.#pending.shift()?.reject(new Error(message.error.desc ?? "failed"));
      } else if (message.QMP === undefined) {
        this.#pending.shift()?.resolve(message.return);
      }
    }
  }
}

/**
 * Asks the guest agent. Resolves with its answer; `undefined` when it does not answer within `timeout` ms, as it does
 * not before it has started, or when the guest has none.
 */
export async function askAgent(
  path: string,
  command: string,
  args?: Readonly<Record<string, unknown>>,
  timeout = 3_000,
): Promise<unknown> {
  const socket = connect(path);
  const id = Math.floor(Math.random() * 2 ** 31);
  try {
    return await new Promise<unknown>((resolve) => {
      const timer = setTimeout(() => resolve(undefined), timeout);
      const finish = (answer: unknown) => {
        clearTimeout(timer);
        resolve(answer);
      };
      let received = "";
      let synced = false;
      socket.setEncoding("utf8");
      socket.on("error", () => finish(undefined));
      socket.on("close", () => finish(undefined));
      socket.on("data", (text) => {
        received += String(text).replaceAll("\u00ff", "");
        const lines = received.split("\n");
        received = lines.pop() ?? "";
        for (const line of lines) {
          let message: Message;
          try {
            message = JSON.parse(line) as Message;
          } catch {
            continue;
          }
          if (synced) {
            finish(message.error ? undefined : (message.return ?? {}));
          } else if (message.return === id) {
            synced = true;
            socket.write(`${JSON.stringify({ execute: command, ...(args ? { arguments: args } : {}) })}\n`);
          }
        }
      });
      // What an earlier client left unread comes first: the sync tells it from our answer.
      socket.write(`${JSON.stringify({ execute: "guest-sync", arguments: { id } })}\n`);
    });
  } finally {
    socket.destroy();
  }
}
