import {
  type Cluster,
  controls,
  type Observation,
  observe,
  phase,
  ports,
  probeVxlan,
  table,
  withoutCloudFirewall,
} from "../harness/src/index.js";

/** Looks at the cluster from inside and outside, prints what it sees, and gives what is not as it must be. */
export async function inspect(cluster: Cluster, when = ""): Promise<string[]> {
  const suffix = when ? ` (${when})` : "";
  const problems: string[] = [];
  const print = (text: string) => process.stdout.write(`\n${text}\n\n`);

  const nodes = await cluster.ssh(cluster.manager, "docker node ls");
  print(nodes);
  const ready = (nodes.match(/\bReady\b/g) ?? []).length;
  if (ready !== cluster.nodes.length) problems.push(`${ready} of ${cluster.nodes.length} nodes are Ready${suffix}`);

  const verified = await phase(`verification on every node${suffix}`, () => verify(cluster));
  print(table(["node", "verification", "checks", "failed"], verified.rows));
  problems.push(...verified.problems.map((problem) => problem + suffix));

  const [inside, alone, outside] = await phase(`probes from inside and outside${suffix}`, async () => [
    await controls(cluster),
    // The host's rules alone, and then what the world sees with the cloud's firewall in front of them.
    await withoutCloudFirewall(cluster.region, () => observe(cluster)),
    await observe(cluster),
  ]);
  for (const { node, port, family, result } of inside)
    if (!result.open)
      problems.push(
        `${port.port}/${port.protocol} over IPv${family} does not answer from ${port.control === "node" ? `${node.name} itself` : `a peer of ${node.name}`}, so its closedness proves nothing${suffix}: ${result.detail}`,
      );
  print(`Without the cloud's firewall, the host's rules alone:\n\n${portTable(cluster, alone)}`);
  for (const { node, port, family, result } of [...alone, ...outside])
    if (result.open !== port.open.includes(family))
      problems.push(
        `${port.port}/${port.protocol} of ${node.name} over IPv${family} is ${result.open ? "OPEN" : "closed"}${suffix}: ${result.detail}`,
      );

  const vxlan = await phase(`VXLAN packets from outside${suffix}`, async () => {
    const probes = cluster.nodes.flatMap((node) => (["4", "6"] as const).map((family) => ({ node, family })));
    return await withoutCloudFirewall(cluster.region, () =>
      Promise.all(probes.map(({ node, family }) => probeVxlan(cluster, node, family))),
    );
  });
  print(
    table(
      ["node", "4789/udp over", "sent", "dropped by rule"],
      vxlan.map((probe) => [probe.node.name, `IPv${probe.family}`, String(probe.sent), String(probe.dropped)]),
    ),
  );
  for (const { node, family, sent, dropped } of vxlan)
    if (dropped !== sent)
      problems.push(`${dropped} of ${sent} VXLAN packets over IPv${family} were dropped on ${node.name}${suffix}`);
  return problems;
}

/** Runs the node's own verification now, on all nodes at once. */
async function verify(cluster: Cluster): Promise<{ rows: string[][]; problems: string[] }> {
  const problems: string[] = [];
  const rows = await Promise.all(
    cluster.nodes.map(async (node) => {
      const text = await cluster.ssh(node, "/opt/hcloud-iptables.sh verify --json || true");
      const report = cluster.parseReport(text);
      const failed = report.checks.filter((check) => !check.passed).map((check) => check.name);
      if (!report.passed) problems.push(`verification failed on ${node.name}: ${failed.join(", ")}`);
      return [node.name, report.passed ? "passed" : "FAILED", String(report.checks.length), failed.join(", ")];
    }),
  );
  return { rows, problems };
}

/** Rows: ports and families; columns: nodes. */
function portTable(cluster: Cluster, observed: readonly Observation[]): string {
  const rows = ports.flatMap((port) =>
    (["4", "6"] as const).map((family) => [
      `${port.port}/${port.protocol}`,
      port.what,
      `IPv${family}`,
      port.open.includes(family) ? "answers" : "closed",
      ...cluster.nodes.map((node) => {
        const seen = observed.find((o) => o.node === node && o.port === port && o.family === family);
        return seen?.result.open ? "answers" : "closed";
      }),
    ]),
  );
  return table(["port", "published as", "family", "must be", ...cluster.nodes.map((node) => node.name)], rows);
}
