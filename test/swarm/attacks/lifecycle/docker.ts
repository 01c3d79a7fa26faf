/** Docker and swarm come and go while closed ports are probed. */
import { eventually, watched } from "../../../harness/src/index.js";
import { unanswered, underFlood } from "../floods.js";
import type { LifecycleAttack } from "../types.js";
import { dockerStartSeconds, type World } from "../world.js";

/** Published by a container, through the mesh and with mode=host. */
const flooded = [8083, 8080, 8081];

/** Docker goes and comes back: nothing may come in, and what is open must answer again. */
async function through(world: World, command: string): Promise<string> {
  const node = world.worker;
  await world.listens(node);
  const before = await dockerd(world);
  const { result, records } = await watched(
    world.attacked.region,
    [node],
    () =>
      underFlood(
        world,
        node,
        async () => {
          await world.ssh(node, command);
          await world.mustBeAsBefore(node, dockerStartSeconds);
          await world.back(node, flooded);
        },
        flooded,
      ),
    200,
  );
  const said = unanswered(result);
  if ((await dockerd(world)) === before) throw new Error("the daemon is the one of before");
  const silent = Math.max(...records.map(({ outageMs }) => outageMs)) / 1000;
  return `${said}; the open port was silent for at most ${silent.toFixed(1)} s`;
}

/** Which process it is. */
async function dockerd(world: World): Promise<string> {
  return (await world.ssh(world.worker, "systemctl show -P MainPID docker")).trim();
}

