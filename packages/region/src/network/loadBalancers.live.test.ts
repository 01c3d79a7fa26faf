/** Load Balancers in scratch namespaces: HAProxy itself, and small servers in place of machines. Needs root. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BalancedService, LoadBalancerSpec } from "../backend.js";
import { LoadBalancers } from "./loadBalancers.js";
import { balancerNamespace, networkNamespace, outsideNamespace } from "./names.js";
import {
  addHostNamespace,
  addRegionNamespaces,
  addRouterNamespace,
  inNamespace,
  ipBatch,
  regionNamespaces,
  removeNamespace,
  removeRegionNamespaces,
} from "./namespaces.js";

const blocked = ((): string | undefined => {
  if (process.getuid?.() !== 0) return "not root";
  try {
    for (const tool of ["ip", "nsenter", "setpriv", "haproxy", "sysctl"])
      execFileSync("sh", ["-c", 'command -v "$1"', "sh", tool]);
    const probe = `hcrlb-${process.pid}`;
    execFileSync("ip", ["netns", "add", probe], { stdio: "ignore" });
    execFileSync("ip", ["netns", "delete", probe], { stdio: "ignore" });
    return undefined;
  } catch {
    return "no network namespaces, or a tool is missing";
  }
})();

const region = `lb${process.pid}`;
const [LB, NETWORK] = [1001, 1002];
const SERVERS = { 1003: "10.0.1.1", 1004: "10.0.1.2" } as const;
type ServerId = keyof typeof SERVERS;
const [ONE, TWO] = [1003, 1004] as const;
const [PUBLIC, PUBLIC6, PRIVATE] = ["203.0.113.1", "2001:db8:1:1::1", "10.0.1.254"];

const serverNamespace = (id: ServerId) => `hcrlb-${process.pid}-${id}`;

/** Answers each line with its own name, the peer's address and the line; prints one line when it listens. */
const SERVER = `
  const [name, address, port] = process.argv.slice(1);
  require("node:net").createServer((socket) => {
    socket.on("error", () => {});
    let text = "";
    socket.on("data", (data) => {
      for (text += data; text.includes("\\n"); text = text.slice(text.indexOf("\\n") + 1)) {
        const line = text.split("\\n")[0].trim();
        socket.write(name + " " + socket.remoteAddress + " " + line + "\\n");
      }
    });
  }).listen(Number(port), address, () => console.log("listening"));`;
/** The same by HTTP, with X-Forwarded-For; /bad is an error. */
const WEB_SERVER = `
  const [name, address, port] = process.argv.slice(1);
  require("node:http").createServer((request, reply) => {
    reply.statusCode = request.url === "/bad" ? 500 : 200;
    reply.end(name + " " + request.socket.remoteAddress + " " + request.headers["x-forwarded-for"]);
  }).listen(Number(port), address, () => console.log("listening"));`;
/** Sends a line and prints the answer's first, or the error. */
const CLIENT = `
  const [address, port, line] = process.argv.slice(1);
  const socket = require("node:net").connect(Number(port), address);
  const done = (text) => { console.log(text); process.exit(); };
  socket.setTimeout(3000, () => done("timeout"));
  socket.on("error", (error) => done(error.code));
  socket.on("end", () => done("closed"));
  let text = "";
  socket.on("data", (data) => { text += data; if (text.includes("\\n")) done(text.split("\\n")[0]); });
  socket.write(line + "\\n");`;
const WEB_CLIENT = `
  const [url] = process.argv.slice(1);
  fetch(url).then(async (answer) => console.log(answer.status + " " + (await answer.text()).split("\\n")[0]));`;

function node(namespace: string, program: string, ...args: string[]): string {
  const [command, all] = inNamespace(namespace, process.execPath, ["-e", program, ...args]);
  return execFileSync(command, all, { encoding: "utf8", timeout: 30_000 }).trim();
}

const running: ChildProcess[] = [];
async function serve(id: ServerId, program: string, port: number): Promise<ChildProcess> {
  const [command, args] = inNamespace(serverNamespace(id), process.execPath, [
    "-e",
    program,
    String(id),
    SERVERS[id],
    String(port),
  ]);
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  running.push(child);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  return child;
}

const fromOutside = (address: string, port: number) =>
  node(outsideNamespace(region), CLIENT, address, String(port), "hello");
const webFromOutside = (path: string) => node(outsideNamespace(region), WEB_CLIENT, `http://${PUBLIC}:8088${path}`);

