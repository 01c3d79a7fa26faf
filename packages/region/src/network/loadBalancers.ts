/**
 * The Load Balancers of a region. Each has a namespace with a public interface to the router and a private one to each
 * Network that it is in, as a server has, and HAProxy in it. HAProxy ends with the daemon, however that ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { LoadBalancerSpec, TargetHealth } from "../backend.js";
import { run, tryRun } from "../support/command.js";
import { writeFileAtomically } from "../support/files.js";
import { haproxyConfig, parseHealth } from "./haproxyConfig.js";
import {
  balancerLink,
  balancerNamespace,
  balancerPrivateLink,
  networkNamespace,
  PUBLIC_GATEWAY,
  routerNamespace,
} from "./names.js";
import { addHostNamespace, inNamespace, ipBatch, removeNamespace } from "./namespaces.js";
import { firstAddress } from "./ranges.js";
import { PRIVATE_MTU } from "./router.js";

const START_MS = 20_000;
const ANSWER_MS = 5_000;
/** Characters of what HAProxy last complained of; it tells of every target that falls ill. */
const KEPT_COMPLAINTS = 2_000;

interface Balancer {
  /** The newest process; undefined when there is nothing to listen on. */
  process: ChildProcess | undefined;
  config: string | undefined;
  /** All that live: older ones still have connections. */
  readonly processes: Set<ChildProcess>;
}

export class LoadBalancers {
  readonly #name: string;
  readonly #directory: string;
  readonly #balancers = new Map<number, Balancer>();

  /** `directory` has configurations and sockets. */
  constructor(name: string, directory: string) {
    this.#name = name;
    this.#directory = directory;
  }

