/**
 * The metadata service inside a Network. Its namespace has no way to the daemon's, so requests go on over a Unix socket, with
 * the Network and the address that they come from: Networks may have the same addresses.
 */
import { createServer } from "node:http";
import { ASKING } from "../backend.js";
import { forward, listen } from "../support/forward.js";
import { METADATA_ADDRESS } from "./names.js";

/** Listens on port 80 of the metadata service's address. Resolves when it listens. */
export async function serveMetadata(
  networkId: string,
  socketPath: string,
  { host, port }: { host: string; port: number } = { host: METADATA_ADDRESS, port: 80 },
): Promise<{ readonly port: number; close(): void }> {
  const server = createServer((incoming, outgoing) => {
    const address = incoming.socket.remoteAddress ?? "";
    const headers = { [ASKING.network]: networkId, [ASKING.address]: address };
    // Without what the server sends along: the service only answers questions, and a body could pass for a request of its own.
    incoming.resume();
    forward(incoming, outgoing, socketPath, headers).end();
  });
  await listen(server, host, port);
  const bound = server.address();
  return { port: typeof bound === "object" && bound !== null ? bound.port : port, close: () => server.close() };
}