async function eventually<T>(what: () => T | Promise<T>, right: (value: T) => boolean): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const value = await what();
    if (right(value) || Date.now() > deadline) return value;
    await sleep(200);
  }
}

function tcp(listenPort: number, destinationPort: number, more: Partial<BalancedService> = {}): BalancedService {
  const healthCheck = { port: destinationPort, interval: 1, timeout: 1, retries: 1 };
  return { protocol: "tcp", listenPort, destinationPort, proxyProtocol: false, healthCheck, ...more };
}

function specOf(services: readonly BalancedService[], ids: readonly ServerId[] = [ONE, TWO]): LoadBalancerSpec {
  return {
    loadBalancerId: LB,
    publicInterface: { ipv4: PUBLIC, ipv6Network: "2001:db8:1:1::/64" },
    privateInterfaces: [{ networkId: NETWORK, ip: PRIVATE, ipRange: "10.0.0.0/16" }],
    algorithm: "round_robin",
    // As the smallest has.
    maxConnections: 10_000,
    services,
    targets: ids.map((serverId) => ({ serverId, usePrivateIp: true, address: SERVERS[serverId] })),
  };
}

const why = blocked === undefined ? "" : ` (skipped: ${blocked})`;
describe.skipIf(blocked !== undefined)(`load balancers in namespaces${why}`, () => {
  let directory = "";
  let balancers: LoadBalancers;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "hcrlb-"));
    balancers = new LoadBalancers(region, join(directory, "lb"));
    await addRegionNamespaces(region);
    const network = networkNamespace(region, NETWORK);
    await addRouterNamespace(network);
    await ipBatch(network, ["addr add 10.0.0.1/32 dev lo"]);
    for (const id of [ONE, TWO]) {
      const own = serverNamespace(id);
      await addHostNamespace(own);
      await ipBatch(network, [
        `link add s${id} mtu 1450 type veth peer name private netns ${own}`,
        `link set s${id} up`,
        `route add ${SERVERS[id]}/32 dev s${id} src 10.0.0.1`,
      ]);
      await ipBatch(own, [
        `addr add ${SERVERS[id]}/32 dev private`,
        "link set private mtu 1450 up",
        "route add 10.0.0.1/32 dev private",
        "route add 10.0.0.0/16 via 10.0.0.1 dev private",
      ]);
      await serve(id, SERVER, 8080);
      await serve(id, WEB_SERVER, 8088);
    }
  }, 60_000);

  afterAll(async () => {
    for (const child of running) child.kill("SIGKILL");
    await balancers.close();
    for (const id of [ONE, TWO]) await removeNamespace(serverNamespace(id));
    await removeRegionNamespaces(region);
    rmSync(directory, { recursive: true, force: true });
  }, 60_000);

  it("carries connections from its public addresses to all targets, from its private address", async () => {
    await balancers.put(specOf([tcp(80, 8080)]));
    const answers = [1, 2, 3, 4].map(() => fromOutside(PUBLIC, 80)).sort();
    expect(answers).toEqual([ONE, ONE, TWO, TWO].map((id) => `${id} ${PRIVATE} hello`));
    expect(fromOutside(PUBLIC6, 80)).toContain(`${PRIVATE} hello`);
    expect(node(serverNamespace(ONE), CLIENT, PRIVATE, "80", "hello")).toContain(`${PRIVATE} hello`);
  }, 60_000);

  it("does not make the targets or other ports reachable", () => {
    expect(fromOutside(PUBLIC, 80)).toContain("hello");
    expect(fromOutside(PUBLIC, 8080)).toBe("ECONNREFUSED");
    expect(fromOutside(SERVERS[ONE], 8080)).not.toContain("hello");
    expect(fromOutside(PRIVATE, 80)).not.toContain("hello");
  }, 60_000);

  it("tells the client's address by the proxy protocol and by HTTP", async () => {
    await balancers.put(specOf([tcp(80, 8080, { proxyProtocol: true }), tcp(8088, 8088, { protocol: "http" })]));
    expect(fromOutside(PUBLIC, 80)).toMatch(new RegExp(`${PRIVATE} PROXY TCP4 192.0.2.10 ${PUBLIC} \\d+ 80$`));
    expect(webFromOutside("/")).toMatch(new RegExp(`^200 \\d+ ${PRIVATE} 192.0.2.10$`));
  }, 60_000);

  it("leaves out a target that its checks find dead, until it is back", async () => {
    const health = (path: string, response = "") => ({
      ...tcp(1, 8088).healthCheck,
      http: { path, domain: "example.com", response, statusCodes: ["2??"], tls: false },
    });
    const service = (path: string, response?: string) =>
      tcp(8088, 8088, { protocol: "http", healthCheck: health(path, response) });
    const states = async () => (await balancers.health(LB)).map(({ healthy }) => healthy);
    await balancers.put(specOf([service("/")]));
    expect(await eventually(states, (found) => found.length === 2)).toEqual([true, true]);
    await balancers.put(specOf([service("/", "no server says it's $HOME")]));
    expect(await eventually(states, (found) => found.length === 2 && !found.includes(true))).toEqual([false, false]);
    await balancers.put(specOf([service("/bad")]));
    expect(await eventually(states, (found) => found.length === 2 && !found.includes(true))).toEqual([false, false]);
    expect(webFromOutside("/")).toMatch(/^503 /);

    await balancers.put(specOf([tcp(90, 8090)]));
    const server = await serve(ONE, SERVER, 8090);
    const healthOf = async () => (await balancers.health(LB)).find(({ serverId }) => serverId === ONE)?.healthy;
    expect(await eventually(healthOf, (found) => found === true)).toBe(true);
    expect(fromOutside(PUBLIC, 90)).toBe(`${ONE} ${PRIVATE} hello`);
    expect(fromOutside(PUBLIC, 90)).toBe(`${ONE} ${PRIVATE} hello`);
    server.kill("SIGKILL");
    expect(await eventually(healthOf, (found) => found === false)).toBe(false);
    expect(fromOutside(PUBLIC, 90)).toBe("closed");
  }, 120_000);

  it("keeps open connections through a change", async () => {
    await balancers.put(specOf([tcp(80, 8080)], [ONE]));
    const [command, args] = inNamespace(outsideNamespace(region), process.execPath, [
      "-e",
      `const socket = require("node:net").connect(80, "${PUBLIC}");
       socket.pipe(process.stdout); process.stdin.pipe(socket);`,
    ]);
    const client = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    running.push(client);
    const next = () => new Promise<string>((resolve) => client.stdout.once("data", (data) => resolve(String(data))));
    const say = async (line: string) => {
      const answer = next();
      client.stdin.write(`${line}\n`);
      return await answer;
    };
    expect(await say("before")).toContain(`${ONE} ${PRIVATE} before`);
    await balancers.put(specOf([tcp(80, 8080), tcp(81, 8080)], [TWO]));
    expect(await say("after")).toContain(`${ONE} ${PRIVATE} after`);
    expect(fromOutside(PUBLIC, 80)).toContain(`${TWO} ${PRIVATE}`);
    expect(fromOutside(PUBLIC, 81)).toContain(`${TWO} ${PRIVATE}`);
    client.kill("SIGKILL");
  }, 60_000);

  it("is not there on interfaces that it lost", async () => {
    const { publicInterface: _, ...hidden } = specOf([tcp(80, 8080)]);
    await balancers.put(hidden);
    expect(fromOutside(PUBLIC, 80)).not.toContain("hello");
    expect(node(serverNamespace(ONE), CLIENT, PRIVATE, "80", "hello")).toContain("hello");
    await balancers.put({ ...specOf([tcp(80, 8080)], []), privateInterfaces: [] });
    expect(node(serverNamespace(ONE), CLIENT, PRIVATE, "80", "hello")).not.toContain("hello");
    expect(fromOutside(PUBLIC, 80)).toBe("closed");
    await balancers.put(specOf([tcp(80, 8080)]));
    expect(fromOutside(PUBLIC, 80)).toContain("hello");
  }, 60_000);

  it("tells why it cannot start, and leaves nothing behind when it goes", async () => {
    const twice = specOf([tcp(80, 8080), tcp(80, 8080)]);
    await expect(balancers.put(twice)).rejects.toThrow(/haproxy did not start: .*service-80/s);
    await balancers.put(specOf([tcp(80, 8080)]));
    expect(fromOutside(PUBLIC, 80)).toContain("hello");
    expect(processes()).toBeGreaterThan(0);
    await balancers.delete(LB);
    expect(processes()).toBe(0);
    expect(await regionNamespaces(region)).not.toContain(balancerNamespace(region, LB));
    expect(await balancers.health(LB)).toEqual([]);
  }, 60_000);

  function processes(): number {
    const all = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" }).split("\n");
    return all.filter((line) => line.startsWith("haproxy ") && line.includes(directory)).length;
  }
});
