/** The host agent ends a flow to the host whose program sends all the time: from the host's side it looks like one that the host began. */
import { spawn, spawnSync } from "node:child_process";
import { afterAll, describe, expect, it } from "vitest";
import { agentBench, missingFor, payloadFor } from "./testing/agentBench";

const lacking = missingFor("conntrack", "ss");

describe.skipIf(lacking.length > 0)(`host agent and flows (needs ${lacking.join(", ") || "nothing more"})`, () => {
  const { inside, agent, name, standIn } = agentBench();
  const outside = `${name}-out`;
  const addresses = { IPv4: "192.0.2.1", IPv6: "2001:db8::1" } as const;
  const ip = (...args: string[]) => {
    const run = spawnSync("ip", args, { encoding: "utf8" });
    if (run.status !== 0) throw new Error(`ip ${args.join(" ")}: ${run.stderr}`);
  };
  /** A machine outside, on a wire to the host. */
  const connect = () => {
    spawnSync("ip", ["netns", "del", outside]);
    ip("netns", "add", outside);
    ip("-n", name, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", outside);
    for (const [namespace, last] of [
      [name, "1"],
      [outside, "2"],
    ] as const) {
      ip("-n", namespace, "addr", "add", `192.0.2.${last}/24`, "dev", "wire");
      ip("-n", namespace, "addr", "add", `2001:db8::${last}/64`, "dev", "wire", "nodad");
      ip("-n", namespace, "link", "set", "wire", "up");
      ip("-n", namespace, "link", "set", "lo", "up");
    }
  };
  afterAll(() => void spawnSync("ip", ["netns", "del", outside]));

  const node = (namespace: string, script: string) =>
    spawn("ip", ["netns", "exec", namespace, process.execPath, "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const sends = `require("node:net").createServer((socket) => {
    const timer = setInterval(() => socket.write("x"), 5);
    socket.on("error", () => {}).on("close", () => clearInterval(timer));
  }).listen({ port: 7000, host: "::" }, () => console.log("listening"));`;
  const receives = (host: string) => `const socket = require("node:net").connect(7000, ${JSON.stringify(host)});
    socket.on("data", () => console.log("data")).on("error", (error) => console.log("ended by", error.code)).on("close", () => console.log("closed"));
    setInterval(() => socket.write("y"), 5);`;

  it.each(["IPv4", "IPv6"] as const)(
    "ends it over %s, which deleting it from conntrack alone would not",
    async (family) => {
      connect();
      const policy = (open: boolean) => payloadFor({ hostServices: open ? [{ port: 7000 }] : [] });
      standIn("ss", "exit 1");
      const server = node(name, sends);
      const said: string[] = [];
      const until = async (what: () => boolean) => {
        for (let tries = 0; tries < 200 && !what(); tries++) await new Promise((resolve) => setTimeout(resolve, 50));
        expect(what()).toBe(true);
      };
      try {
        await new Promise((resolve) => server.stdout.once("data", resolve));
        for (const kills of [false, true]) {
          agent(["apply"], policy(true));
          const client = node(outside, receives(addresses[family]));
          said.length = 0;
          client.stdout.on("data", (text: Buffer) => said.push(text.toString()));
          try {
            await until(() => said.join("").includes("data"));
            // The control: without ss the flow comes back.
            expect(agent(["apply"], policy(false), kills ? { HC_PATH: "" } : {}).status).toBe(0);
            await new Promise((resolve) => setTimeout(resolve, 500));
            said.length = 0;
            await new Promise((resolve) => setTimeout(resolve, 1000));
            expect(said.join("").includes("data")).toBe(!kills);
            expect(inside("ss", ["-H", "-t", "-n", "state", "established"]).stdout.includes(":7000")).toBe(!kills);
          } finally {
            client.kill("SIGKILL");
          }
        }
      } finally {
        server.kill("SIGKILL");
      }
    },
  );
});
