/**
 * The hcloud API of a region. `createApi` gives two Fastify apps that the daemon listens with: the API itself (paths
 * start with `/v1`) and the metadata service. All state is one text in a `Store`; machines and networks are behind
 * `Backend`.
 */
import type { FastifyInstance } from "fastify";
import type { Backend } from "../backend.js";
import { createApp, type Exchange } from "./app.js";
import type { Context } from "./context.js";
import { createEngine } from "./engine.js";
import { clearFaults, setFault } from "./faults.js";
import { createFirewallSync } from "./firewallSync.js";
import { createLoadBalancerSync } from "./loadBalancerSync.js";
import { observePower } from "./machines.js";
import { byHeaders, bySource, createMetadataApp, findServerByAddress } from "./metadata.js";
import { type ResumeProblem, resume } from "./resume.js";
import { parseState, printState, type Server, type State } from "./state.js";
import type { Store } from "./store.js";

export type { Exchange } from "./app.js";
export { ApiError } from "./errors.js";
export type { ResumeProblem } from "./resume.js";
export type { State } from "./state.js";
export { fileStore, memoryStore, type Store } from "./store.js";

export interface ApiOptions {
  readonly backend: Backend;
  /** Read once, at creation: throws when it holds a text that is no state. */
  readonly store: Store;
  /** The one token that the API accepts; hcloud's have 64 characters. */
  readonly token: string;
  /** Default: the system's clock. */
  readonly clock?: () => Date;
  /** Called with every request and its answer, refused ones included, before the answer is sent. */
  readonly onExchange?: (exchange: Exchange) => void;
}

export interface Api {
  /** The hcloud API; not listening yet. */
  readonly app: FastifyInstance;
  /** The metadata service, for 169.254.169.254:80 where the servers reach it. */
  readonly metadata: FastifyInstance;
  /** The same for servers inside Networks: who asks is in the headers that `ASKING` names, set by the Network's worker. */
  readonly networkMetadata: FastifyInstance;
  /** The current state. Read only. */
  state(): State;
  /** The whole state as text, for a checkpoint. Call {@link Api.observe} before it to have guests that shut down as off. */
  snapshot(): string;
  /**
   * Puts a {@link Api.snapshot} in place of the current state, faults included. Call it when no request runs, then
   * {@link Api.resume}; machines and Networks that the restored state does not know are the caller's to remove first. Throws an Error that says what is wrong with a text that is no state.
   */
  restore(text: string): void;
  /**
   * Makes the backend what the state says: Networks, machines, firewalls, power. Call it once before listening and after
   * each restore. Returns what could not be brought back.
   */
  resume(): Promise<ResumeProblem[]>;
  /** Reads the power states of all machines into the state. */
  observe(): Promise<void>;
  /** Resolves when no action has work left on the backend. */
  idle(): Promise<void>;
  /** The server that has this public, link-local or private address. */
  findServerByAddress(address: string, networkId?: number): Server | undefined;
  /** Adds a fault, see {@link setFault}; the argument is untrusted. */
  setFault(fault: unknown): void;
  clearFaults(): void;
}

export function createApi({ backend, store, token, clock = () => new Date(), onExchange }: ApiOptions): Api {
  const engine = createEngine({ store, clock });
  const firewalls = createFirewallSync(engine, backend);
  const balancers = createLoadBalancerSync(engine, backend);
  const context: Context = { engine, backend, firewalls, balancers };
  return {
    app: createApp({ context, token, clock, onExchange }),
    metadata: createMetadataApp(engine, bySource),
    networkMetadata: createMetadataApp(engine, byHeaders),
    state: () => engine.state,
    snapshot: () => printState(engine.state),
    restore: (text) => {
      const restored = parseState(text);
      // As in the real cloud no id comes again: a disk that a checkpoint keeps is never taken for another resource's.
      engine.replace({ ...restored, nextId: Math.max(restored.nextId, engine.state.nextId) });
      balancers.forgetAll();
    },
    resume: () => resume(context),
    observe: () => observePower(context),
    idle: () => engine.idle(),
    findServerByAddress: (address, networkId) => findServerByAddress(engine.state, address, networkId),
    setFault: (fault) => setFault(engine, fault),
    clearFaults: () => clearFaults(engine),
  };
}
