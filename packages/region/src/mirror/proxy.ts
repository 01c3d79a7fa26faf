/** Passes requests of the servers for packages on to the mirror's Unix socket. */
import { createServer, type Server } from "node:http";
import { pipeline } from "node:stream";
import { forward, listen } from "../support/forward.js";

export async function serveMirrorProxy(address: string, socketPath: string): Promise<Server> {
  const server = createServer((incoming, outgoing) => {
    pipeline(incoming, forward(incoming, outgoing, socketPath, incoming.headers), () => {});
  });
  await listen(server, address, 80);
  return server;
}
