/** The configuration of HAProxy that makes it a Load Balancer of the API. Pure. */
import type { BalancedService, LoadBalancerSpec } from "../backend.js";

/** Seconds until a silent connection is closed; seconds that a new connection to a target may take. */
const IDLE_SECONDS = 60;
const CONNECT_SECONDS = 5;
/** Connections of a configuration that is no more may go on for so long. */
const DRAIN_SECONDS = 60;

/** One word of the configuration, taken literally whatever is in it. */
function quote(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** Name of a target's line; {@link parseHealth} reads it back. */
function targetName(target: { readonly serverId: number; readonly usePrivateIp: boolean }): string {
  return `${target.usePrivateIp ? "private" : "public"}-${target.serverId}`;
}

function addresses({ publicInterface, privateInterfaces }: LoadBalancerSpec): string[] {
  const own6 = publicInterface?.ipv6Network.replace(/\/64$/, "1");
  return [
    ...(publicInterface ? [publicInterface.ipv4] : []),
    ...(own6 === undefined ? [] : [`[${own6}]`]),
    ...privateInterfaces.map(({ ip }) => ip),
  ];
}

function checkLines({ healthCheck: { http, timeout } }: BalancedService): string[] {
  const lines = [`  timeout check ${timeout}s`];
  if (!http) return lines;
  const host = http.domain === undefined ? "" : ` hdr Host ${quote(http.domain)}`;
  const codes = http.statusCodes.map((code) => code.replaceAll("?", "[0-9]")).join("|");
  lines.push("  option httpchk", `  http-check send meth GET uri ${quote(http.path)} ver HTTP/1.1${host}`);
  lines.push(`  http-check expect rstatus ${quote(`^(${codes})$`)}`);
  if (http.response !== "") lines.push(`  http-check expect string ${quote(http.response)}`);
  return lines;
}

function serverOptions(service: BalancedService): string {
  const { interval, retries, port, http } = service.healthCheck;
  const checks = Math.max(1, retries);
  return [
    `check inter ${interval}s fall ${checks} rise ${checks} port ${port}`,
    ...(http?.tls ? ["check-ssl verify none"] : []),
    ...(service.proxyProtocol ? ["send-proxy"] : []),
    // What listens behind the checked port is the service itself when the ports are the same.
    ...(service.proxyProtocol && port === service.destinationPort ? ["check-send-proxy"] : []),
  ].join(" ");
}

function serviceLines(spec: LoadBalancerSpec, service: BalancedService): string[] {
  const { protocol, listenPort, destinationPort, cookie } = service;
  return [
    `listen service-${listenPort}`,
    `  mode ${protocol}`,
    ...addresses(spec).map((address) => `  bind ${address}:${listenPort}`),
    `  balance ${spec.algorithm === "round_robin" ? "roundrobin" : "leastconn"}`,
    ...(protocol === "http" ? ["  option forwardfor", "  http-request set-header X-Forwarded-Proto http"] : []),
    ...(cookie ? [`  cookie ${cookie.name} insert indirect nocache maxlife ${cookie.lifetime}s`] : []),
    ...checkLines(service),
    ...spec.targets.map((target) => {
      const name = targetName(target);
      const sticky = cookie ? ` cookie ${name}` : "";
      return `  server ${name} ${target.address}:${destinationPort} ${serverOptions(service)}${sticky}`;
    }),
  ];
}

/**
 * `socket` is where it answers questions. Undefined when there is nothing to listen on, in which case HAProxy refuses to
 * start.
 */
export function haproxyConfig(spec: LoadBalancerSpec, socket: string): string | undefined {
  if (spec.services.length === 0 || addresses(spec).length === 0) return undefined;
  const lines = [
    "global",
    `  stats socket ${quote(socket)} mode 600`,
    `  maxconn ${spec.maxConnections}`,
    // The smallest Load Balancer's connections take 20 thousand file descriptors: where fewer can be had, so many it is.
    "  no strict-limits",
    "  nbthread 1",
    `  hard-stop-after ${DRAIN_SECONDS}s`,
    "defaults",
    `  timeout connect ${CONNECT_SECONDS}s`,
    `  timeout client ${IDLE_SECONDS}s`,
    `  timeout server ${IDLE_SECONDS}s`,
    ...spec.services.flatMap((service) => serviceLines(spec, service)),
  ];
  return `${lines.join("\n")}\n`;
}

/** Reads what `show stat` answers: a table with commas, whose first line has the columns' names. */
export function parseHealth(table: string): {
  readonly serverId: number;
  readonly usePrivateIp: boolean;
  readonly listenPort: number;
  readonly healthy: boolean;
}[] {
  const [head = "", ...rows] = table.replace(/^# /, "").split("\n");
  const columns = head.split(",");
  const at = (row: string, column: string) => row.split(",")[columns.indexOf(column)] ?? "";
  return rows.flatMap((row) => {
    const service = /^service-(\d+)$/.exec(at(row, "pxname"));
    const target = /^(private|public)-(\d+)$/.exec(at(row, "svname"));
    // Until its first check is over, HAProxy takes a target for up.
    if (!service || !target || ["", "INI"].includes(at(row, "check_status"))) return [];
    return [
      {
        serverId: Number(target[2]),
        usePrivateIp: target[1] === "private",
        listenPort: Number(service[1]),
        healthy: at(row, "status").startsWith("UP"),
      },
    ];
  });
}
