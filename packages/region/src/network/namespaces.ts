/** Network namespaces: made, filled and removed with iproute2. All steps are idempotent. */
import { run, tryRun } from "../support/command.js";
import {
  isOfRegion,
  METADATA_ADDRESS,
  OUTSIDE,
  outsideNamespace,
  PUBLIC_GATEWAY,
  RESOLVERS,
  routerNamespace,
  UPLINK,
} from "./names.js";

const ROUTER_SYSCTLS = [
  "net.ipv4.ip_forward=1",
  "net.ipv6.conf.all.forwarding=1",
  "net.ipv4.conf.all.rp_filter=0",
  "net.ipv4.conf.default.rp_filter=0",
  "net.ipv4.conf.all.send_redirects=0",
  "net.ipv4.conf.default.send_redirects=0",
  "net.ipv6.conf.all.accept_ra=0",
  "net.ipv6.conf.default.accept_ra=0",
  // Addresses answer at once, without a second of duplicate detection.
  "net.ipv6.conf.all.accept_dad=0",
  "net.ipv6.conf.default.accept_dad=0",
];

const HOST_SYSCTLS = ["net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0"];

/** Runs a program inside a namespace, with the host's mounts. */
export function inNamespace(namespace: string, command: string, args: readonly string[]): [string, string[]] {
  return ["nsenter", [`--net=/run/netns/${namespace}`, "--", command, ...args]];
}

export async function runIn(
  namespace: string,
  command: string,
  args: readonly string[],
  input?: string,
): Promise<string> {
  const [program, all] = inNamespace(namespace, command, args);
  return await run(program, all, input === undefined ? {} : { input });
}

/** Applies `ip -batch` lines in a namespace. */
export async function ipBatch(namespace: string, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  await run("ip", ["-n", namespace, "-batch", "-"], { input: `${lines.join("\n")}\n` });
}

async function listNamespaces(): Promise<string[]> {
  const names = (await run("ip", ["netns", "list"])).split("\n").map((line) => line.split(" ")[0] ?? "");
  return names.filter((name) => name !== "");
}

export async function regionNamespaces(name: string): Promise<string[]> {
  return (await listNamespaces()).filter((namespace) => isOfRegion(namespace, name));
}

/** Makes the namespace of a router: loopback up, forwarding on. False when it was there already. */
export async function addRouterNamespace(namespace: string): Promise<boolean> {
  if ((await listNamespaces()).includes(namespace)) return false;
  await run("ip", ["netns", "add", namespace]);
  await ipBatch(namespace, ["link set lo up"]);
  await runIn(namespace, "sysctl", ["-qw", ...ROUTER_SYSCTLS]);
  return true;
}

/** Makes the namespace of something that has interfaces and forwards nothing, unless it is there. */
export async function addHostNamespace(namespace: string): Promise<void> {
  if ((await listNamespaces()).includes(namespace)) return;
  await run("ip", ["netns", "add", namespace]);
  await ipBatch(namespace, ["link set lo up"]);
  await runIn(namespace, "sysctl", ["-qw", ...HOST_SYSCTLS]);
}

/** Makes router and outside with the link between them. Neither has any way to the real network. */
export async function addRegionNamespaces(name: string): Promise<void> {
  const [router, outside] = [routerNamespace(name), outsideNamespace(name)];
  await addRouterNamespace(router);
  await addHostNamespace(outside);
  await ipBatch(router, [`link add ${UPLINK} type veth peer name eth0 netns ${outside}`]);
  await ipBatch(router, [
    `addr add ${METADATA_ADDRESS}/32 dev lo`,
    `addr add ${PUBLIC_GATEWAY}/32 dev lo`,
    ...RESOLVERS.map((address) => `addr add ${address}/32 dev lo`),
    `addr add ${OUTSIDE.routerIpv4}/24 dev ${UPLINK}`,
    `addr add ${OUTSIDE.routerIpv6}/64 dev ${UPLINK} nodad`,
    `link set ${UPLINK} up`,
  ]);
  await ipBatch(outside, [
    `addr add ${OUTSIDE.ipv4} dev eth0`,
    `addr add ${OUTSIDE.ipv6} dev eth0 nodad`,
    "link set eth0 up",
    `route add default via ${OUTSIDE.routerIpv4}`,
    `route add ::/0 via ${OUTSIDE.routerIpv6}`,
  ]);
}

export async function removeNamespace(namespace: string): Promise<void> {
  await tryRun("ip", ["netns", "delete", namespace]);
}

/** Removes all namespaces of the region and, with them, their interfaces, routes and filters. */
export async function removeRegionNamespaces(name: string): Promise<void> {
  for (const namespace of await regionNamespaces(name)) await removeNamespace(namespace);
}
