/** The host agent meets what it must not choke on: itself, Docker at the same moment, broken input, missing sets, a full disk. */
import { attackPolicy, bundleFor } from "../bundles.js";
import { unanswered, underFlood } from "../floods.js";
import type { LifecycleAttack } from "../types.js";
import { dockerStartSeconds, type World } from "../world.js";

const agent = "/opt/hcloud-iptables.sh";
/** Everything that filters, without counters: equal text is equal rules. */
const rulesText =
  "for f in iptables ip6tables; do for t in raw mangle filter; do $f -t $t -S; done; done; ipset save | sort";

/** Runs a command of the agent that must be refused; gives what it said and its status. */
async function refused(
  world: World,
  input: string,
  command = `${agent} apply`,
): Promise<{ status: number; text: string }> {
  const text = await world.ssh(world.worker, `${command} 2>&1; echo "status $?"`, input);
  const status = Number(/status (\d+)\s*$/.exec(text)?.[1]);
  if (status === 0) throw new Error(`it was taken: ${text}`);
  return { status, text: text.trim() };
}

/** A bundle that must change nothing. */
async function changesNothing(world: World, input: string, prepare = ":", command?: string): Promise<string> {
  const node = world.worker;
  await world.ssh(node, prepare);
  const before = await world.ssh(node, rulesText);
  const { status, text } = await refused(world, input, command);
  const after = await world.ssh(node, rulesText);
  if (after !== before) throw new Error(`the rules are not as before after: ${text}`);
  return `status ${status}`;
}

/** The worker's own verification must pass. */
async function verified(world: World): Promise<void> {
  const report = await world.ssh(world.worker, `${agent} verify || :`);
  if (!/ 0 failed/.test(report)) throw new Error(report);
}

