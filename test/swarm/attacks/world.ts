/** Where attackers stand and what they can do; attacks are written in these words. */
import { randomBytes } from "node:crypto";
import { execa } from "execa";
import {
  networkNamespace,
  OUTSIDE,
  PUBLIC_GATEWAY,
  privateTap,
  publicTap,
  routerNamespace,
} from "../../../packages/region/src/network/names.js";
import {
  type ClusterNode,
  eventually,
  type Probe,
  type ProbeResult,
  parseResults,
  responderBinary,
} from "../../harness/src/index.js";
import type { AttackedCluster } from "./cluster.js";
import { containerCount, image, program } from "./fixtures.js";
import type { Shells } from "./shells.js";
import { type Column, closedUdp, meshPorts, type Seen } from "./types.js";

/** A place to attack from. */
export type Vantage =
  | { readonly kind: "outside" }
  /** The private network's server that is no peer; a root shell there. */
  | { readonly kind: "stranger" }
  | { readonly kind: "host"; readonly node: ClusterNode }
  | { readonly kind: "container"; readonly node: ClusterNode; readonly container: string }
  /** Right beside the node, on its public or private wire: what no router has filtered. */
  | { readonly kind: "network"; readonly networkId: number }
  | { readonly kind: "wire"; readonly node: ClusterNode; readonly side: "public" | "private" };

export const outside: Vantage = { kind: "outside" };
export const stranger: Vantage = { kind: "stranger" };

/** A question, without what the world fills in. */
export type Question = Pick<Probe, "network" | "address" | "port"> &
  Partial<Pick<Probe, "kind" | "request" | "expect" | "sourcePort">> & {
    readonly label: string;
    readonly must: Seen["must"];
    readonly closedAnyway?: string | undefined;
  };

/** How long Docker may take on an emulated processor until all containers answer: it starts them one after the other. */
export const dockerStartSeconds = 400;
/** How long a node may take to go and come back: Docker stops what it runs first. */
const rebootSeconds = 900;

const bothFamilies: readonly string[] = ["IPv4", "IPv6"];

/** Of the outside machine. */
export const outsideAddress = OUTSIDE.ipv4.replace(/\/\d+$/, "");

export class World {
  /** The image that containers are made from. */
  readonly image = image;

  constructor(
    readonly attacked: AttackedCluster,
    readonly column: Column,
    readonly shells: Shells,
  ) {}

  get manager(): ClusterNode {
    return this.attacked.cluster.manager;
  }
  get worker(): ClusterNode {
    const worker = this.attacked.cluster.nodes.find((node) => node.role === "worker");
    if (!worker) throw new Error("the cluster has no worker");
    return worker;
  }
  get both(): readonly ClusterNode[] {
    return [this.manager, this.worker];
  }

  /** Runs a shell command on a node as root. */
  async ssh(node: ClusterNode, command: string, input?: string): Promise<string> {
    return await this.shells.run(node.name, command, input);
  }

  async onStranger(command: string, input = ""): Promise<string> {
    return await this.shells.run("stranger", command, input);
  }

  /** Asks from one place; all questions at once. */
  async ask(from: Vantage, questions: readonly Question[]): Promise<Seen[]> {
    const probes = questions.map((question, index): Probe => {
      const { label: _, must: __, closedAnyway: ___, ...rest } = question;
      // The same patience with all, under every column: a slow answer must not be "open" here and "blocked" there.
      return { kind: "answer", ...rest, id: String(index), timeoutMs: 5000, attempts: 2 };
    });
    const results = await this.#probe(from, probes);
    return questions.map(({ label, must, closedAnyway }, index) => {
      const result = results[index];
      if (!result) throw new Error(`no result for ${label}`);
      // A handshake without the answer is proof enough of a hole, and so is a refusal: our rules drop.
      const open = result.open || (must === "closed" && result.reached);
      return { label, must, closedAnyway, open, detail: result.detail };
    });
  }

  async #probe(from: Vantage, probes: readonly Probe[]): Promise<ProbeResult[]> {
    return parseResults(await this.#respond(from, ["probe"], JSON.stringify(probes)));
  }

