/** Brings the Load Balancers of the backend to what the state says, and keeps them there as servers come, go and change. */
import { isDeepStrictEqual } from "node:util";
import type { Backend, LoadBalancerSpec, TargetHealth } from "../backend.js";
import { loadBalancerKey, networkKey } from "./context.js";
import type { Engine } from "./engine.js";
import { messageOf } from "./errors.js";
import { loadBalancerSpec } from "./loadBalancers.js";
import { isLocked } from "./state.js";

export interface LoadBalancerSync {
  /** Makes the Load Balancer as the state has it. From then on it follows every change of the state. */
  bring(id: number): Promise<void>;
  remove(id: number): Promise<void>;
  /** Forgets all: the backend has none of them. */
  forgetAll(): void;
  /** Asks all health checks for what they found, see {@link LoadBalancerSync.health}. */
  observe(): Promise<void>;
  /** What the checks of this Load Balancer had found at the last {@link LoadBalancerSync.observe}. */
  health(id: number): readonly TargetHealth[];
}

export function createLoadBalancerSync(engine: Engine, backend: Backend): LoadBalancerSync {
  const applied = new Map<number, LoadBalancerSpec>();
  const found = new Map<number, readonly TargetHealth[]>();

  function wanted(id: number): LoadBalancerSpec | undefined {
    const balancer = engine.state.loadBalancers.find((item) => item.id === id);
    return balancer && loadBalancerSpec(engine.state, balancer);
  }

  async function bring(id: number): Promise<void> {
    const spec = wanted(id);
    if (spec === undefined || isDeepStrictEqual(applied.get(id), spec)) return;
    for (const { networkId } of spec.privateInterfaces) await engine.idle(networkKey(networkId));
    await backend.putLoadBalancer(spec);
    applied.set(id, spec);
  }

  engine.onChange(() => {
    for (const [id, spec] of applied) {
      // An action brings it there itself, and its end is a change too.
      if (isLocked(engine.state, "load_balancer", id) || isDeepStrictEqual(wanted(id) ?? spec, spec)) continue;
      engine
        .exclusive(loadBalancerKey(id), () => bring(id))
        .catch((error: unknown) => console.error(`load balancer ${id}: ${messageOf(error)}`));
    }
  });

  return {
    bring,
    async remove(id) {
      applied.delete(id);
      found.delete(id);
      await backend.deleteLoadBalancer(id);
    },
    forgetAll: () => applied.clear(),
    async observe() {
      await Promise.all(
        [...applied.keys()].map(async (id) => found.set(id, await backend.targetHealth(id).catch(() => []))),
      );
    },
    health: (id) => found.get(id) ?? [],
  };
}
