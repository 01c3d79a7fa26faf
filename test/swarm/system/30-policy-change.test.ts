import { afterAll, expect, test } from "vitest";
import { holdConnection, type Port, ports, sessionsByHost } from "../../harness/src/index.js";
import { exposureProblems, ready, restoreReady } from "../lib.js";

afterAll(restoreReady);

const opened = (port: Port): Port => (port.port === 8443 ? { ...port, open: ["4"] } : port);

test("opening 8443/tcp shows each rule in the preview, replaces nothing, and keeps old connections", async () => {
  const { region, stack, cluster } = await ready();
  await stack.setConfig("extraPort", "8443");

  const preview = await stack.previewDiff();
  expect(preview.text).not.toMatch(/replace/);
  expect(preview.text).not.toMatch(/\bdelete\b/);
  expect(preview.sshSessions).toEqual([]);
  // One policy entry of the component, and one rule of the cloud firewall.
  expect(preview.text.match(/^\s*\+ *"?tcp\/8443"?/gm) ?? [], preview.text).toHaveLength(1);
  expect(preview.text.match(/^\s*\+ +port\s*: "8443"/gm) ?? [], preview.text).toHaveLength(1);
  const added = preview.text.split("\n").filter((line) => /^\s*\+ +-A HC-/.test(line));
  const removed = preview.text.split("\n").filter((line) => /^\s*- +-A HC-/.test(line));
  expect(removed).toEqual([]);
  expect(added.length).toBeGreaterThan(0);
  expect(added.length % cluster.nodes.length, added.join("\n")).toBe(0);
  for (const line of added) expect(line).toContain("8443");

  const held = await Promise.all(cluster.nodes.map((node) => holdConnection(region, `http://${node.publicIpv4}/`)));
  const run = await stack.up();
  expect(run.text).not.toMatch(/replaced/);
  const perHost = Object.entries(sessionsByHost(run));
  expect(perHost).toHaveLength(cluster.nodes.length);
  for (const [host, sessions] of perHost) expect(sessions, host).toBeLessThanOrEqual(2);

  expect(await exposureProblems(cluster, ports.map(opened))).toEqual([]);

  for (const watch of held) {
    const report = await watch.stop();
    expect(report).toMatchObject({ failures: 0, connections: 1 });
    expect(report.requests).toBeGreaterThan(5);
  }

  // Closing it again works in place as well.
  await stack.removeConfig("extraPort");
  await stack.up();
  expect(await exposureProblems(cluster)).toEqual([]);
});
