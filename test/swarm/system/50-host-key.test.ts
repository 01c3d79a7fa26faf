import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Cluster, eventually, openCluster, openStack, root, sessionsByHost } from "../../harness/src/index.js";
import { ready, restoreReady } from "../lib.js";

const scratch = mkdtempSync(join(tmpdir(), "hcloud-swarm-host-key-"));

/** The Node host that the other suites run on is older than the engine, and does not know the hooks that say what to do. */
beforeAll(async () => {
  const ensure = join(root, "test/engine/ensure.mjs");
  const { stdout } = await execa(process.execPath, [ensure, "--policies", "--print-path"]);
  vi.stubEnv("PATH", `${stdout.trim()}${delimiter}${process.env.PATH ?? ""}`);
}, 1_200_000);
afterAll(async () => {
  vi.unstubAllEnvs();
  rmSync(scratch, { recursive: true, force: true });
  await restoreReady();
});

/** The example with one pool's nodes by their names, one of them with another host key. */
function accepting({ outputs }: Cluster, role: string, name: string, hostKey: string): string {
  const example = join(root, "examples/cluster");
  const program = join(scratch, "cluster");
  cpSync(example, program, { recursive: true, filter: (path) => !path.startsWith(join(example, "node_modules")) });
  symlinkSync(join(example, "node_modules"), join(program, "node_modules"));
  const names = Object.entries(outputs.nodes).filter(([, node]) => node.role === role);
  const nodes = Object.fromEntries(names.map(([one]) => [one, one === name ? { hostKey } : {}]));
  const counted = readFileSync(join(example, "index.ts"), "utf8");
  const named = counted.replace(role === "manager" ? "count: 1" : "count: workers", `nodes: ${JSON.stringify(nodes)}`);
  expect(named, "the example counts its nodes").not.toBe(counted);
  writeFileSync(join(program, "index.ts"), named);
  return program;
}

test("a node that shows another host key than the pinned one is refused, and nothing reaches it until the key is accepted", async () => {
  const { region, stack, cluster, keyFile } = await ready();
  const node = cluster.nodes.at(-1);
  if (!node) throw new Error("no node");
  // The control: with the pinned key, the node answers.
  expect((await cluster.ssh(node, "hostname")).trim()).toBe(node.name);
  const key = "/etc/ssh/ssh_host_ed25519_key";
  const changed = await cluster.ssh(
    node,
    `rm ${key} ${key}.pub && ssh-keygen -q -t ed25519 -N '' -f ${key} && cat ${key}.pub && systemctl reload ssh`,
  );
  // The daemon takes up its new key a moment after it was told to.
  await eventually("the node shows its new key", 60, async () =>
    cluster.ssh(node, "true").then(
      () => false,
      (error: unknown) => /host key|verification failed/i.test(String(error)),
    ),
  );

  await stack.setConfig("extraPort", "8443");
  const run = await stack.pulumi("up", "--yes", "--skip-preview");
  expect(run.exitCode).not.toBe(0);
  expect(run.text).toMatch(/host key mismatch/);
  expect(run.sshSessions.map(({ host }) => host)).not.toContain(node.publicIpv4);
  const name = Object.entries(cluster.outputs.nodes).find(([, one]) => one.name === node.name)?.[0] ?? "";
  expect(run.text).toContain(`${node.name} shows another host key than the pinned one`);
  expect(run.text).toContain(`giving the file's text as pools.${node.role}.nodes.${name}.hostKey`);

  const program = accepting(cluster, node.role, name, changed);
  const accepted = await openStack({ region, program, name: "cluster", stateDir: stack.stateDir });
  const preview = await accepted.previewDiff();
  expect(preview.text).not.toMatch(/to (replace|delete)/);
  expect(preview.sshSessions).toEqual([]);
  const next = await accepted.up();
  expect(next.text).not.toMatch(/\d+ (replaced|deleted)/);
  // Agent, policy, membership and peers; a first contact would be one more.
  expect(sessionsByHost(next)[node.publicIpv4]).toBe(4);

  const now = await openCluster(region, accepted, keyFile);
  expect(now.nodes.map(({ serverId }) => serverId)).toEqual(cluster.nodes.map(({ serverId }) => serverId));
  expect(now.outputs.sshConfig).toContain(changed.trim().split(" ")[1]);
  expect((await now.ssh(node, "hostname")).trim()).toBe(node.name);
  expect((await accepted.up()).sshSessions).toEqual([]);
});
