import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BalancedService, LoadBalancerSpec } from "../backend.js";
import { haproxyConfig, parseHealth } from "./haproxyConfig.js";

const service: BalancedService = {
  protocol: "tcp",
  listenPort: 80,
  destinationPort: 8080,
  proxyProtocol: false,
  healthCheck: { port: 8080, interval: 15, timeout: 10, retries: 3 },
};
const spec: LoadBalancerSpec = {
  loadBalancerId: 1001,
  publicInterface: { ipv4: "203.0.113.1", ipv6Network: "2001:db8:1:1::/64" },
  privateInterfaces: [{ networkId: 1002, ip: "10.0.1.254", ipRange: "10.0.0.0/16" }],
  algorithm: "round_robin",
  maxConnections: 10_000,
  services: [service],
  targets: [{ serverId: 1003, usePrivateIp: true, address: "10.0.1.1" }],
};

function configOf(more: Partial<BalancedService> = {}, other: Partial<LoadBalancerSpec> = {}): string[] {
  const text = haproxyConfig({ ...spec, services: [{ ...service, ...more }], ...other }, "/s/lb/1001");
  return (text ?? "").split("\n").map((line) => line.trim());
}

describe("haproxyConfig", () => {
  it("listens on every address and goes to every target", () => {
    const lines = configOf();
    for (const line of [
      "mode tcp",
      "bind 203.0.113.1:80",
      "bind [2001:db8:1:1::1]:80",
      "bind 10.0.1.254:80",
      "balance roundrobin",
      "timeout check 10s",
      "server private-1003 10.0.1.1:8080 check inter 15s fall 3 rise 3 port 8080",
    ]) {
      expect(lines).toContain(line);
    }
    expect(lines.some((line) => /forwardfor|send-proxy|httpchk|cookie/.test(line))).toBe(false);
  });

  it("sends the proxy protocol, with checks of the same port", () => {
    expect(configOf({ proxyProtocol: true }).at(-2)).toMatch(/ send-proxy check-send-proxy$/);
    const other = { ...service.healthCheck, port: 9 };
    expect(configOf({ proxyProtocol: true, healthCheck: other }).at(-2)).toMatch(/port 9 send-proxy$/);
  });

  it("checks by HTTP, and takes no word of a check for a directive", () => {
    const http = { domain: "a'b", path: "/up", response: "it's\"$HOME", statusCodes: ["2??", "301"], tls: true };
    const lines = configOf({ protocol: "http", healthCheck: { ...service.healthCheck, http } });
    expect(lines).toContain(String.raw`http-check send meth GET uri '/up' ver HTTP/1.1 hdr Host 'a'\''b'`);
    expect(lines).toContain("http-check expect rstatus '^(2[0-9][0-9]|301)$'");
    expect(lines).toContain(String.raw`http-check expect string 'it'\''s"$HOME'`);
    expect(lines).toContain("option forwardfor");
    expect(lines.at(-2)).toContain("check-ssl verify none");
  });

  it("keeps sessions by cookie", () => {
    const lines = configOf({ protocol: "http", cookie: { name: "C", lifetime: 300 } });
    expect(lines).toContain("cookie C insert indirect nocache maxlife 300s");
    expect(lines.at(-2)).toMatch(/ cookie private-1003$/);
  });

  it("is nothing where nothing listens", () => {
    expect(haproxyConfig({ ...spec, services: [] }, "/s")).toBeUndefined();
    const { publicInterface: _, ...hidden } = { ...spec, privateInterfaces: [] };
    expect(haproxyConfig(hidden, "/s")).toBeUndefined();
  });
});

describe("parseHealth", () => {
  const table = [
    "# pxname,svname,status,check_status",
    "service-80,FRONTEND,OPEN,",
    "service-80,private-1003,UP,L4OK",
    "service-80,public-1004,DOWN,L4CON",
    "service-80,private-1005,UP 1/3,L4OK",
    "service-80,private-1006,UP,INI",
    "service-80,BACKEND,UP,",
    "",
  ].join("\n");

  it("reads what is known of targets", () => {
    expect(parseHealth(table).map(({ serverId, healthy }) => [serverId, healthy])).toEqual([
      [1003, true],
      [1004, false],
      [1005, true],
    ]);
    expect(parseHealth(table)[1]).toEqual({ serverId: 1004, usePrivateIp: false, listenPort: 80, healthy: false });
  });

  it("never throws", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseHealth(text);
        parseHealth(`${table}\n${text}`);
      }),
    );
  });
});
