/** `npm run demo`: a hardened three-node swarm on real virtual machines, probed from outside. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  type Cluster,
  cacheDir,
  consoleTails,
  installResponder,
  openCluster,
  openStack,
  phase,
  phases,
  root,
  type Stack,
  say,
  sshKey,
  startRegion,
  startServices,
  table,
} from "../harness/src/index.js";
import { inspect } from "./inspect.js";

const help = `usage: npm run demo -- [--keep] [--name NAME] [--skip-reboot]

Starts a region (a local stand-in for Hetzner Cloud: its API over virtual machines), runs \`pulumi up\` on
examples/cluster (1 manager, 2 workers), starts one service on open and one on closed ports, and probes them from outside.

  --keep          leave region and cluster running at the end, to look around
  --name NAME     name of the region (default: demo); a region that runs already is used as it is
  --skip-reboot   do not reboot a node and probe again
`;

const { values } = parseArgs({
  options: {
    keep: { type: "boolean", default: false },
    name: { type: "string", default: "demo" },
    "skip-reboot": { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

/** Lines of `pulumi up` worth seeing while one waits: what was made, and what a node says. */
function progress(line: string): void {
  if (/Dial \d+\/\d+ failed|using pulumi-/.test(line)) return;
  if (/^\s*(\+|~|-|\+-|-\+)\s.*(created|updated|deleted|replaced|failed)/.test(line) || /error|warning:/.test(line))
    say(`    ${line.trim()}`);
}

/** The program's second run must find nothing to do. */
async function secondUp(stack: Stack): Promise<string[]> {
  const run = await phase("second `pulumi up`", () => stack.up());
  const changed = /^\s+[+~-]\s*\d+\s+(created|updated|deleted|replaced)|^\s+[+~-]+ \d+ to /m.test(run.text);
  const unchanged = /(\d+) unchanged/.exec(run.text);
  say(`    ${unchanged?.[0] ?? "no count of unchanged resources"}, ${run.sshSessions.length} SSH sessions`);
  const problems: string[] = [];
  if (changed || !unchanged) problems.push(`the second up changed something:\n${run.text}`);
  if (run.sshSessions.length > 0) problems.push(`the second up opened ${run.sshSessions.length} SSH sessions`);
  return problems;
}

/** Reboots the last worker and waits until its swarm node is Ready again. */
async function reboot(cluster: Cluster): Promise<void> {
  const node = cluster.nodes.at(-1);
  if (!node) throw new Error("no node to reboot");
  await phase(`reboot of ${node.name}`, async () => {
    const bootId = () => cluster.ssh(node, "cat /proc/sys/kernel/random/boot_id");
    const before = await bootId();
    await cluster.ssh(node, "systemd-run --quiet --on-active=1 systemctl reboot");
    const deadline = Date.now() + 360_000;
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 3000));
      const now = await bootId().catch(() => before);
      const tasks = now === before ? "" : await runningTasks(cluster, node.name);
      if (tasks.trim() === "2") return;
      if (Date.now() > deadline) throw new Error(`${node.name} is not back 360 s after its reboot`);
    }
  });
}

function runningTasks(cluster: Cluster, node: string): Promise<string> {
  return cluster
    .ssh(
      cluster.manager,
      `docker node inspect --format '{{.Status.State}}' ${node} | grep -qx ready &&
       docker node ps --filter desired-state=running --format '{{.CurrentState}}' ${node} | grep -c '^Running'`,
    )
    .catch(() => "");
}

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const problems: string[] = [];
  const region = await phase("region", () => startRegion(values.name, (line) => say(`    ${line}`)));
  let stack: Stack | undefined;
  const tearDown = async () => {
    if (values.keep) return;
    const opened = stack;
    if (opened) await phase("`pulumi destroy`", () => opened.destroy(progress));
    await phase("region stop", () => region.command("stop", "--purge"));
  };
  process.once("SIGINT", () => {
    say("interrupted: taking the region down");
    void region.command("stop", "--purge").finally(() => process.exit(130));
  });
  try {
    const key = await sshKey(cacheDir("stacks", `${values.name}-cluster`));
    const opened = await openStack({ region, program: join(root, "examples/cluster"), name: "cluster" });
    stack = opened;
    await opened.setConfig("privateKeyFile", key);
    // Emulated machines on a slow computer take twenty minutes.
    await opened.setConfig("cloudInitSeconds", "2400");
    await phase("`pulumi up` (1 manager, 2 workers)", () => opened.up(progress));
    const cluster = await openCluster(region, opened, key);
    await phase("two services on every node", async () => {
      await installResponder(cluster);
      await startServices(cluster);
    });
    problems.push(...(await inspect(cluster)));
    problems.push(...(await secondUp(opened)));
    if (!values["skip-reboot"]) {
      await reboot(cluster);
      problems.push(...(await inspect(cluster, "after the reboot")));
    }
    if (values.keep) sayHowToLookAround(cluster, opened, key);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    say(await consoleTails(region));
    throw error;
  } finally {
    await tearDown();
  }
  process.stdout.write(
    `\n${table(
      ["phase", "seconds"],
      phases().map((p) => [p.title, p.seconds.toFixed(1)]),
    )}\n\n`,
  );
  if (problems.length > 0) {
    process.stdout.write(`NOT as it must be:\n${problems.map((problem) => `  - ${problem}`).join("\n")}\n`);
    return 1;
  }
  say("Every port is as the policy says.");
  if (!values.keep) say("To keep the cluster and look around: npm run demo -- --keep");
  return 0;
}

function sayHowToLookAround(cluster: Cluster, stack: Stack, key: string): void {
  const cli = `node packages/region/bin/region.mjs`;
  const on = `--name ${values.name}`;
  process.stdout.write(`
Look around:
  ${cli} status ${on}
  ${cli} exec ${on} -- ssh -F ${join(stack.stateDir, "ssh_config")} -i ${key} ${cluster.manager.name}
  ${cli} exec ${on} -- curl http://${cluster.manager.publicIpv4}/
  ${cli} console ${cluster.manager.name} ${on}
Tear down:
  ${cli} stop ${on} --purge
`);
}

main().then(
  (status) => process.exit(status),
  (error) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
