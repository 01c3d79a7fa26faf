/** Boots: nothing may come in before the rules are there, and what is open must come back. */
import { unanswered, underFlood, withoutAnswers } from "../floods.js";
import type { LifecycleAttack } from "../types.js";
import type { World } from "../world.js";

/** Published by a container and with mode=host, and a listener on the host's network. */
const flooded = [8083, 8081, 7000];

async function rebootUnderFlood(world: World, prepare = ":"): Promise<string> {
  const node = world.worker;
  await world.listens(node);
  await world.ssh(node, prepare);
  const id = await world.bootId(node);
  const result = await underFlood(
    world,
    node,
    async () => {
      await world.ssh(node, "systemd-run --quiet --on-active=1 systemctl reboot");
      const started = Date.now();
      await world.rebooted(node, id);
      await world.mustBeAsBefore(node, 240);
      const seconds = (Date.now() - started) / 1000;
      await world.back(node, flooded);
      return seconds;
    },
    flooded,
  );
  return `${unanswered(result)}; open ports answered again ${result.result.toFixed(0)} s after the reboot was ordered`;
}

export const bootAttacks: readonly LifecycleAttack[] = [
  {
    group: "lifecycle",
    name: "reboot-flood",
    what: "a node with published services is rebooted under a flood of closed ports",
    run: (world) => rebootUnderFlood(world),
  },
  {
    group: "lifecycle",
    name: "nftables-enabled-reboot",
    what: "nftables.service, which flushes everything when it starts, was enabled before a reboot",
    run: async (world) => {
      const said = await rebootUnderFlood(
        world,
        "systemctl unmask nftables 2>/dev/null; systemctl enable nftables 2>/dev/null",
      );
      const node = world.worker;
      const active = (await world.ssh(node, "systemctl show -P ActiveEnterTimestampMonotonic nftables")).trim();
      if (Number(active) === 0) throw new Error("nftables.service did not run in that boot");
      const report = world.attacked.cluster.parseReport(
        await world.ssh(node, "/opt/hcloud-iptables.sh verify --json 2>/dev/null || :"),
      );
      const failed = report.checks.filter(({ passed }) => !passed).map(({ name }) => name);
      if (!failed.includes("no-nftables")) throw new Error(`the verifier does not name it: ${failed.join(", ")}`);
      return `${said}; the verifier names ${failed.join(", ")}`;
    },
  },
  {
    group: "lifecycle",
    name: "first-boot-install-window",
    what: "the first boot's own program installs Docker while a container that restarts always waits to be published",
    run: async (world) => {
      const node = world.worker;
      await world.listens(node);
      // As cloud-init leaves the node: its files are there, nothing is loaded, no Docker. Containers of before stay on disk, so
      // Docker publishes them the moment it starts; on a fresh server there would be nothing to attack.
      await world.ssh(
        node,
        `export DEBIAN_FRONTEND=noninteractive
         docker swarm leave >/dev/null
         systemctl disable --quiet hcloud-iptables hcloud-iptables-check.timer; systemctl stop hcloud-iptables-check.timer
         cp -a /etc/hcloud-iptables /run/kept; systemctl stop docker docker.socket hcloud-iptables
         apt-get -q -y remove docker.io >/dev/null 2>&1; systemctl daemon-reload
         /opt/hcloud-iptables.sh remove; cp -a /run/kept /etc/hcloud-iptables
         ! { iptables-save; ip6tables-save; } | grep HC-; ! command -v dockerd`,
      );
      const result = await underFlood(
        world,
        node,
        async () => {
          await world.ssh(
            node,
            "sh /opt/hcloud-swarm-setup.sh >/run/setup.log 2>&1 || { tail -n 20 /run/setup.log >&2; exit 1; }",
          );
          await world.back(node, [8083]);
        },
        [8083],
      );
      // Until the program has loaded the rules there are none, and the host refuses what nobody listens on.
      const said = withoutAnswers(result);
      const open = await world.ask({ kind: "outside" }, [
        { label: "443", must: "open", network: "tcp4", address: node.publicIpv4, port: 443 },
      ]);
      if (open[0]?.open !== true) throw new Error(`the open port does not answer: ${open[0]?.detail}`);
      return `${said} while Docker was installed and published its containers`;
    },
  },
];
