import { afterAll, expect, test } from "vitest";
import { eventually } from "../../harness/src/index.js";
import { ready, restoreReady } from "../lib.js";

afterAll(restoreReady);

test("a node that shows another host key than the pinned one is refused, and nothing reaches it", async () => {
  const { stack, cluster } = await ready();
  const node = cluster.nodes.at(-1);
  if (!node) throw new Error("no node");
  // The control: with the pinned key, the node answers.
  expect((await cluster.ssh(node, "hostname")).trim()).toBe(node.name);
  const key = "/etc/ssh/ssh_host_ed25519_key";
  await cluster.ssh(node, `rm ${key} ${key}.pub && ssh-keygen -q -t ed25519 -N '' -f ${key} && systemctl reload ssh`);
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
});