export const dockerAttacks: readonly LifecycleAttack[] = [
  {
    group: "lifecycle",
    name: "docker-restart",
    what: "systemctl restart docker under a flood of closed ports",
    run: (world) => through(world, "systemctl restart docker"),
  },
  {
    group: "lifecycle",
    name: "drift-before-docker-restart",
    what: "DOCKER-USER emptied, then Docker restarted: its start is followed by a look that repairs and says so",
    leavesNoTrace: true,
    run: async (world) => {
      const node = world.worker;
      const since = (await world.ssh(node, "date +%s")).trim();
      // The timer's look must not be the one that repairs.
      await world.ssh(node, "systemctl stop hcloud-iptables-check.timer");
      const said = await through(
        world,
        "iptables -F DOCKER-USER && ip6tables -F DOCKER-USER && systemctl restart docker",
      );
      const logged = await world.ssh(
        node,
        `journalctl -u docker --since @${since} -o cat --no-pager | grep -c 'drifted:.*DOCKER-USER' || :`,
      );
      if (Number(logged) === 0) throw new Error("Docker's journal does not say what drifted");
      await world.ssh(node, "systemctl start hcloud-iptables-check.timer && /opt/hcloud-iptables.sh verify >/dev/null");
      return `${said}; Docker's journal names what drifted; verification passes`;
    },
  },
  {
    group: "lifecycle",
    name: "dockerd-kill9",
    what: "dockerd killed with SIGKILL under a flood of closed ports; systemd starts it again",
    run: (world) =>
      through(
        world,
        `pid=$(systemctl show -P MainPID docker); kill -9 "$pid"
         for i in $(seq 240); do
           [ "$(systemctl show -P MainPID docker)" != "$pid" ] && systemctl is-active --quiet docker && exit 0; sleep 1
         done; exit 1`,
      ),
  },
  {
    group: "lifecycle",
    name: "network-create-loop-under-flood",
    what: "networks made and deleted in a loop: up to Docker 27 each one takes the jump to DOCKER-USER out for a moment",
    leavesNoTrace: true,
    run: async (world) => {
      const node = world.worker;
      await world.listens(node);
      const loop =
        "for i in $(seq 12); do docker network create loop$i >/dev/null && docker network rm loop$i >/dev/null; done";
      const said = unanswered(await underFlood(world, node, () => world.ssh(node, loop)));
      await world.mustBeAsBefore(node);
      return `${said} while 12 networks came and went`;
    },
  },
  {
    group: "lifecycle",
    name: "swarm-leave-rejoin",
    what: "a worker leaves the swarm and joins again: ingress is taken down and built up",
    run: async (world) => {
      const node = world.worker;
      await world.listens(node);
      const token = (await world.ssh(world.manager, "docker swarm join-token -q worker")).trim();
      const result = await underFlood(
        world,
        node,
        async () => {
          await world.ssh(node, "docker swarm leave");
          // The token on standard input: it is a secret, and process arguments are not.
          await world.ssh(
            node,
            `read -r token; printf '{"ListenAddr":"${node.privateIp}:2377","AdvertiseAddr":"${node.privateIp}","RemoteAddrs":["${world.manager.privateIp}:2377"],"JoinToken":"%s"}' "$token" |
             curl -fsS --unix-socket /var/run/docker.sock -H 'Content-Type: application/json' -d @- http://docker/swarm/join`,
            `${token}\n`,
          );
          await eventually("the worker's tasks", dockerStartSeconds, async () => {
            const running = await world.ssh(
              node,
              "docker ps --format '{{.Names}}' | grep -cE '^(allowed|forbidden)' || :",
            );
            return Number(running) === 2;
          });
          await world.back(node, flooded);
        },
        flooded,
      );
      const said = unanswered(result);
      await world.mustBeAsBefore(node, dockerStartSeconds);
      return `${said}; open ports answer after the rejoin`;
    },
  },
  {
    group: "lifecycle",
    name: "first-ingress-service",
    what: "a port published through the mesh for the first time: closed from its first moment on",
    leavesNoTrace: true,
    run: async (world) => {
      const { manager, worker: node } = world;
      const result = await underFlood(
        world,
        node,
        async () => {
          await world.ssh(
            manager,
            `docker service create --quiet --no-resolve-image --name first --replicas 1 --publish published=8555,target=80 ${world.image} serve tcp:80 >/dev/null`,
          );
          await world.listens(node, 8555);
          await world.ssh(manager, "docker service rm first >/dev/null");
        },
        [8555],
      );
      return `${unanswered(result)}; on the node itself the port answered`;
    },
  },
  {
    group: "lifecycle",
    name: "docker-upgrade",
    what: "docker.io unpacked and configured again by dpkg, as an upgrade does, and its daemon started anew, under a flood of closed ports",
    run: (world) =>
      through(
        world,
        // Debian's package leaves the daemon that runs.
        `installed() { grep -c ' status installed docker.io' /var/log/dpkg.log; }
         daemon() { systemctl show -P MainPID docker; }
         before=$(installed) pid=$(daemon)
         DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 install --reinstall --no-install-recommends docker.io >/dev/null 2>&1 || exit 1
         [ "$(installed)" -gt "$before" ] || exit 1
         [ "$(daemon)" != "$pid" ] || systemctl restart docker
         systemctl is-active --quiet docker`,
      ),
  },
  {
    group: "lifecycle",
    name: "userland-proxy-false",
    what: "Docker without docker-proxy: ports are translated on loopback, and over IPv6 by ip6tables on every version",
    run: async (world) => {
      const node = world.worker;
      await world.ssh(
        node,
        `python3 - <<'EOF'
import json
path = "/etc/docker/daemon.json"
options = json.load(open(path))
options["userland-proxy"] = False
# Docker's default from 27 on, an experiment before.
options.update(${(await world.dockerVersion()) < 27 ? '{"ip6tables": True, "experimental": True}' : "{}"})
json.dump(options, open(path, "w"))
EOF
         systemctl restart docker`,
      );
      for (const port of [443, 8083]) await world.listens(node, port, { families: ["IPv4"] });
      for (const port of [8084, 8888]) await world.listens(node, port);
      await world.ssh(node, "ip6tables -t nat -S | grep -q -- '--dport 8888 .*DNAT'");
      const overIpv6 = [
        { label: "closed [IPv6]:8084/tcp", must: "closed", network: "tcp6", address: node.publicIpv6, port: 8084 },
        { label: "open [IPv6]:8888/tcp", must: "open", network: "tcp6", address: node.publicIpv6, port: 8888 },
      ] as const;
      const seen = await world.ask({ kind: "outside" }, [
        { label: "closed 8083/tcp", must: "closed", network: "tcp4", address: node.publicIpv4, port: 8083 },
        { label: "closed 8084/tcp", must: "closed", network: "tcp4", address: node.publicIpv4, port: 8084 },
        { label: "closed 9002/udp", must: "closed", network: "udp4", address: node.publicIpv4, port: 9002 },
        { label: "open 443/tcp", must: "open", network: "tcp4", address: node.publicIpv4, port: 443 },
        { label: "open 8888/tcp", must: "open", network: "tcp4", address: node.publicIpv4, port: 8888 },
        ...overIpv6,
      ]);
      const wrong = seen.filter(({ must, open }) => open !== (must === "open"));
      if (wrong.length > 0)
        throw new Error(wrong.map(({ label, open }) => `${label} is ${open ? "open" : "closed"}`).join("; "));
      const proxies = (await world.ssh(node, "pgrep -c docker-proxy || :")).trim();
      if (proxies !== "0") throw new Error(`${proxies} docker-proxy processes run still`);
      const report = world.attacked.cluster.parseReport(
        await world.ssh(node, "/opt/hcloud-iptables.sh verify --json || :"),
      );
      const failed = report.checks.filter(({ passed }) => !passed).map(({ name }) => name);
      if (failed.length > 0) throw new Error(`the verification fails: ${failed.join(", ")}`);
      return "closed ports closed and open ports open without docker-proxy, translated in both families; verification passes";
    },
  },
];