export const agentAttacks: readonly LifecycleAttack[] = [
  {
    group: "lifecycle",
    name: "double-apply",
    what: "the same bundle applied twice, and twice at the same moment: equal rules, each jump once",
    leavesNoTrace: true,
    run: async (world) => {
      const node = world.worker;
      const bundle = bundleFor(node, attackPolicy());
      await world.ssh(node, `${agent} apply`, bundle);
      const before = await world.ssh(node, rulesText);
      const said = await world.ssh(node, `${agent} apply 2>&1`, bundle);
      if (!/unchanged/.test(said)) throw new Error(`the second run did something: ${said}`);
      await Promise.all([world.ssh(node, `${agent} apply`, bundle), world.ssh(node, `${agent} check`)]);
      if ((await world.ssh(node, rulesText)) !== before) throw new Error("the rules are not as before");
      // That each jump is there once is among its checks.
      await verified(world);
      return "the second run says unchanged; rules equal, byte for byte; verification passes";
    },
  },
  {
    group: "lifecycle",
    name: "concurrent-apply-and-docker",
    what: "policies applied while containers are published and unpublished: both write the same tables",
    run: async (world) => {
      const node = world.worker;
      const one = bundleFor(node, attackPolicy());
      const two = bundleFor(node, attackPolicy([{ port: 8777 }]));
      const flooded = await underFlood(
        world,
        node,
        async () => {
          const docker = world.ssh(
            node,
            `for i in 1 2 3; do docker run -d --name loop$i -p 870$i:80 ${world.image} serve tcp:80 >/dev/null || exit 1; done`,
          );
          for (let i = 0; i < 4; i++) await world.ssh(node, `${agent} apply`, i % 2 === 0 ? two : one);
          await docker;
          await world.listens(node, 8701);
          await world.ssh(node, "docker rm -f loop1 loop2 loop3 >/dev/null");
        },
        [8083, 8701],
      );
      const said = unanswered(flooded);
      await verified(world);
      await world.mustBeAsBefore(node);
      return `${said}; 4 policies and 3 containers took effect; verification passes`;
    },
  },
  {
    group: "lifecycle",
    name: "malformed-allowlist",
    what: "bundles with a broken element, a cut end, a chain that is not ours: refused, and the old rules stay",
    leavesNoTrace: true,
    run: async (world) => {
      const sources = ["192.0.2.0/24"];
      const good = bundleFor(world.worker, attackPolicy([{ port: 8777, sources: [...sources, "198.51.100.0/24"] }]));
      const broken: Record<string, string> = {
        "an element that is no network": good.replace(/^(add \S+) 192\.0\.2\.0\/24$/m, "$1 192.0.2.0/99"),
        "no end": good.replace(/### end\n?$/, ""),
        "a chain that is not ours": good.replace(/^-A HC-IN /m, "-A INPUT "),
        "a rule that iptables refuses": good.replace(/^-A HC-IN -i lo -j RETURN$/m, "-A HC-IN -i lo -j NOWHERE"),
      };
      const said: string[] = [];
      for (const [what, bundle] of Object.entries(broken)) {
        if (bundle === good) throw new Error(`the bundle was not broken: ${what}`);
        said.push(`${what}: ${await changesNothing(world, bundle)}`);
      }
      await world.mustBeAsBefore(world.worker);
      return said.join("; ");
    },
  },
  {
    group: "lifecycle",
    name: "missing-ipset",
    what: "a bundle whose rule names a set that the bundle does not make, and a set of peers that somebody emptied",
    leavesNoTrace: true,
    run: async (world) => {
      const node = world.worker;
      const policy = attackPolicy([{ port: 8777, sources: ["192.0.2.0/24", "198.51.100.0/24"] }]);
      const whole = bundleFor(node, policy);
      const without = whole.replace(/^(create|add) hc-p-tcp-8777-4.*\n/gm, "");
      if (without === whole) throw new Error("the bundle names no set that could be left out");
      const refusal = await changesNothing(world, without);
      await world.ssh(node, "ipset flush hc-peers4");
      const report = world.attacked.cluster.parseReport(
        await world.ssh(node, `HC_PAUSE=0 ${agent} verify --json 2>/dev/null || :`),
      );
      if (report.checks.find(({ name }) => name === "peers")?.passed !== false)
        throw new Error("the verifier did not miss the peers");
      await world.ssh(node, `${agent} check`);
      if (!(await world.ssh(node, "ipset save hc-peers4")).includes(world.manager.privateIp))
        throw new Error("the peers are not back");
      return `a missing set: ${refusal}; emptied peers: caught by peers, back after the check`;
    },
  },
  {
    group: "lifecycle",
    name: "full-disk",
    what: "no room to store the new payload: the old rules stay, in the kernel and on disk",
    run: async (world) => {
      const node = world.worker;
      const bundle = bundleFor(node, attackPolicy([{ port: 8083 }]));
      // A small file system of its own, full, in the place of the folder: the real disk would take minutes to fill.
      const prepare = `set -e; cp -a /etc/hcloud-iptables /run/kept; mount -t tmpfs -o size=64k none /etc/hcloud-iptables; chmod 700 /etc/hcloud-iptables
         cp -a /run/kept/. /etc/hcloud-iptables/; dd if=/dev/zero of=/etc/hcloud-iptables/fill bs=1k 2>/dev/null || :`;
      const said = await changesNothing(world, bundle, prepare);
      await world.ssh(node, "cmp /etc/hcloud-iptables/payload /run/kept/payload && umount /etc/hcloud-iptables");
      await world.mustBeAsBefore(node);
      return `${said}; rules and stored payload as before`;
    },
  },
  {
    group: "lifecycle",
    name: "boot-script-fails",
    what: "the boot finds a broken payload: SSH stays open, everything else is shut",
    run: async (world) => {
      const node = world.worker;
      await world.ssh(node, "echo broken >/etc/hcloud-iptables/payload");
      const id = await world.bootId(node);
      const flooded = await underFlood(world, node, async () => {
        await world.ssh(node, "systemd-run --quiet --on-active=1 systemctl reboot");
        await world.rebooted(node, id);
        // The control: Docker publishes its ports again behind these rules. It waits for a swarm that it cannot reach.
        await world.listens(node, 8083, { seconds: dockerStartSeconds });
      });
      const quiet = unanswered(flooded);
      const [open] = await world.ask({ kind: "outside" }, [
        { label: "443/tcp", must: "closed", network: "tcp4", address: node.publicIpv4, port: 443 },
      ]);
      if (open?.open !== false) throw new Error("a port answers although no valid policy opens it");
      const rules = await world.ssh(node, "iptables -S HC-IN; ip6tables -S HC-IN");
      if ((rules.match(/-A HC-IN -j DROP/g) ?? []).length !== 2) throw new Error(`not closed: ${rules}`);
      const said = await world.ssh(
        node,
        "journalctl -b -u hcloud-iptables -o cat --no-pager | grep -c 'NO VALID PAYLOAD' || :",
      );
      if (Number(said) === 0) throw new Error("the journal does not say that there is no valid payload");
      return `SSH answers; ${quiet}, and not even 443 answers afterwards; the journal says why`;
    },
  },
];
