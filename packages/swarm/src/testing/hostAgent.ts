/** The host agent of this source on a host that is a network namespace, for tests that need no more of it than `apply`. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { agentScript } from "../host/agentSources";
import type { Namespace } from "./namespace";

/** What it needs beside the tools that every live test does. */
export const agentTools = ["ip6tables-nft-restore", "conntrack", "flock"] as const;

export class HostAgent {
  readonly #home = mkdtempSync(join(tmpdir(), "agent-"));
  readonly #namespace: Namespace;

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
    writeFileSync(join(this.#home, "agent.sh"), agentScript);
  }

  /** Throws with what the agent said when it does not apply the bundle. */
  apply(bundle: string): void {
    const root = `HC_ROOT=${join(this.#home, "root")}`;
    this.#namespace.feed(bundle, "env", root, "sh", join(this.#home, "agent.sh"), "apply");
  }

  remove(): void {
    rmSync(this.#home, { recursive: true, force: true });
  }
}
