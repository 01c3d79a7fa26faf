/**
 * What the host agent commits on its way from one payload to another: its own shell, with stand-ins for iptables and ipset that
 * write down what they are told, and an interpreter of that, which shares no code with the agent. Needs neither root nor iptables.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bundle, networkList } from "../../testing/evaluator";
import { agentScript } from "../agentSources";

type Family = "inet" | "inet6";

/** A host between two commits. */
export interface Step {
  /** What was committed last, for messages. */
  readonly after: string;
  /** Of IPv4 and of IPv6, each with the jumps that are there. */
  readonly bundles: Readonly<Record<Family, Bundle>>;
}

const restore = (version: 4 | 6) => `case "$*" in *--test*) exec cat >/dev/null ;; esac
{ echo "== ${version}"; cat; } >>"$HC_ROOT/log"`;
const standIns: Readonly<Record<string, string>> = {
  "iptables-nft-save": 'cat "$HC_ROOT/live.4"',
  "ip6tables-nft-save": 'cat "$HC_ROOT/live.6"',
  "iptables-nft-restore": restore(4),
  "ip6tables-nft-restore": restore(6),
  ipset: `case "$*" in
  save) cat "$HC_ROOT/live.sets" ;;
  *restore) { echo "== sets"; cat; } >>"$HC_ROOT/log" ;;
esac`,
};
// The old payload is in force, alone; then the new one is loaded.
const program = `${agentScript.replace(/\nmain "\$@"\n$/, "\n")}
WORK=$HC_ROOT/work
split_bundle "$HC_ROOT/old" "$WORK/old"
split_bundle "$HC_ROOT/new" "$WORK/new"
for family in 4 6; do whole_text "$WORK/old" "$family" >"$HC_ROOT/live.$family"; done
{ cat "$WORK/old/sets"; peer_sets; } >"$HC_ROOT/live.sets"
load_rules "$WORK/new"
`;

/** A host to go from payload to payload on; `remove` it at the end. */
export function transitions() {
  const home = mkdtempSync(join(tmpdir(), "transition-"));
  const file = (name: string) => join(home, "root", name);
  mkdirSync(join(home, "bin"));
  for (const [name, body] of Object.entries(standIns))
    writeFileSync(join(home, "bin", name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });

  /** The steps from `old`, which is in force, to `next`; the first one is before anything has changed. */
  const steps = (old: string, next: string, peers: readonly string[]): readonly Step[] => {
    rmSync(join(home, "root"), { recursive: true, force: true });
    for (const folder of ["work", "run/hcloud-iptables", "proc/sys/net/ipv4"])
      mkdirSync(file(folder), { recursive: true });
    writeFileSync(file("old"), old);
    writeFileSync(file("new"), next);
    const env = { ...process.env, HC_ROOT: join(home, "root"), HC_PATH: join(home, "bin") };
    const run = spawnSync("sh", ["-c", program], { encoding: "utf8", env });
    if (run.status !== 0 || run.stderr !== "") throw new Error(`the agent ended with ${run.status}: ${run.stderr}`);
    const host = new Host(peers);
    for (const [kind, name] of [["4", "live.4"] as const, ["6", "live.6"] as const, ["sets", "live.sets"] as const])
      host.read(kind, readFileSync(file(name), "utf8"));
    host.steps.splice(0, host.steps.length, host.step("nothing"));
    const log = existsSync(file("log")) ? readFileSync(file("log"), "utf8") : "";
    for (const part of log.split(/^== /m).slice(1)) {
      const [kind = "", ...lines] = part.split("\n");
      host.read(kind, lines.join("\n"));
    }
    return host.steps;
  };
  return { steps, remove: () => rmSync(home, { recursive: true, force: true }) };
}

/** Chains and sets, and what they were after each commit. */
class Host {
  readonly steps: Step[] = [];
  /** Lines by `family table chain`. */
  #chains = new Map<string, readonly string[]>();
  #sets = new Map<string, readonly string[]>();
  readonly #peers: readonly string[];

  constructor(peers: readonly string[]) {
    this.#peers = peers;
  }

  /** Input of `iptables-restore --noflush` (kind `4` or `6`) or of `ipset restore`. */
  read(kind: string, text: string): void {
    const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    if (kind === "sets") this.#readSets(lines);
    else this.#readTables(kind === "4" ? "inet" : "inet6", lines);
  }

  step(after: string): Step {
    const all = [...this.#sets, ["hc-peers4", this.#of(4)] as const, ["hc-peers6", this.#of(6)] as const];
    const sets = new Map(all.map(([name, elements]) => [name, networkList(elements)]));
    const bundle = (family: Family): Bundle => ({ hooks: this.#hooks(family), sets, chains: this.#chains });
    return { after, bundles: { inet: bundle("inet"), inet6: bundle("inet6") } };
  }

  #of(version: 4 | 6): readonly string[] {
    return this.#peers.filter((peer) => peer.includes(":") === (version === 6));
  }

  /** Whatever chains that are not ours hold: jumps, as `table chain target`. */
  #hooks(family: Family): readonly string[] {
    return [...this.#chains].flatMap(([key, lines]) => {
      const [of, table, chain = ""] = key.split(" ");
      if (of !== family || chain.startsWith("HC-")) return [];
      return lines.map((line) => `${table} ${chain} ${/^-A \S+ -j (\S+)$/.exec(line)?.[1]}`);
    });
  }

  #readSets(lines: readonly string[]): void {
    const content = (name: string) => {
      const found = this.#sets.get(name);
      if (found === undefined) throw new Error(`no set ${name}`);
      return found;
    };
    for (const line of lines) {
      const [word, name = "", value = ""] = line.split(" ");
      if (word === "create") this.#sets.set(name, []);
      else if (word === "add") this.#sets.set(name, [...content(name), value]);
      else if (word === "destroy") this.#sets.delete(name);
      else if (word === "swap") {
        const [one, other] = [content(name), content(value)];
        this.#sets.set(name, other).set(value, one);
        this.steps.push(this.step(line));
      } else throw new Error(`not known here: ${line}`);
    }
  }

  /** A table commits as a whole: its chains are changed in a copy. */
  #readTables(family: Family, lines: readonly string[]): void {
    let table = "";
    let chains = new Map(this.#chains);
    for (const line of lines) {
      const [word = "", chain = "", ...rest] = line.split(" ");
      const key = `${family} ${table} ${chain}`;
      const rules = chains.get(key) ?? [];
      const rule = ["-A", chain, ...rest].join(" ");
      if (word.startsWith("*")) table = word.slice(1);
      else if (word.startsWith(":")) chains.set(`${family} ${table} ${word.slice(1)}`, []);
      else if (word === "COMMIT") {
        this.#chains = chains;
        chains = new Map(chains);
        this.steps.push(this.step(`${family} ${table}`));
      } else if (word === "-A") chains.set(key, [...rules, rule]);
      else if (word === "-I" && rest[0] === "1") chains.set(key, [`-A ${chain} ${rest.slice(1).join(" ")}`, ...rules]);
      else if (word === "-D" && rules.includes(rule)) chains.set(key, rules.toSpliced(rules.indexOf(rule), 1));
      else if (word === "-N" || word === "-F") chains.set(key, []);
      else if (word === "-X") chains.delete(key);
      else throw new Error(`not known here: ${line}`);
    }
  }
}
