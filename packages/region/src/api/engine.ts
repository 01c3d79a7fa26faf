/**
 * Applies changes to the state and carries actions out. A change works on a draft: it is kept and saved when the function
 * returns and dropped when it throws, so a refused request leaves no trace. Work on the backend runs one at a time per
 * key (a server, a network), in the order in which it was asked for.
 */
import { finishAction } from "./actions.js";
import { messageOf } from "./errors.js";
import { emptyState, parseState, printState, type State } from "./state.js";
import type { Store } from "./store.js";

export interface Engine {
  /** The current state. Never change it; use {@link Engine.change}. */
  readonly state: State;
  now(): string;
  change<T>(work: (draft: State, now: string) => T): T;
  /** Calls `listener` after every change that was kept. */
  onChange(listener: () => void): void;
  /** Replaces the whole state. Only when {@link Engine.idle} and before a resume. */
  replace(state: State): void;
  /**
   * Runs `job` after all earlier jobs of the same key, then finishes the actions: successful, or failed with the message
   * of the error. The returned promise never rejects.
   */
  run(key: string, actions: readonly number[], job: () => Promise<void>): Promise<void>;
  /** Runs `job` after all earlier jobs of the same key and hands its error on. */
  exclusive(key: string, job: () => Promise<void>): Promise<void>;
  /** Resolves when the jobs of this key that are known now are over; without a key, when there are none left at all. */
  idle(key?: string): Promise<void>;
}

export interface EngineOptions {
  readonly store: Store;
  readonly clock: () => Date;
}

export function createEngine({ store, clock }: EngineOptions): Engine {
  const saved = store.load();
  let state = saved === undefined ? emptyState() : parseState(saved);
  const tails = new Map<string, Promise<void>>();
  const listeners: (() => void)[] = [];
  const now = () => clock().toISOString();

  function change<T>(work: (draft: State, now: string) => T): T {
    const draft = structuredClone(state);
    const result = work(draft, now());
    store.save(printState(draft));
    state = draft;
    for (const listener of listeners) listener();
    return result;
  }

  async function carryOut(actions: readonly number[], job: () => Promise<void>): Promise<void> {
    let error: string | undefined;
    try {
      await job();
    } catch (thrown) {
      error = messageOf(thrown);
    }
    if (actions.length === 0) return;
    change((draft, at) => {
      for (const id of actions) finishAction(draft, at, id, error);
    });
  }

  function inTurn(key: string, job: () => Promise<void>): Promise<void> {
    const turn = (tails.get(key) ?? Promise.resolve()).then(job);
    const tail = turn.catch(() => undefined);
    tails.set(key, tail);
    void tail.then(() => {
      if (tails.get(key) === tail) tails.delete(key);
    });
    return turn;
  }

  return {
    get state() {
      return state;
    },
    now,
    change,
    onChange: (listener) => void listeners.push(listener),
    replace(next) {
      store.save(printState(next));
      state = next;
    },
    run: (key, actions, job) => inTurn(key, () => carryOut(actions, job)),
    exclusive: inTurn,
    async idle(key) {
      if (key !== undefined) await tails.get(key);
      else while (tails.size > 0) await Promise.all(tails.values());
    },
  };
}
