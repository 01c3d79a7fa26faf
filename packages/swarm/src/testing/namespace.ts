/** Scratch network namespaces for tests against the real kernel. Needs root; everything made is gone after `remove`. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";

let made = 0;

/** Why live tests cannot run here, or undefined when they can. */
export function liveTestsBlockedBy(...tools: readonly string[]): string | undefined {
  if (process.getuid?.() !== 0) return "not root";
  for (const tool of ["ip", "iptables-nft", "ip6tables-nft", "iptables-nft-restore", "ipset", ...tools]) {
    try {
      execFileSync("sh", ["-c", 'command -v "$1"', "sh", tool], { stdio: "ignore" });
    } catch {
      return `${tool} is not installed`;
    }
  }
  const probe = `hcfw-${process.pid}-probe`;
  try {
    execFileSync("ip", ["netns", "add", probe], { stdio: "ignore" });
    execFileSync("ip", ["netns", "exec", probe, "iptables-nft", "-S"], { stdio: "ignore" });
    execFileSync("ip", ["netns", "exec", probe, "ipset", "list"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "no network namespaces with nf_tables and ipset here";
  } finally {
    try {
      execFileSync("ip", ["netns", "delete", probe], { stdio: "ignore" });
    } catch {
      // It was never made.
    }
  }
}

export class Namespace {
  readonly name = `hcfw-${process.pid}-${++made}`;
  #prober: ChildProcessWithoutNullStreams | undefined;
  readonly #waiting = new Map<number, (answer: string) => void>();
  #commands = 0;

  constructor() {
    execFileSync("ip", ["netns", "add", this.name]);
    this.run("ip", "link", "set", "lo", "up");
  }

  /** Output of a command inside; throws with its errors. */
  run(command: string, ...args: readonly string[]): string {
    return this.feed("", command, ...args);
  }

  feed(input: string, command: string, ...args: readonly string[]): string {
    return execFileSync("ip", ["netns", "exec", this.name, command, ...args], {
      input,
      encoding: "utf8",
      maxBuffer: 2 ** 26,
      stdio: "pipe",
    });
  }

  /** Several lines of `ip`, without the word. */
  ip(lines: string): void {
    this.feed(lines, "ip", "-batch", "-");
  }

  /** Tells the prober of this namespace to do something; see prober.mjs. */
  ask(command: string, options: Readonly<Record<string, unknown>>): Promise<string> {
    const prober = this.#start();
    const id = ++this.#commands;
    prober.stdin.write(`${JSON.stringify({ id, command, ...options })}\n`);
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  remove(): void {
    this.#prober?.kill("SIGKILL");
    execFileSync("ip", ["netns", "delete", this.name]);
  }

  #start(): ChildProcessWithoutNullStreams {
    if (this.#prober !== undefined) return this.#prober;
    const prober = spawn("ip", ["netns", "exec", this.name, process.execPath, `${__dirname}/prober.mjs`]);
    createInterface({ input: prober.stdout }).on("line", (line) => {
      const { id, answer } = JSON.parse(line) as { id: number; answer: string };
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
    prober.stderr.pipe(process.stderr);
    this.#prober = prober;
    return prober;
  }
}

/** Content of a section of a bundle. */
export function sectionOf(bundle: string, name: string): string {
  const [, body = ""] = bundle.split(`### ${name}\n`);
  return body.split(/^### /m)[0] ?? "";
}

/** Loads a bundle as the host agent does: sets, then both families, each tested first; then the jumps. */
export function load(namespace: Namespace, bundle: string, peers: readonly string[] = []): void {
  for (const [name, family] of [
    ["hc-peers4", "inet"],
    ["hc-peers6", "inet6"],
  ] as const) {
    namespace.run("ipset", "create", "-exist", name, "hash:ip", "family", family);
    for (const peer of peers)
      if (peer.includes(":") === (family === "inet6")) namespace.run("ipset", "add", "-exist", name, peer);
  }
  namespace.feed(sectionOf(bundle, "sets"), "ipset", "restore", "-exist");
  for (const family of ["iptables", "ip6tables"])
    namespace.feed(sectionOf(bundle, family), `${family}-nft-restore`, "--noflush", "--test");
  for (const family of ["iptables", "ip6tables"])
    namespace.feed(sectionOf(bundle, family), `${family}-nft-restore`, "--noflush");
}

/** Puts every hook of a bundle in place, as the first rule of its chain. */
export function hook(namespace: Namespace, bundle: string): void {
  for (const family of ["iptables-nft", "ip6tables-nft"]) {
    namespace.run("sh", "-c", `${family} -N DOCKER-USER 2>/dev/null || true`);
    for (const line of sectionOf(bundle, "hooks").trim().split("\n")) {
      const [table = "", chain = "", target = ""] = line.split(" ");
      namespace.run(family, "-t", table, "-I", chain, "1", "-j", target);
    }
  }
}

/** Our rules as the kernel gives them back, chain by chain in the bundle's order. */
export function printed(namespace: Namespace, bundle: string, family: "iptables" | "ip6tables"): string {
  const lines: string[] = [];
  let table = "";
  for (const line of sectionOf(bundle, family).split("\n")) {
    if (line.startsWith("*")) table = line.slice(1);
    if (!line.startsWith(":")) continue;
    const chain = line.slice(1).split(" ")[0] ?? "";
    const rules = namespace.run(`${family}-nft`, "-t", table, "-S", chain).split("\n");
    lines.push(...rules.filter((rule) => rule.startsWith("-A ")));
  }
  return lines.join("\n");
}
