import type { Cluster, ClusterNode } from "./cluster.js";
import { installResponderOn, responderImage, responderProgram } from "./host.js";
import { type Probe, type ProbeResult, parseResults, probeFromOutside } from "./responder.js";

/**
 * Two services of the same server. One is published where the default policy lets it, one where it does not; both run on every
 * node, so that a closed port is closed by the firewall and not for want of a listener.
 */
const services = [
  {
    name: "allowed",
    publish: ["published=80,target=8000,protocol=tcp", "published=443,target=8000,protocol=tcp,mode=host"],
  },
  {
    name: "forbidden",
    publish: [
      "published=8080,target=8000,protocol=tcp",
      "published=8081,target=80,protocol=tcp,mode=host",
      "published=9000,target=9000,protocol=udp",
      "published=8443,target=8000,protocol=tcp",
    ],
  },
] as const;

/** Puts the responder on every node. */
export async function installResponder(cluster: Cluster): Promise<void> {
  await Promise.all(
    cluster.nodes.map((node) =>
      installResponderOn({
        ssh: (command, input) => cluster.ssh(node, command, input),
        send: (file, target) => cluster.send(node, file, target),
      }),
    ),
  );
}

/** Starts both services where they do not run yet, and waits, at most `seconds`, until every task runs. */
export async function startServices(cluster: Cluster, seconds = 300): Promise<void> {
  for (const { name, publish } of services) {
    const flags = publish.map((p) => `--publish ${p}`).join(" ");
    await cluster.ssh(
      cluster.manager,
      `docker service inspect ${name} >/dev/null 2>&1 ||
       docker service create --detach --quiet --no-resolve-image --mode global --name ${name} ${flags} ${responderImage} serve tcp:80 tcp:8000 udp:9000`,
    );
  }
  const wanted = cluster.nodes.length * services.length;
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const running = await cluster.ssh(
      cluster.manager,
      `docker service ps --filter desired-state=running --format '{{.CurrentState}}' ${services.map((s) => s.name).join(" ")} | grep -c '^Running' || true`,
    );
    if (Number(running) === wanted) return;
    if (Date.now() > deadline) {
      const tasks = await cluster.ssh(cluster.manager, "docker service ps --no-trunc allowed forbidden");
      throw new Error(`${running.trim()} of ${wanted} tasks run after ${seconds} s:\n${tasks}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

/** One line of the demo's table: a port as the outside world sees it. */
export interface Port {
  readonly port: number;
  readonly protocol: "tcp" | "udp";
  readonly what: string;
  /** Families in which it must answer. Swarm's ingress mesh has no IPv6: Docker holds the port there and never answers. */
  readonly open: readonly Family[];
  readonly kind: Probe["kind"];
  /** Where the positive control runs: on the node itself, or on a peer over the private network. */
  readonly control: "node" | "peer";
  /** Families in which something listens, so that the control must find it. */
  readonly listens: readonly Family[];
}

export type Family = "4" | "6";

/** What the default policy must look like from outside. */
export const ports: readonly Port[] = [
  {
    port: 80,
    protocol: "tcp",
    what: "ingress 80 -> container 8000",
    open: ["4"],
    kind: "answer",
    control: "node",
    listens: ["4"],
  },
  {
    port: 443,
    protocol: "tcp",
    what: "mode=host 443 -> container 8000",
    open: ["4", "6"],
    kind: "answer",
    control: "node",
    listens: ["4", "6"],
  },
  {
    port: 8080,
    protocol: "tcp",
    what: "ingress 8080 -> container 8000",
    open: [],
    kind: "answer",
    control: "node",
    listens: ["4"],
  },
  {
    port: 8081,
    protocol: "tcp",
    what: "mode=host 8081 -> container 80",
    open: [],
    kind: "answer",
    control: "node",
    listens: ["4", "6"],
  },
  {
    port: 9000,
    protocol: "udp",
    what: "ingress 9000 -> container 9000",
    open: [],
    kind: "answer",
    control: "node",
    listens: ["4"],
  },
  {
    port: 8443,
    protocol: "tcp",
    what: "ingress 8443 -> container 8000",
    open: [],
    kind: "answer",
    control: "node",
    listens: ["4"],
  },
  { port: 2377, protocol: "tcp", what: "swarm managers", open: [], kind: "connect", control: "peer", listens: ["4"] },
  { port: 7946, protocol: "tcp", what: "swarm gossip", open: [], kind: "connect", control: "peer", listens: ["4"] },
];

function probe(port: Port, family: Family, address: string, id: string, patient: boolean): Probe {
  return {
    id,
    network: `${port.protocol}${family}`,
    address,
    port: port.port,
    kind: port.kind,
    // A closed port costs the whole time-out; an open one may be slow on emulated hardware and gets several tries.
    timeoutMs: patient ? 5000 : 3000,
    attempts: patient ? 4 : 2,
  };
}

export interface Observation {
  readonly node: ClusterNode;
  readonly family: Family;
  readonly port: Port;
  readonly result: ProbeResult;
}

/** Asks every port of every node in both families from outside. */
export async function observe(cluster: Cluster, wanted: readonly Port[] = ports): Promise<Observation[]> {
  const questions = cluster.nodes.flatMap((node) =>
    (["4", "6"] as const).flatMap((family) =>
      wanted.map((port) => ({ node, family, port, id: `${node.name}/${port.port}/${port.protocol}/v${family}` })),
    ),
  );
  const results = await probeFromOutside(
    cluster.region,
    questions.map(({ node, family, port, id }) =>
      probe(port, family, family === "4" ? node.publicIpv4 : node.publicIpv6, id, port.open.includes(family)),
    ),
  );
  const byId = new Map(results.map((result) => [result.id, result]));
  return questions.map(({ node, family, port, id }) => {
    const result = byId.get(id);
    if (!result) throw new Error(`the responder gave no result for ${id}`);
    return { node, family, port, result };
  });
}

/**
 * The same questions where they must be answered: services on the node itself, swarm's ports from a peer over the
 * private network. Without these, a closed port would prove nothing.
 */
export async function controls(cluster: Cluster, wanted: readonly Port[] = ports): Promise<Observation[]> {
  const perNode = await Promise.all(
    cluster.nodes.map(async (node) => {
      const peer = cluster.nodes.find((other) => other.name !== node.name);
      if (!peer) throw new Error("controls over the private network need two nodes");
      const asked = wanted.filter((port) => port.port !== 2377 || node.role === "manager");
      const ask = async (from: ClusterNode, control: Port["control"], addresses: Record<Family, string>) => {
        const questions = asked
          .filter((port) => port.control === control)
          .flatMap((port) => port.listens.map((family) => ({ port, family })));
        const probes = questions.map(({ port, family }, index) =>
          probe(port, family, addresses[family], String(index), true),
        );
        const results = parseResults(await cluster.ssh(from, `${responderProgram} probe`, JSON.stringify(probes)));
        return questions.map(({ port, family }, index): Observation => {
          const result = results[index];
          if (!result) throw new Error(`no result for ${port.port}/${port.protocol} on ${node.name}`);
          return { node, family, port, result };
        });
      };
      const here = { "4": node.publicIpv4, "6": node.publicIpv6 };
      const inside = { "4": node.privateIp, "6": node.publicIpv6 };
      return [...(await ask(node, "node", here)), ...(await ask(peer, "peer", inside))];
    }),
  );
  return perNode.flat();
}
