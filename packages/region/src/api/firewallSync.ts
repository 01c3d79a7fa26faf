/** Brings the packet filters of the machines to what the state says. */
import { isDeepStrictEqual } from "node:util";
import type { Backend, FirewallRule } from "../backend.js";
import type { Engine } from "./engine.js";
import { effectiveRules } from "./firewalls.js";

export interface FirewallSync {
  /** Applies the current rules of one server whose machine exists; later calls wait for earlier ones. */
  bring(serverId: number): Promise<void>;
  /** Applies the rules of all servers whose machines exist and whose rules have changed. Rejects with the first error. */
  settle(): Promise<void>;
  /** Forgets what was applied to a server: its machine is gone, or new and open. */
  forget(serverId: number): void;
}

interface Applied {
  readonly rules: FirewallRule[] | undefined;
}

export function createFirewallSync(engine: Engine, backend: Backend): FirewallSync {
  const applied = new Map<number, Applied>();
  const tails = new Map<number, Promise<void>>();

  async function apply(serverId: number): Promise<void> {
    const server = engine.state.servers.find((item) => item.id === serverId);
    if (!server?.provisioned) return;
    const rules = effectiveRules(engine.state, server);
    const last = applied.get(serverId);
    if (last && isDeepStrictEqual(last.rules, rules)) return;
    applied.delete(serverId);
    await backend.setFirewall(serverId, rules);
    applied.set(serverId, { rules });
  }

  function bring(serverId: number): Promise<void> {
    const tail = (tails.get(serverId) ?? Promise.resolve()).then(() => apply(serverId));
    const quiet = tail.catch(() => undefined);
    tails.set(serverId, quiet);
    void quiet.then(() => {
      if (tails.get(serverId) === quiet) tails.delete(serverId);
    });
    return tail;
  }

  return {
    bring,
    async settle() {
      await Promise.all(engine.state.servers.map((server) => bring(server.id)));
    },
    forget(serverId) {
      applied.delete(serverId);
    },
  };
}