  /** Runs the responder's program at a place. */
  async #respond(from: Vantage, args: readonly string[], input: string): Promise<string> {
    const words = args.join(" ");
    switch (from.kind) {
      case "outside":
        return (await this.shells.outside(await responderBinary(), args, input)).stdout;
      case "stranger":
        return await this.onStranger(`${program} ${words}`, input);
      case "host":
        return await this.ssh(from.node, `${program} ${words}`, input);
      case "container":
        return await this.ssh(from.node, `docker exec -i ${from.container} /responder ${words}`, input);
      case "network":
      case "wire": {
        const namespace =
          from.kind === "wire"
            ? this.wire(from.node, from.side).namespace
            : networkNamespace(this.attacked.region.name, from.networkId);
        const run = await execa("ip", ["netns", "exec", namespace, await responderBinary(), ...args], { input });
        return run.stdout;
      }
    }
  }

  /** Interface and namespace right beside a node. */
  wire(node: ClusterNode, side: "public" | "private"): { namespace: string; tap: string } {
    const { region, networkId } = this.attacked;
    const id = Number(node.serverId);
    return side === "public"
      ? { namespace: routerNamespace(region.name), tap: publicTap(id) }
      : { namespace: networkNamespace(region.name, networkId), tap: privateTap(id, networkId) };
  }

  /** Runs `work` while the router beside the node has a route over that wire, as a neighbour on the same link would. */
  async withRoute<T>(
    node: ClusterNode,
    side: "public" | "private",
    address: string,
    work: () => Promise<T>,
  ): Promise<T> {
    const { namespace, tap } = this.wire(node, side);
    const mac = await this.macOf(node, side);
    const ip = (...args: string[]) => execa("ip", ["-n", namespace, ...args]);
    const v6 = address.includes(":");
    const route = [`${address}/${v6 ? 128 : 32}`, "dev", tap, "metric", "1"];
    await ip("neigh", "replace", address, "lladdr", mac, "dev", tap, "nud", "permanent");
    // Not from the metadata service's address, which the router has, too: rules may treat that as they like.
    await ip("route", "add", ...route, ...(side === "public" && !v6 ? ["src", PUBLIC_GATEWAY] : []));
    try {
      return side === "public" ? await this.#withAnswersFrom(node, address, work) : await work();
    } finally {
      await ip("route", "del", ...route);
      if (address !== node.publicIpv4 && address !== node.privateIp) await ip("neigh", "del", address, "dev", tap);
    }
  }

  /** On the public side the router drops what comes from addresses that are not the server's; a neighbour would hear it. */
  async #withAnswersFrom<T>(node: ClusterNode, address: string, work: () => Promise<T>): Promise<T> {
    const { namespace, tap } = this.wire(node, "public");
    const nft = (...args: string[]) => execa("ip", ["netns", "exec", namespace, "nft", ...args]);
    const chain = "rule inet region sources";
    const family = address.includes(":") ? "ip6" : "ip";
    const match = `iifname "${tap}" ${family} saddr ${address}`;
    const { stdout } = await nft("--echo", "--handle", `insert ${chain} ${match} accept`);
    try {
      return await work();
    } finally {
      await nft(`delete ${chain} handle ${/# handle (\d+)/.exec(stdout)?.[1]}`);
    }
  }

  /** Runs a command in the namespace beside a node. */
  async onWire(node: ClusterNode, side: "public" | "private", command: readonly string[]): Promise<void> {
    await execa("ip", ["netns", "exec", this.wire(node, side).namespace, ...command]);
  }

  /** Asks from the router of a Network of the region. */
  async askFromNetwork(networkId: number, questions: readonly Question[]): Promise<Seen[]> {
    return await this.ask({ kind: "network", networkId }, questions);
  }

  /** Runs `work` while a server outside the region's machines listens; it is given that server's address. */
  async withOutsideServer<T>(listeners: readonly string[], work: (address: string) => Promise<T>): Promise<T> {
    const server = this.shells.outside(await responderBinary(), ["serve", ...listeners]);
    const ended = server.then(
      () => new Error("the server outside ended by itself"),
      (error: Error) => error,
    );
    try {
      const failed = await Promise.race([ended, new Promise<void>((resolve) => setTimeout(resolve, 500))]);
      if (failed) throw failed;
      return await work(outsideAddress);
    } finally {
      server.kill();
      await ended;
    }
  }

  async macOf(node: ClusterNode, side: "public" | "private"): Promise<string> {
    const device = side === "public" ? "eth0" : "enp7s0";
    return (await this.ssh(node, `cat /sys/class/net/${device}/address`)).trim();
  }

  /** Puts frames on the wire beside a node, as they are. */
  async inject(node: ClusterNode, side: "public" | "private", frames: readonly Buffer[]): Promise<void> {
    const { namespace, tap } = this.wire(node, side);
    const input = frames.map((frame) => `${frame.toString("hex")}\n`).join("");
    await execa("ip", ["netns", "exec", namespace, await responderBinary(), "inject", tap], { input });
  }

  /** Sends datagrams and waits for no answer. */
  async send(from: Vantage, address: string, port: number, payload: Buffer, times = 3): Promise<void> {
    const input = `${payload.toString("hex")}\n`.repeat(times);
    await this.#respond(from, ["send", "udp4", `${address}:${port}`], input);
  }

  /** A word that no packet had in it before. */
  token(): string {
    return `token-${randomBytes(6).toString("hex")}`;
  }

  /** Whether the payload with this word came to a container; waits a little, for logs take their time. */
  async received(node: ClusterNode, container: string, token: string): Promise<boolean> {
    const found = await this.ssh(
      node,
      `for i in $(seq 8); do docker logs --since 10m ${container} 2>&1 | grep -q ${token} && echo yes && exit; sleep 1; done; echo no`,
    );
    return found.trim() === "yes";
  }

  /** One attack that waits for no answer: `act` sends the word, the container's log tells whether it came. */
  async delivered(
    { label, must, closedAnyway }: Pick<Seen, "label" | "must" | "closedAnyway">,
    node: ClusterNode,
    container: string,
    act: (token: string) => Promise<void>,
  ): Promise<Seen> {
    const token = this.token();
    await act(token);
    const open = await this.received(node, container, token);
    return {
      label,
      must,
      closedAnyway,
      open,
      detail: open ? `${container} received ${token}` : "the payload did not arrive",
    };
  }

  /** Address of a container in one of its networks. */
  async addressOf(node: ClusterNode, container: string, network: string, field = "IPAddress"): Promise<string> {
    const format = `'{{ (index .NetworkSettings.Networks "${network}").${field} }}'`;
    return (await this.ssh(node, `docker inspect --format ${format} ${container}`)).trim();
  }

  /** Major version of the nodes' Docker. */
  async dockerVersion(): Promise<number> {
    const version = await this.ssh(this.manager, "docker version --format '{{.Server.Version}}'");
    return Number(version.split(".")[0]);
  }

  /** Back to the ready moment. */
  async restored(): Promise<void> {
    await this.attacked.restore();
    await this.shells.reconnect();
    await this.whole();
  }

  /** Waits until both nodes answer, the swarm is whole and every container runs. */
  async whole(seconds = 180): Promise<void> {
    await eventually("the attacked cluster whole", seconds, async () => {
      const nodes = await this.ssh(this.manager, "docker node ls --format '{{.Status}}' | grep -c '^Ready'");
      const running = await Promise.all(
        this.both.map((node) => this.ssh(node, "docker ps --format '{{.Names}}' | grep -cE '^(c-|allowed|forbidden)'")),
      );
      return Number(nodes) === this.both.length && running.every((count) => Number(count) === containerCount);
    });
    await eventually("every published port answers on its node", seconds, async () => {
      const perNode = await Promise.all(
        this.both.map((node) =>
          this.ask(
            { kind: "host", node },
            [80, 443, 8080, 8081, 8083].map((port) => {
              return { label: `${node.name} ${port}`, must: "open", network: "tcp4", address: node.publicIpv4, port };
            }),
          ),
        ),
      );
      const silent = perNode.flat().filter(({ open }) => !open);
      if (silent.length > 0) throw new Error(silent.map(({ label, detail }) => `${label}: ${detail}`).join("; "));
      return true;
    });
  }

  /** Ports of a node as the policy has them, seen from outside: what must answer does, nothing else; waits for the former. */
  async mustBeAsBefore(node: ClusterNode, seconds = 60): Promise<void> {
    const { publicIpv4, publicIpv6 } = node;
    await eventually("open ports answer", seconds, async () => {
      const open = await this.ask(outside, [
        { label: "443/tcp", must: "open", network: "tcp4", address: publicIpv4, port: 443 },
        { label: "[IPv6]:443/tcp", must: "open", network: "tcp6", address: publicIpv6, port: 443 },
        { label: "80/tcp through the mesh", must: "open", network: "tcp4", address: publicIpv4, port: 80 },
      ]);
      const silent = open.filter((one) => !one.open);
      if (silent.length > 0) throw new Error(silent.map(({ label, detail }) => `${label}: ${detail}`).join("; "));
      return true;
    });
    await this.mustBeClosed(node);
  }

  /** No closed port of a node answers anybody outside. */
  async mustBeClosed({ publicIpv4, publicIpv6 }: ClusterNode): Promise<void> {
    const closed = await this.ask(outside, [
      { label: "8083/tcp", must: "closed", network: "tcp4", address: publicIpv4, port: 8083 },
      { label: "8080/tcp", must: "closed", network: "tcp4", address: publicIpv4, port: 8080 },
      { label: "7000/tcp", must: "closed", network: "tcp4", address: publicIpv4, port: 7000 },
      { label: "9002/udp", must: "closed", network: "udp4", address: publicIpv4, port: closedUdp },
      { label: "[IPv6]:8083/tcp", must: "closed", network: "tcp6", address: publicIpv6, port: 8083 },
      { label: "[IPv6]:7000/tcp", must: "closed", network: "tcp6", address: publicIpv6, port: 7000 },
    ]);
    const came = closed.filter((one) => one.open);
    if (came.length > 0) throw new Error(`OPEN: ${came.map(({ label, detail }) => `${label}: ${detail}`).join("; ")}`);
  }

  async bootId(node: ClusterNode): Promise<string> {
    return (await this.ssh(node, "cat /proc/sys/kernel/random/boot_id")).trim();
  }

  /** Waits until a node that was told to reboot answers on SSH again. */
  async rebooted(node: ClusterNode, before: string): Promise<void> {
    await this.shells.disconnect(node.name);
    await eventually(`${node.name} after its reboot`, rebootSeconds, async () => (await this.bootId(node)) !== before);
    await this.shells.reconnect(node.name);
  }

  /** For the end of a flood: what was probed is there again while it is probed still, so that only the firewall closes it. */
  async back(node: ClusterNode, ports: readonly number[]): Promise<void> {
    for (const port of ports) await this.listens(node, port, { seconds: dockerStartSeconds });
    await new Promise((resolve) => setTimeout(resolve, 5000));
  }

  /**
   * What a closed port is closed by: on the node itself it answers, so it is not for want of a listener, nor is the UDP port that
   * every flood asks. Its container may be on its way still. `families`: where it answers; default: both. `seconds`: how long it
   * may take; default: 120.
   */
  async listens(node: ClusterNode, port = 8083, { families = bothFamilies, seconds = 120 } = {}): Promise<void> {
    const what = `${port} answers on the node itself, without which its silence proves nothing`;
    const kind = meshPorts.includes(port) ? "connect" : "answer";
    await eventually(what, seconds, async () => {
      const both = [
        { label: "IPv4", must: "open", network: "tcp4", address: node.publicIpv4, port },
        { label: "IPv6", must: "open", network: "tcp6", address: node.publicIpv6, port, kind },
        { label: "IPv4", must: "open", network: "udp4", address: node.publicIpv4, port: closedUdp },
      ] as const;
      const seen = await this.ask(
        { kind: "host", node },
        both.filter(({ label }) => families.includes(label)),
      );
      const silent = seen.filter(({ open }) => !open);
      if (silent.length > 0) throw new Error(silent.map(({ label, detail }) => `${label}: ${detail}`).join("; "));
      return true;
    });
  }
}
