/** Policies change under load: nothing closed opens, nothing allowed breaks, nobody is locked out. */
import { eventually, holdConnection } from "../../../harness/src/index.js";
import { attackPolicy, bundleFor } from "../bundles.js";
import { unanswered, underFlood } from "../floods.js";
import type { LifecycleAttack } from "../types.js";
import { outside, outsideAddress } from "../world.js";

const agent = "/opt/hcloud-iptables.sh";
const changes = 100;
const sources = 10_000;
const cpuSeconds = 3;

export const policyAttacks: readonly LifecycleAttack[] = [
  {
    group: "lifecycle",
    name: "preexisting-flow-after-tighten",
    what: "connections that were opened before a policy was tightened, closed or narrowed: to containers, through the mesh, to the host; TCP and UDP",
    leavesNoTrace: true,
    run: async (world) => {
      const { worker: node, attacked } = world;
      const closed = [{ port: 8083 }, { port: 8080 }, { port: 9002, protocol: "udp" }] as const;
      const narrowed = 8443;
      const outsideNetwork = outsideAddress.replace(/\d+$/, "0/24");
      const from = (source: string) => ({ port: narrowed, sources: [source] });
      const wide = bundleFor(node, attackPolicy([...closed, from(outsideNetwork)], { hostServices: [{ port: 7000 }] }));
      const tight = bundleFor(node, attackPolicy([from("198.51.100.0/24")]));
      await world.ssh(node, `${agent} apply`, wide);
      const hold = (port: number) => holdConnection(attacked.region, `http://${node.publicIpv4}:${port}/`);
      const doomed = [8083, 8080, narrowed, 7000];
      const refused = await Promise.all(doomed.map(hold));
      const allowed = await Promise.all([443, 80].map(hold));
      const udp = { network: "udp4", address: node.publicIpv4, port: 9002, sourcePort: 45_000 } as const;
      const [before] = await world.ask(outside, [{ ...udp, label: "9002/udp, open", must: "open" }]);
      await world.ssh(node, `${agent} apply`, tight);
      const [after] = await world.ask(outside, [{ ...udp, label: "9002/udp, closed, same ports", must: "closed" }]);
      await new Promise((resolve) => setTimeout(resolve, 3000));
      const cut = await Promise.all(refused.map((one) => one.stop()));
      const kept = await Promise.all(allowed.map((one) => one.stop()));
      await world.ssh(node, `${agent} apply`, bundleFor(node, attackPolicy()));
      if (before?.open !== true)
        throw new Error(`the control: 9002/udp did not answer while it was open: ${before?.detail}`);
      if (after?.open !== false) throw new Error("a UDP flow outlived the policy that let it in");
      for (const [index, { requests, failures }] of cut.entries()) {
        if (requests === failures) throw new Error(`the control: ${doomed[index]} did not answer while it was open`);
        if (failures === 0) throw new Error(`a connection to ${doomed[index]} outlived the policy that let it in`);
      }
      for (const report of kept)
        if (report.failures > 0 || report.connections !== 1)
          throw new Error(`an allowed connection broke: ${JSON.stringify(report)}`);
      return `refused flows ended (TCP to ${doomed.join(", ")}; UDP at once); allowed connections lived on`;
    },
  },
  {
    group: "lifecycle",
    name: "container-egress-limited",
    what: "a container dials beyond its node what a policy of what containers may dial does not name; what it names, other containers and the mesh go on",
    leavesNoTrace: true,
    run: async (world) => {
      const { worker: node, manager } = world;
      const [named, other] = [8181, 8282];
      const destination = { destinations: [`${outsideAddress}/32`], port: named };
      const limited = attackPolicy([], { containerEgress: { open: [destination] } });
      const overlay = await world.addressOf(manager, "c-plain", "plain");
      const dial = (must: "open" | "closed") =>
        world.withOutsideServer([`tcp:${named}`, `tcp:${other}`], async (address) => {
          const to = (label: string, port: number, wanted: "open" | "closed") =>
            ({ label, must: wanted, network: "tcp4", address, port }) as const;
          const seen = await Promise.all([
            world.ask({ kind: "container", node, container: "c-run" }, [
              to("named, from a bridge", named, "open"),
              to("not named, from a bridge", other, must),
            ]),
            world.ask({ kind: "container", node, container: "c-plain" }, [
              to("not named, from an overlay", other, must),
              { label: "overlay", must: "open", network: "tcp4", address: overlay, port: 8000 },
            ]),
          ]);
          const wrong = seen.flat().filter((one) => one.open !== (one.must === "open"));
          if (wrong.length > 0) throw new Error(wrong.map(({ label, detail }) => `${label}: ${detail}`).join("; "));
        });
      await dial("open");
      await world.ssh(node, `${agent} apply`, bundleFor(node, limited));
      await dial("closed");
      await world.mustBeAsBefore(node);
      await world.ssh(node, `${agent} apply`, bundleFor(node, attackPolicy()));
      return `${other} outside, open before, is closed; ${named} outside, the overlay and the published ports answer`;
    },
  },
  {
    group: "lifecycle",
    name: "policy-changes-under-load",
    what: `${changes} policies in a row, with and without a set: no probe of a closed port is answered, no allowed connection lost`,
    leavesNoTrace: true,
    run: async (world) => {
      const { worker: node, attacked } = world;
      // Published, and of the host.
      const closed = [8083, 7000];
      for (const port of closed) await world.listens(node, port);
      const more = attackPolicy([{ port: 8777, sources: ["198.51.100.0/24", "2001:db8:77::/48"] }]);
      const bundles = [bundleFor(node, more), bundleFor(node, attackPolicy())] as const;
      await world.ssh(node, "cat >/run/one", bundles[0]);
      await world.ssh(node, "cat >/run/two", bundles[1]);
      const held = await Promise.all(
        [443, 80].map((port) => holdConnection(attacked.region, `http://${node.publicIpv4}:${port}/`)),
      );
      const started = Date.now();
      const flooded = await underFlood(
        world,
        node,
        () =>
          world.ssh(
            node,
            `for i in $(seq ${changes / 2}); do ${agent} apply </run/one && ${agent} apply </run/two || exit 1; done 2>&1 | grep -c applied`,
          ),
        closed,
      );
      const seconds = (Date.now() - started) / 1000;
      const reports = await Promise.all(held.map((one) => one.stop()));
      const applied = flooded.result.trim();
      if (Number(applied) !== changes) throw new Error(`${applied} of ${changes} policies were applied`);
      const said = unanswered(flooded);
      for (const report of reports)
        if (report.failures > 0 || report.connections !== 1)
          throw new Error(`an allowed connection was lost: ${JSON.stringify(report)}`);
      const requests = reports.reduce((sum, report) => sum + report.requests, 0);
      return `${said}; 2 connections with ${requests} requests lived through ${changes} policies in ${seconds.toFixed(0)} s`;
    },
  },
  {
    group: "lifecycle",
    name: "ten-thousand-sources",
    what: `a policy with ${sources.toLocaleString("en")} source networks is applied in under ${cpuSeconds} s of CPU`,
    leavesNoTrace: true,
    run: async (world) => {
      const node = world.worker;
      const networks = Array.from({ length: sources }, (_, index) => `20.${index >> 8}.${index & 255}.0/24`);
      await world.ssh(node, "cat >/run/many", bundleFor(node, attackPolicy([{ port: 8777, sources: networks }])));
      await world.ssh(node, "cat >/run/few", bundleFor(node, attackPolicy()));
      const spent: number[] = [];
      for (let round = 0; round < 8; round++) {
        // The second line of `times`: user and system time of all that the shell started.
        const times = await world.ssh(
          node,
          `sh -c '${agent} apply </run/many >/dev/null 2>&1 || exit 1; times' | tail -n 1`,
        );
        const parts = [...times.matchAll(/(\d+)m([\d.]+)s/g)].map(
          ([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds),
        );
        spent.push(parts.reduce((sum, part) => sum + part, 0));
        const held = await world.ssh(node, "ipset list -t hc-p-tcp-8777-4 | sed -n 's/^Number of entries: //p'");
        if (Number(held) !== sources) throw new Error(`the set has ${held.trim()} networks`);
        await world.ssh(node, `${agent} apply </run/few`);
      }
      // The best of them: an emulated processor counts what it waits for the host as its own.
      const best = Math.min(...spent);
      if (best >= cpuSeconds) throw new Error(`${spent.map((one) => one.toFixed(2)).join(", ")} s of CPU`);
      return `${best.toFixed(2)} s of CPU at best (${spent.map((one) => one.toFixed(2)).join(", ")})`;
    },
  },
  {
    group: "lifecycle",
    name: "ssh-lockout-rollback",
    what: "a policy whose SSH sources leave out the machine that deploys: the node takes it back, and `pulumi up` fails and says so",
    run: async (world) => {
      const { stack, cluster } = world.attacked;
      await stack.setConfig("probation", "60");
      await stack.setConfig("sshSources", '["198.51.100.77/32"]');
      const digests = () =>
        Promise.all(cluster.nodes.map((node) => world.ssh(node, `sha256sum </etc/hcloud-iptables/payload`)));
      const before = await digests();
      const run = await stack.pulumi("up", "--yes", "--skip-preview");
      if (run.exitCode === 0) throw new Error("`pulumi up` came through");
      const told = run.text.split("\n").find((line) => /took the policy back/.test(line));
      if (told === undefined)
        throw new Error(`the error does not say that the node took the policy back:\n${run.text.slice(-1500)}`);
      // Connections of before the change live on, whoever is shut out: only a new one shows that nobody is.
      await eventually("SSH with the old rules", 120, async () => {
        await world.shells.reconnect();
        return true;
      });
      await eventually("the old payload everywhere", 120, async () => (await digests()).join() === before.join());
      for (const node of cluster.nodes) await world.ssh(node, `${agent} verify >/dev/null`);
      return `\`pulumi up\` failed: ${told.trim().slice(0, 200)}; new SSH connections again, and verification passes with the old rules`;
    },
  },
];
