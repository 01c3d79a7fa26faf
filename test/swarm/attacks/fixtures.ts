/** What is attacked: services, containers and listeners on every node, on open and on closed ports. */
import type { ClusterNode } from "../../harness/src/index.js";
import { eventually, responderBinary } from "../../harness/src/index.js";
import type { AttackedCluster } from "./cluster.js";

export const image = "hcloud-swarm/responder:local";
export const program = "/usr/local/bin/responder";

type Opened = Omit<AttackedCluster, "restore" | "stop">;

/** Swarm services, one task on every node. */
const services = [
  {
    name: "allowed",
    publish: ["published=80,target=8000,protocol=tcp", "published=9001,target=9000,protocol=udp"],
  },
  {
    name: "forbidden",
    publish: [
      "published=8080,target=80,protocol=tcp",
      "published=8081,target=80,protocol=tcp,mode=host",
      "published=9000,target=9000,protocol=udp",
      "published=8443,target=8000,protocol=tcp",
    ],
  },
] as const;

/** Containers of their own on every node: name, flags of `docker run`, listeners. */
const containers: readonly (readonly [string, string, string])[] = [
  [
    "c-run",
    "--publish 8083:80 --publish 9002:9000/udp --publish 40000:9000/udp --publish 127.0.0.1:9005:9000/udp",
    "tcp:80 udp:9000",
  ],
  ["c-443", "--publish 443:8081", "tcp:8081"],
  ["c-sctp", "--publish 9003:9003/sctp --publish 9004:9004/sctp", "tcp:80 sctp:9003 sctp:9004"],
  ["c-host", "--network host", "tcp:7000 udp:7001"],
  ["c-custom", "--network attk --publish 8085:80", "tcp:80"],
  ["c-v6", "--network v6net --publish 8084:80 --publish 8888:80", "tcp:80"],
  ["c-plain", "--network plain", "tcp:8000 udp:9000"],
  ["c-secret", "--network secret", "tcp:8000 udp:9000"],
];

/** Containers that must run on each node: tasks and those of `containers`. */
export const containerCount = services.length + containers.length;

/**
 * On an emulated processor ten containers stop in minutes. Docker waits 15 s for them and leaves them running, so that its next
 * start does not get them back ("task already exists"); systemd kills Docker after 90 s.
 */
const patience = `set -eu
  sed -i '1s/{/{\\n  "shutdown-timeout": 500,/' /etc/docker/daemon.json
  printf '[Service]\\nTimeoutStopSec=600\\n' >/etc/systemd/system/docker.service.d/20-patience.conf
  systemctl daemon-reload
  systemctl reload docker`;

/** Starts everything and waits until it runs. */
export async function startFixtures({ cluster, stranger, region }: Opened): Promise<void> {
  const [manager] = cluster.nodes;
  if (!manager) throw new Error("no node");
  const target = `root@${stranger.publicIpv4}`;
  const options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"];
  const identity = ["-o", "BatchMode=yes", "-i", stranger.keyFile];
  // Nothing waited for its first boot: it is no node.
  await eventually("the stranger takes SSH connections", 600, async () => {
    await region.exec("ssh", [...options, ...identity, target, "true"], {});
    return true;
  });
  await region.exec("scp", ["-q", ...options, ...identity, await responderBinary(), `${target}:${program}`], {});
  await region.exec("ssh", [...options, ...identity, target, `chmod 755 ${program}; modprobe sctp`], {});

  await Promise.all(cluster.nodes.map((node) => cluster.ssh(node, patience)));
  await cluster.ssh(
    manager,
    `set -eu
     docker network create --driver overlay --attachable plain
     docker network create --driver overlay --attachable --opt encrypted secret`,
  );
  for (const { name, publish } of services) {
    const flags = publish.map((p) => `--publish ${p}`).join(" ");
    await cluster.ssh(
      manager,
      `docker service create --detach --quiet --no-resolve-image --mode global --name ${name} ${flags} ${image} serve --log tcp:80 tcp:8000 udp:9000`,
    );
  }
  // One after the other: an attachable network that both join at the same moment makes Docker 20.10 stumble.
  for (const [index, node] of cluster.nodes.entries()) await startContainers(cluster, node, index);
  await waitForTasks(cluster, 180);
}

async function startContainers(cluster: Opened["cluster"], node: ClusterNode, index: number): Promise<void> {
  const runs = containers.map(([name, flags, listeners]) => `start ${name} ${flags} ${image} serve --log ${listeners}`);
  await cluster.ssh(
    node,
    `set -eu
     modprobe sctp; echo sctp >/etc/modules-load.d/sctp.conf
     docker network create --opt com.docker.network.bridge.name=attk0 attk >/dev/null
     docker network create --ipv6 --subnet fd00:a77:${index}::/64 v6net >/dev/null
     # Always: Docker stops what it finds running when it starts after a SIGKILL, and takes "unless-stopped" to have been stopped.
     # Attaching to an overlay waits 20 s for the manager and no longer, which emulated machines may need.
     start() {
       name=$1; shift
       for attempt in 1 2 3 4 5; do
         docker run --detach --restart always --name "$name" "$@" >/dev/null && return 0
         docker rm -f "$name" >/dev/null
       done
       return 1
     }
     ${runs.join("\n     ")}`,
  );
}

async function waitForTasks(cluster: Opened["cluster"], seconds: number): Promise<void> {
  const names = services.map(({ name }) => name).join(" ");
  await cluster.ssh(
    cluster.manager,
    `for i in $(seq ${Math.ceil(seconds / 2)}); do
       n=$(docker service ps --filter desired-state=running --format '{{.CurrentState}}' ${names} | grep -c '^Running' || :)
       [ "$n" = ${services.length * cluster.nodes.length} ] && exit 0
       sleep 2
     done
     docker service ps --no-trunc ${names} >&2; exit 1`,
  );
}
