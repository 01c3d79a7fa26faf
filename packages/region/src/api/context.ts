/** What the routes work with. */
import type { Backend } from "../backend.js";
import type { Engine } from "./engine.js";
import type { FirewallSync } from "./firewallSync.js";

export interface Context {
  readonly engine: Engine;
  readonly backend: Backend;
  readonly firewalls: FirewallSync;
}

export const serverKey = (id: number) => `server:${id}`;
export const networkKey = (id: number) => `network:${id}`;
