import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Probe, parseResults, responderBinary } from "../../../harness/src/index.js";

const address = "127.0.0.1";
const silentTcp = createServer(() => undefined);
const silentUdp = createSocket("udp4");
let binary: string;

beforeAll(async () => {
  binary = await responderBinary();
  await new Promise<void>((resolve) => silentTcp.listen(0, address, resolve));
  await new Promise<void>((resolve) => silentUdp.bind(0, address, resolve));
}, 120_000);

afterAll(() => {
  silentTcp.close();
  silentUdp.close();
});

async function ask(network: Probe["network"], port: number) {
  const probe: Probe = { id: "x", network, address, port, kind: "answer", timeoutMs: 500, attempts: 1 };
  const { stdout } = await execa(binary, ["probe"], { input: JSON.stringify([probe]) });
  return parseResults(stdout)[0];
}

/** A port that was free a moment ago. */
async function nobodysPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const port = portOf(server);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

function portOf(server: ReturnType<typeof createServer>): number {
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("not bound");
  return bound.port;
}

test("a refusal says that the packet came through, over TCP and UDP", async () => {
  const port = await nobodysPort();
  for (const network of ["tcp4", "udp4"] as const)
    expect(await ask(network, port)).toMatchObject({ open: false, reached: true });
});

test("so does a handshake without an answer", async () => {
  expect(await ask("tcp4", portOf(silentTcp))).toMatchObject({ open: false, reached: true });
});

test("silence says nothing", async () => {
  expect(await ask("udp4", silentUdp.address().port)).toMatchObject({ open: false, reached: false });
});

test("a flood counts what was taken without its answer", async () => {
  const probe: Probe = {
    id: "x",
    network: "tcp4",
    address,
    port: await nobodysPort(),
    kind: "answer",
    timeoutMs: 500,
    attempts: 1,
  };
  const flood = execa(binary, ["flood", JSON.stringify(probe), "20ms"]);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  flood.stdin?.end();
  const { stdout } = await flood;
  const report = JSON.parse(stdout.split("\n").at(-1) ?? "") as { sent: number; answers: number; reached: number };
  expect(report.answers).toBe(0);
  expect(report.reached).toBeGreaterThan(0);
  expect(report.reached).toBe(report.sent);
});