  ids(): number[] {
    return [...this.#balancers.keys()];
  }

  /** Makes it as the spec says. Its Networks must be there. */
  async put(spec: LoadBalancerSpec): Promise<void> {
    const id = spec.loadBalancerId;
    const balancer = this.#balancers.get(id) ?? { process: undefined, config: undefined, processes: new Set() };
    this.#balancers.set(id, balancer);
    await addHostNamespace(balancerNamespace(this.#name, id));
    await this.#setPublic(spec);
    await this.#setPrivate(spec);
    await this.#serve(balancer, spec);
  }

  async delete(id: number): Promise<void> {
    const balancer = this.#balancers.get(id);
    if (!balancer) return;
    this.#balancers.delete(id);
    await Promise.all([...balancer.processes].map(kill));
    await removeNamespace(balancerNamespace(this.#name, id));
    for (const file of [this.#socket(id), this.#configFile(id)]) rmSync(file, { force: true });
  }

  async health(id: number): Promise<TargetHealth[]> {
    if (this.#balancers.get(id)?.process === undefined) return [];
    return parseHealth(await this.#ask(id, "show stat"));
  }

  async close(): Promise<void> {
    for (const id of this.ids()) await this.delete(id);
  }

  async #setPublic({ loadBalancerId: id, publicInterface }: LoadBalancerSpec): Promise<void> {
    const [router, own] = [routerNamespace(this.#name), balancerNamespace(this.#name, id)];
    const link = balancerLink(id);
    if (!publicInterface) {
      await tryRun("ip", ["-n", own, "link", "delete", "eth0"]);
      return;
    }
    if (await tryRun("ip", ["-n", own, "link", "show", "eth0"])) return;
    const { ipv4, ipv6Network } = publicInterface;
    await ipBatch(router, [
      `link add ${link} type veth peer name eth0 netns ${own}`,
      `addr add fe80::1/64 dev ${link} nodad`,
      `link set ${link} up`,
      `route replace ${ipv4}/32 dev ${link} src ${PUBLIC_GATEWAY}`,
      `route replace ${ipv6Network} dev ${link}`,
    ]);
    await ipBatch(own, [
      `addr add ${ipv4}/32 dev eth0`,
      `addr add ${ipv6Network.replace(/\/64$/, "1/64")} dev eth0 nodad`,
      "link set eth0 up",
      `route replace ${PUBLIC_GATEWAY}/32 dev eth0`,
      `route replace default via ${PUBLIC_GATEWAY} dev eth0`,
      "route replace ::/0 via fe80::1 dev eth0",
    ]);
  }

  async #setPrivate({ loadBalancerId: id, privateInterfaces }: LoadBalancerSpec): Promise<void> {
    const own = balancerNamespace(this.#name, id);
    const wanted = new Set(privateInterfaces.map(({ networkId }) => balancerPrivateLink(id, networkId)));
    const present = (await run("ip", ["-n", own, "-o", "link", "show", "type", "veth"])).matchAll(/^\d+: ([^@:]+)/gm);
    for (const [, link = ""] of present) {
      if (link !== "eth0" && !wanted.has(link)) await tryRun("ip", ["-n", own, "link", "delete", link]);
    }
    for (const { networkId, ip, ipRange } of privateInterfaces) {
      const network = networkNamespace(this.#name, networkId);
      const link = balancerPrivateLink(id, networkId);
      const gateway = firstAddress(ipRange);
      if (!(await tryRun("ip", ["-n", own, "link", "show", link]))) {
        await ipBatch(network, [`link add ${link} mtu ${PRIVATE_MTU} type veth peer name ${link} netns ${own}`]);
      }
      await ipBatch(network, [`link set ${link} up`, `route replace ${ip}/32 dev ${link} src ${gateway}`]);
      await ipBatch(own, [
        `addr flush dev ${link}`,
        `addr add ${ip}/32 dev ${link}`,
        `link set ${link} mtu ${PRIVATE_MTU} up`,
        `route replace ${gateway}/32 dev ${link} src ${ip}`,
        `route replace ${ipRange} via ${gateway} dev ${link} src ${ip}`,
      ]);
    }
  }

  async #serve(balancer: Balancer, spec: LoadBalancerSpec): Promise<void> {
    const id = spec.loadBalancerId;
    const config = haproxyConfig(spec, this.#socket(id));
    const before = balancer.process;
    if (config === balancer.config && (before !== undefined) === (config !== undefined)) return;
    balancer.config = config;
    balancer.process = undefined;
    if (config === undefined) {
      await Promise.all([...balancer.processes].map(kill));
      return;
    }
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const file = this.#configFile(id);
    writeFileAtomically(file, config);
    const [command, args] = inNamespace(balancerNamespace(this.#name, id), "haproxy", ["-db", "-f", file]);
    // It tells the one before to take no more connections and to end with its last.
    const replaces = before?.pid === undefined ? [] : ["-sf", String(before.pid)];
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", command, ...args, ...replaces], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let complaints = "";
    child.stderr.on("data", (data) => {
      complaints = (complaints + data).slice(-KEPT_COMPLAINTS);
    });
    balancer.processes.add(child);
    child.once("exit", () => {
      balancer.processes.delete(child);
      if (balancer.process === child) balancer.process = undefined;
    });
    const ended = new Promise<void>((resolve) => {
      child.once("close", () => resolve());
      child.once("error", () => resolve());
    });
    const started = await Promise.race([this.#answers(id, child), ended.then(() => false)]);
    if (!started) {
      balancer.config = undefined;
      await kill(child);
      throw new Error(`haproxy did not start: ${complaints.trim()}`);
    }
    balancer.process = child;
  }

  /** Whether this very process answers on the socket in time. */
  async #answers(id: number, { pid }: ChildProcess): Promise<boolean> {
    const deadline = Date.now() + START_MS;
    while (Date.now() < deadline) {
      const info = await this.#ask(id, "show info").catch(() => "");
      if (info.includes(`\nPid: ${pid}\n`)) return true;
      await sleep(50);
    }
    return false;
  }

  async #ask(id: number, question: string): Promise<string> {
    const socket = connect(this.#socket(id));
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error(`load balancer ${id} does not answer`)));
    socket.end(`${question}\n`);
    return await text(socket);
  }

  #socket(id: number): string {
    return join(this.#directory, String(id));
  }

  #configFile(id: number): string {
    return `${this.#socket(id)}.cfg`;
  }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGKILL");
  await gone;
}
