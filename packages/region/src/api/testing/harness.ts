/** An API over a recording backend, driven without a socket; every answer is checked against the description if present. */

import type { Exchange } from "../app.js";
import { createApi, memoryStore } from "../index.js";
import { createChecker, findDescription } from "./openapi.js";
import { recordingBackend } from "./recordingBackend.js";

export const TOKEN = "t".repeat(64);
export const description = findDescription();
const checker = description === undefined ? undefined : createChecker(description);

// biome-ignore lint/suspicious/noExplicitAny: answers are JSON that each test knows the shape of
type Body = any;

export interface Answer {
  readonly status: number;
  readonly body: Body;
}

type Method = "GET" | "POST" | "PUT" | "DELETE";

/**
 * A fresh region at a fixed time (2026-06-01 12:00 UTC), which `tick` moves on. `call` throws when an answer is not as
 * the description says; `make` also when the request was refused, and waits until its actions are over.
 */
export function testApi({ saved }: { saved?: string } = {}) {
  let time = Date.parse("2026-06-01T12:00:00Z");
  const backend = recordingBackend();
  const store = memoryStore(saved);
  const exchanges: Exchange[] = [];
  const api = createApi({
    backend,
    store,
    token: TOKEN,
    clock: () => new Date(time),
    onExchange: (exchange) => exchanges.push(exchange),
  });

  async function call(method: Method, path: string, payload?: object): Promise<Answer> {
    const response = await api.app.inject({
      method,
      url: `/v1${path}`,
      headers: { authorization: `Bearer ${TOKEN}` },
      ...(payload === undefined ? {} : { payload }),
    });
    const last = exchanges.at(-1);
    const problems = last && checker && last.status !== 404 ? checker.check(last) : [];
    if (problems.length > 0) throw new Error(`not as described:\n${problems.join("\n")}\n${response.body}`);
    return { status: response.statusCode, body: response.body === "" ? undefined : response.json() };
  }

  async function make(method: Method, path: string, payload?: object): Promise<Body> {
    const { status, body } = await call(method, path, payload);
    if (status >= 300) throw new Error(`${method} ${path} was refused: ${JSON.stringify(body)}`);
    await api.idle();
    return body;
  }

  return {
    api,
    backend,
    store,
    exchanges,
    call,
    make,
    get: (path: string) => make("GET", path),
    tick(milliseconds: number) {
      time += milliseconds;
    },
    /** The code of the refusal; throws when the request was not refused. */
    async refusal(method: Method, path: string, payload?: object): Promise<string> {
      const { status, body } = await call(method, path, payload);
      if (status < 400) throw new Error(`${method} ${path} was not refused`);
      return body.error.code;
    },
    /** Fields of an `invalid_input`. */
    async refusedFields(method: Method, path: string, payload?: object): Promise<string[]> {
      const { body } = await call(method, path, payload);
      if (body?.error?.code !== "invalid_input") throw new Error(`not refused as invalid: ${JSON.stringify(body)}`);
      return body.error.details.fields.map((field: { name: string }) => field.name);
    },
    /** The action as it ended. */
    async action(id: number): Promise<Body> {
      return (await make("GET", `/actions/${id}`)).action;
    },
  };
}

export type TestApi = ReturnType<typeof testApi>;

export const PUBLIC_KEY =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4lqLZc2vY9BqNn3ZP3p3J0Zl3K3GqLw0kq1W1n0p0R someone@example";

/** Makes a server of the smallest type with `more` in its request and returns it as it is when all actions are over. */
export async function makeServer(test: TestApi, name: string, more: object = {}): Promise<Body> {
  const request = { name, server_type: "cx23", image: "debian-13", location: "fsn1", ...more };
  const { server } = await test.make("POST", "/servers", request);
  return (await test.get(`/servers/${server.id}`)).server;
}

/** Makes the Network 10.0.0.0/16 with the subnet 10.0.1.0/24 in eu-central. */
export async function makeNetwork(test: TestApi, name = "net", more: object = {}): Promise<Body> {
  const subnets = [{ type: "cloud", ip_range: "10.0.1.0/24", network_zone: "eu-central" }];
  return (await test.make("POST", "/networks", { name, ip_range: "10.0.0.0/16", subnets, ...more })).network;
}

/** A rule that lets the TCP port in from everywhere. */
export function tcpRule(port: string) {
  return { direction: "in", protocol: "tcp", port, source_ips: ["0.0.0.0/0", "::/0"] };
}

export async function makeFirewall(
  test: TestApi,
  name: string,
  ports: readonly string[],
  more: object = {},
): Promise<Body> {
  return (await test.make("POST", "/firewalls", { name, rules: ports.map(tcpRule), ...more })).firewall;
}
