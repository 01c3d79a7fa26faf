import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cacheDir, startRegion } from "../../harness/src/index.js";

const name = "teststop";

/** Processes, namespaces, mounts and Unix sockets that belong to the region, by its name in them. */
function traces(): string[] {
  const state = join(cacheDir("region"), name);
  const processes = readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(state);
      } catch {
        return false;
      }
    });
  const namespaces = existsSync("/run/netns")
    ? readdirSync("/run/netns").filter((n) => n.startsWith(`hcr-${name}`))
    : [];
  const lines = (file: string) =>
    readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line.includes(state) || line.includes(`hcr-${name}`));
  return [
    ...processes.map((pid) => `process ${pid}`),
    ...namespaces.map((namespace) => `namespace ${namespace}`),
    ...lines("/proc/self/mounts").map((line) => `mount ${line}`),
    ...lines("/proc/net/unix").map((line) => `socket ${line}`),
    ...(existsSync(state) ? [`files ${state}`] : []),
  ];
}

test("stopping a region leaves no process, namespace, mount, socket or file", async () => {
  expect(traces()).toEqual([]);
  const region = await startRegion(name, () => undefined);
  try {
    const body = { name: "one", server_type: "cx23", image: "debian-13", location: "fsn1" };
    await region.exec("sh", [
      "-c",
      'curl -fsS -H "Authorization: Bearer $HCLOUD_TOKEN" -H "Content-Type: application/json" -d "$1" "$HCLOUD_ENDPOINT/servers"',
      "sh",
      JSON.stringify(body),
    ]);
    // The control: a running region with a machine is found in every way.
    await expect.poll(() => traces().some((trace) => trace.startsWith("process")), { timeout: 30_000 }).toBe(true);
    for (const kind of ["process", "namespace", "socket", "files"])
      expect(
        traces().filter((trace) => trace.startsWith(kind)),
        kind,
      ).not.toEqual([]);
  } finally {
    await region.command("stop", "--purge");
  }
  expect(traces()).toEqual([]);
});
