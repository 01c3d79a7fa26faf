/** What the files of the lifecycle suite share: the cluster, its wishes, and what must hold after every change. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { execa } from "execa";
import { expect, inject } from "vitest";
import { z } from "zod";
import { filesOf } from "../../../packages/swarm/src/testing/userDataFiles.js";
import {
  api,
  type Cluster,
  type ClusterNode,
  eventually,
  installResponderOn,
  openCluster,
  openStack,
  type Region,
  region as regionOf,
  responderImage,
  restoreCheckpoint,
  type Stack,
  type StackRun,
  say,
  sessionsByHost,
  type Watched,
  watched,
} from "../../harness/src/index.js";

export type Role = "manager" | "worker";
export interface NodeWish {
  readonly replacement?: number;
  readonly serverType?: string;
  readonly location?: string;
  readonly primaryIps?: object;
  readonly privateOnly?: boolean;
}
/** Nodes by name, and what they are to be. */
export type Wish = Readonly<Record<string, NodeWish & { readonly role: Role }>>;

/** What the suite's setup makes. */
export const three: Wish = {
  m1: { role: "manager" },
  m2: { role: "manager" },
  m3: { role: "manager" },
  w1: { role: "worker" },
};

export const program = join(import.meta.dirname, "program");

/** One pool a role; names are the nodes' own. `shape` are further arguments of the workers' pool. */
export function poolsOf(wish: Wish, shape: object = {}): object {
  const pool = (role: Role) => ({
    role,
    serverType: "cx23",
    nodes: Object.fromEntries(
      Object.entries(wish)
        .filter(([, node]) => node.role === role)
        .map(([name, { role: _, ...rest }]) => [name, rest]),
    ),
  });
  const pools = { manager: pool("manager"), worker: { ...pool("worker"), ...shape } };
  return Object.fromEntries(Object.entries(pools).filter(([, { nodes }]) => Object.keys(nodes).length > 0));
}

export interface Served<T> {
  readonly result: T;
  /** The longest time without an answer from any node. */
  readonly outageSeconds: number;
  readonly answers: number;
}

/** Prints another text after each boot of a machine. */
export const bootId = "cat /proc/sys/kernel/random/boot_id";

export class Life {
  private constructor(
    readonly region: Region,
    readonly stack: Stack,
    /** The private key that opens the nodes just now. */
    public keyFile: string,
    public cluster: Cluster,
    public wish: Wish,
  ) {}

  /** The cluster as the suite's setup left it. */
  static async ready(): Promise<Life> {
    const { region, stateDir } = inject("life");
    await restoreCheckpoint(regionOf(region), stateDir, "ready");
    const life = await Life.open(three);
    await life.settle();
    return life;
  }

  /** Waits until its managers know every node as ready: machines that were brought back wake one after the other. */
  async settle(): Promise<void> {
    await eventually("every node to be ready", 600, async () => {
      const states = (await this.ssh(this.manager, "docker node ls --format '{{.Status}} {{.ManagerStatus}}'")).split(
        "\n",
      );
      const up = states.filter((state) => ["Ready", "Ready Leader", "Ready Reachable"].includes(state.trim()));
      return up.length === states.length && up.length === this.cluster.nodes.length;
    });
  }

  /** The region before anything was made in it, and its stack. */
  static async empty(): Promise<{ region: Region; stack: Stack }> {
    const { region: name, stateDir } = inject("life");
    const region = regionOf(name);
    await restoreCheckpoint(region, stateDir, "empty");
    return { region, stack: await openStack({ region, program, name: "life", stateDir }) };
  }

  static async open(wish: Wish): Promise<Life> {
    const { region: name, stateDir, keyFile } = inject("life");
    const region = regionOf(name);
    const stack = await openStack({ region, program, name: "life", stateDir });
    return new Life(region, stack, keyFile, await openCluster(region, stack, keyFile), wish);
  }

  get manager(): ClusterNode {
    return this.cluster.manager;
  }

  node(name: string): ClusterNode {
    const node = this.cluster.outputs.nodes[name];
    if (node === undefined) throw new Error(`there is no node ${name}`);
    return node;
  }

