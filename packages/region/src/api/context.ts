/** What the routes work with. */
import type { Backend } from "../backend.js";
import type { Engine } from "./engine.js";
import type { FirewallSync } from "./firewallSync.js";
import type { LoadBalancerSync } from "./loadBalancerSync.js";

export interface Context {
  readonly engine: Engine;
  readonly backend: Backend;
  readonly firewalls: FirewallSync;
  readonly balancers: LoadBalancerSync;
}

export const serverKey = (id: number) => `server:${id}`;
export const loadBalancerKey = (id: number) => `load_balancer:${id}`;
export const volumeKey = (id: number) => `volume:${id}`;
export const networkKey = (id: number) => `network:${id}`;
