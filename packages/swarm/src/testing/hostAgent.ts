/** The host agent of this source on a host that is a network namespace, for tests that need no more of it than `apply`. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Namespace } from "./namespace";

/** What it needs beside the tools that every live test does. */
export const agentTools = ["ip6tables-nft-restore", "conntrack", "flock"] as const;

export class HostAgent {
  readonly #home = mkdtempSync(join(tmpdir(), "agent-"));
  readonly #namespace: Namespace;

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
    const folder = join(__dirname, "../host/agent");
    const parts = readdirSync(folder).filter((part) => part.endsWith(".sh"));
    const text = parts.sort().map((part) => readFileSync(join(folder, part), "utf8"));
    writeFileSync(join(this.#home, "agent.sh"), text.join(""));
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
