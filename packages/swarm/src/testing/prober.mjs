// Runs inside a network namespace: listens and dials as it is told, a JSON command a line on stdin, a JSON answer a line on
// stdout. What counts is the payload that came back, not whether a connection was made.
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";

const pushing = new Map();
const floods = new Map();

const commands = {
  /** Answers TCP with `name`, and pushes a line every 100 ms after that when `push` is set. */
  async listenTcp({ port, host, name, push }) {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.write(`${name}\n`);
      if (push) {
        const timer = setInterval(() => socket.write("more\n"), 100);
        socket.on("close", () => clearInterval(timer));
      }
    });
    await new Promise((resolve, reject) =>
      server.once("error", reject).listen({ port, host, ipv6Only: host === "::" }, resolve),
    );
    return "listening";
  },
  async listenUdp({ port, address, family, name }) {
    const socket = createSocket({ type: `udp${family}`, ipv6Only: family === 6 });
    socket.on("message", (_, from) => socket.send(name, from.port, from.address));
    await new Promise((resolve, reject) => socket.once("error", reject).bind({ port, address }, resolve));
    return "listening";
  },
  /** The payload that came back, or "nothing". */
  dialTcp({ host, port, from, timeout }) {
    return new Promise((resolve) => {
      const socket = connect({ host, port, ...(from && { localAddress: from }) });
      const done = (result) => {
        socket.destroy();
        resolve(result);
      };
      socket.setTimeout(timeout, () => done("nothing"));
      socket.on("error", () => done("nothing"));
      socket.once("data", (data) => done(String(data).trim()));
    });
  },
  async dialUdp({ host, port, from, timeout, family }) {
    const socket = createSocket(`udp${family}`);
    socket.on("error", () => {});
    await new Promise((resolve) => socket.bind({ address: from, port: 0 }, resolve));
    const answer = await new Promise((resolve) => {
      setTimeout(() => resolve("nothing"), timeout);
      socket.once("message", (data) => resolve(String(data)));
      socket.send("?", port, host, () => {});
    });
    socket.close();
    return answer;
  },
  /** Keeps a connection open and counts what comes, until the other side ends it: -1. With `talk` it says something now and then. */
  async hold({ id, host, port, talk }) {
    const socket = connect({ host, port });
    pushing.set(id, 0);
    const timer = talk ? setInterval(() => socket.write("more\n"), 100) : undefined;
    socket.on("error", () => {});
    socket.on("close", () => {
      clearInterval(timer);
      pushing.set(id, -1);
    });
    socket.on("data", () => pushing.set(id, pushing.get(id) + 1));
    await new Promise((resolve) => socket.once("data", resolve));
    return "held";
  },
  async held({ id }) {
    return String(pushing.get(id));
  },
  /** Sends a datagram every 10 ms, each from a port of its own, until `flooded` is asked. */
  async flood({ id, host, port, from, family }) {
    const flood = { sent: 0, answered: 0 };
    const timer = setInterval(() => {
      const socket = createSocket(`udp${family}`);
      socket.on("error", () => {});
      socket.once("message", () => flood.answered++);
      socket.bind({ address: from, port: 0 }, () => socket.send("?", port, host, () => flood.sent++));
      setTimeout(() => socket.close(), 3000);
    }, 10);
    floods.set(id, { flood, timer });
    return "flooding";
  },
  /** `SENT ANSWERED`. */
  async flooded({ id }) {
    const { flood, timer } = floods.get(id);
    clearInterval(timer);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    return `${flood.sent} ${flood.answered}`;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, command, ...options } = JSON.parse(line);
  commands[command]({ ...options, id: options.flow })
    .catch((error) => `error: ${error.message}`)
    .then((answer) => process.stdout.write(`${JSON.stringify({ id, answer })}\n`));
}
process.exit(0);