  async ssh(node: ClusterNode, command: string): Promise<string> {
    return (await this.cluster.ssh(node, command)).trim();
  }

  /** What each of these nodes answers to a command, by their names. */
  async each(names: readonly string[], command: string): Promise<Record<string, string>> {
    const asked = names.map(async (name) => [name, await this.ssh(this.node(name), command)] as const);
    return Object.fromEntries(await Promise.all(asked));
  }

  /** Makes the cluster be as wished; `args` are further arguments of the component. */
  async become(wish: Wish, args?: object, ...flags: string[]): Promise<StackRun> {
    await this.stack.setConfig("pools", JSON.stringify(poolsOf(wish)));
    if (args !== undefined) await this.stack.setConfig("args", JSON.stringify(args));
    const run = await this.stack.up((line) => note(line), ...flags);
    this.wish = wish;
    await this.reopen();
    return run;
  }

  /** Asks for the web page through these nodes during `work`; each question costs emulated machines a hundredth of a second. */
  watched<T>(
    servers: readonly ClusterNode[],
    work: () => Promise<T>,
  ): Promise<{ result: T; records: readonly Watched[] }> {
    return watched(this.region, servers, work, 1000);
  }

  /** Asks for the web page as a client with several addresses does, one after the other; gives the longest time without an answer. */
  async servedBySome<T>(work: () => Promise<T>): Promise<Served<T>> {
    const urls = this.cluster.nodes.map(({ publicIpv4 }) => `http://${publicIpv4}/`);
    let [answers, outage, answeredAt, goesOn] = [0, 0, Date.now(), true];
    const ask = async (): Promise<void> => {
      for (let turn = 0; goesOn; turn += 1) {
        const inTurn = urls.map((_, index) => urls[(turn + index) % urls.length] ?? "");
        const script = inTurn.map((url) => `curl -sf -o /dev/null -m 3 ${url}`).join(" || ");
        const { exitCode } = await this.region.exec("sh", ["-c", script], { reject: false });
        outage = Math.max(outage, Date.now() - answeredAt);
        if (exitCode !== 0) continue;
        answers += 1;
        answeredAt = Date.now();
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    };
    const asking = ask();
    try {
      const result = await work();
      return { result, outageSeconds: outage / 1000, answers };
    } finally {
      goesOn = false;
      await asking;
    }
  }

  /** Reads anew which nodes there are. */
  async reopen(): Promise<void> {
    this.cluster = await openCluster(this.region, this.stack, this.keyFile);
  }

  /** The service's image on nodes that are new. */
  async equip(): Promise<void> {
    for (const node of this.cluster.nodes) {
      const has = await this.ssh(node, `docker image inspect ${responderImage} >/dev/null 2>&1 && echo yes || echo no`);
      if (has === "yes") continue;
      await installResponderOn({
        ssh: (command, input) => this.cluster.ssh(node, command, input),
        send: (file, target) => this.cluster.send(node, file, target),
      });
    }
  }
}

/**
 * What those managers say of the nodes, `NAME AVAILABILITY` each, over and over while `work` runs; one that is away is passed over.
 * The nodes' states would not do: a new leader knows none.
 */
export async function listening<T>(
  life: Life,
  managers: readonly ClusterNode[],
  work: () => Promise<T>,
): Promise<{ result: T; lists: readonly (readonly string[])[] }> {
  const lists: string[][] = [];
  let goesOn = true;
  const list = "timeout 30 docker node ls --format '{{.Hostname}} {{.Availability}}'";
  const ask = async (): Promise<void> => {
    for (let turn = 0; goesOn; turn += 1) {
      const manager = managers[turn % managers.length] ?? life.manager;
      const answer = await life.ssh(manager, list).catch(() => "");
      if (answer !== "") lists.push(answer.split("\n"));
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  };
  const asking = ask();
  try {
    return { result: await work(), lists };
  } finally {
    goesOn = false;
    await asking;
  }
}

/** The names of those in such a list that are drained. Nodes that go are paused together before, that no task moves to one of them. */
export const drained = (list: readonly string[]): readonly string[] =>
  list.filter((line) => line.endsWith(" Drain")).map((line) => line.split(" ")[0] ?? "");

/** Never two of those nodes were drained at a time, and each of them was; others do not matter. */
export function expectOneAtATime(lists: readonly (readonly string[])[], names: readonly string[]): void {
  const seen = lists.map((list) => drained(list).filter((name) => names.includes(name)));
  expect(seen.length).toBeGreaterThan(20);
  expect(seen.filter((some) => some.length > 1)).toEqual([]);
  expect([...new Set(seen.flat())].sort(), "each was seen drained").toEqual([...names].sort());
}

/** Whether a node lets somebody in who has that key and no other. */
export async function admits(life: Life, node: ClusterNode, keyFile: string): Promise<boolean> {
  const only = ["IdentitiesOnly=yes", "IdentityAgent=none", "BatchMode=yes", "ConnectTimeout=20"];
  const options = only.flatMap((option) => ["-o", option]);
  const config = join(life.stack.stateDir, "ssh_config");
  const run = await life.region.exec("ssh", ["-F", config, "-i", keyFile, ...options, node.name, "true"], {
    reject: false,
  });
  if (run.exitCode === 0) return true;
  // Anything else, such as a host that does not answer, says nothing of the key.
  expect(String(run.stderr), node.name).toMatch(/Permission denied \(publickey/);
  return false;
}

export function note(line: string): void {
  if (/ (created|updated|deleted|replaced) |failed|error|swarm: /.test(line)) say(`    ${line.trim().slice(0, 240)}`);
}

/** The sessions of a run by host name, without those of nodes that are gone. */
export function sessionsByNode(life: Life, run: StackRun): Record<string, number> {
  const nameOf = (host: string) => life.cluster.nodes.find((one) => one.publicIpv4 === host)?.name ?? host;
  return Object.fromEntries(Object.entries(sessionsByHost(run)).map(([host, count]) => [nameOf(host), count]));
}

/** Checks that a node does not pass, as its agent tells them. */
export async function failedChecks(life: Life, node: ClusterNode): Promise<readonly unknown[]> {
  const report = reportOf.parse(JSON.parse(await life.ssh(node, "/opt/hcloud-iptables.sh verify --json || :")));
  return report.checks.filter((check) => !check.passed);
}

/** Restarts a node from within, and waits until SSH is back. */
export async function restart(life: Life, node: ClusterNode): Promise<void> {
  const before = await life.ssh(node, bootId);
  await life.ssh(node, "systemd-run --quiet --on-active=1 systemctl reboot");
  await eventually(`${node.name} after its restart`, 900, async () => (await life.ssh(node, bootId)) !== before);
}

/**
 * For deployments that change the policy of nodes that are up: with more emulated machines than processors, a node's new connection
 * comes minutes after its policy.
 */
export const longProbation = { probation: 900 };

const reportOf = z.object({
  passed: z.boolean(),
  checks: z.array(z.object({ name: z.string(), passed: z.boolean() })),
});
const serversSchema = z.object({ servers: z.array(z.object({ id: z.number(), name: z.string() })) });

/** What a server was made with, as it asks for it itself. */
export async function userDataOf(life: Life, node: ClusterNode): Promise<string> {
  return await life.ssh(node, "curl -sf http://169.254.169.254/hetzner/v1/userdata");
}

/** The payload in the user-data that a server booted with, whatever came over SSH since. */
export async function bootPayload(life: Life, node: ClusterNode): Promise<string> {
  const payload = filesOf(await userDataOf(life, node)).get("/etc/hcloud-iptables/payload");
  if (payload === undefined) throw new Error("the user-data has no payload");
  return payload;
}

/** Stops a server's processor: nothing answers any more, and nothing ends. */
export async function freeze(life: Life, node: ClusterNode): Promise<void> {
  const { stdout } = await execa("ps", ["-eo", "pid,args"]);
  const machine = stdout
    .split("\n")
    .find((line) => line.includes(` -name hcloud-${String(node.serverId)} `) && line.includes(`/${life.region.name}/`));
  if (machine === undefined) throw new Error(`${node.name} runs in no process`);
  process.kill(Number.parseInt(machine, 10), "SIGSTOP");
}

/** Outputs that are secret. */
export const secretsSchema = z.looseObject({
  workerJoinToken: z.string().startsWith("SWMTKN-"),
  managerJoinToken: z.string().startsWith("SWMTKN-"),
  /** Empty where managers do not lock themselves. */
  unlockKey: z.string(),
});

/** The swarm's own id and join tokens are those that the stack gives; only hashes of tokens are told where they are not. */
async function expectSwarm(life: Life, swarmId: string): Promise<void> {
  const { workerJoinToken, managerJoinToken } = secretsSchema.parse(await life.stack.outputs());
  const hashes = [workerJoinToken, managerJoinToken].map((token) => createHash("sha256").update(token).digest("hex"));
  const told = await life.ssh(
    life.manager,
    `docker info --format '{{.Swarm.Cluster.ID}}'
     for role in worker manager; do docker swarm join-token --quiet $role | tr -d '\\n' | sha256sum | cut -d ' ' -f 1; done`,
  );
  expect(told.split("\n"), "id, worker's and manager's token").toEqual([swarmId, ...hashes]);
}

/** What must hold after every change: the same swarm, exactly the program's nodes, exact peers, green checks, no orphan. */
export async function expectWhole(life: Life, swarmId: string): Promise<void> {
  const { cluster } = life;
  expect(cluster.outputs.swarmId).toBe(swarmId);
  await expectSwarm(life, swarmId);
  const wanted = Object.entries(cluster.outputs.nodes).map(([, node]) => `${node.name} ${node.role} Ready Active`);
  const format = "{{.Hostname}} {{if .ManagerStatus}}manager{{else}}worker{{end}} {{.Status}} {{.Availability}}";
  const listed = await life.ssh(life.manager, `docker node ls --format '${format}'`);
  expect(listed.split("\n").sort()).toEqual(wanted.sort());
  expect(
    Object.values(cluster.outputs.nodes)
      .map((node) => node.role)
      .sort(),
  ).toEqual(
    Object.values(life.wish)
      .map((node) => node.role)
      .sort(),
  );
  const reachable = await life.ssh(life.manager, "docker node ls --filter role=manager --format '{{.ManagerStatus}}'");
  expect(reachable.split("\n").filter((status) => !["Leader", "Reachable"].includes(status))).toEqual([]);
  for (const node of cluster.nodes) {
    const peers = await life.ssh(node, "ipset save hc-peers4 | awk '$1 == \"add\" { print $3 }' | sort");
    const others = cluster.nodes.filter((other) => other.name !== node.name).map((other) => other.privateIp);
    expect(peers.split("\n").filter(Boolean), `peers of ${node.name}`).toEqual(others.sort());
    expect(await failedChecks(life, node), `checks of ${node.name}`).toEqual([]);
    const own = await life.ssh(node, "docker info --format '{{.Swarm.LocalNodeState}}'");
    expect(own, node.name).toBe("active");
  }
  const { servers } = serversSchema.parse(await api(life.region, "GET", "/servers?per_page=50"));
  expect(servers.map((server) => server.name).sort()).toEqual(cluster.nodes.map((node) => node.name).sort());
}

/** What swarm needs to notice a lost task and start another one, on emulated machines, in seconds. */
export const taskMoveSeconds = 45;

export function expectServed(records: readonly Watched[]): void {
  for (const { url, asked, outageMs } of records) {
    expect(asked, url).toBeGreaterThan(10);
    expect(outageMs / 1000, url).toBeLessThan(taskMoveSeconds);
  }
}

export const serviceName = "web";
export async function startWeb(life: Life): Promise<void> {
  await life.equip();
  await life.ssh(
    life.manager,
    `docker service inspect ${serviceName} >/dev/null 2>&1 ||
     docker service create --quiet --no-resolve-image --name ${serviceName} --replicas 3 --publish 80:8000 ${responderImage} serve tcp:8000`,
  );
}
