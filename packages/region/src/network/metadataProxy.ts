/**
 * The metadata service inside a Network. Its namespace has no way to the daemon's, so requests go on over a Unix socket, with
 * the Network and the address that they come from: Networks may have the same addresses.
 */
import { createServer, request as send } from "node:http";
import { pipeline } from "node:stream";
import { ASKING } from "../backend.js";
import { METADATA_ADDRESS } from "./names.js";

/** Listens on port 80 of the metadata service's address. Resolves when it listens. */
export async function serveMetadata(
  networkId: string,
  socketPath: string,
  { host, port }: { host: string; port: number } = { host: METADATA_ADDRESS, port: 80 },
): Promise<{ readonly port: number; close(): void }> {
  const server = createServer((incoming, outgoing) => {
    const { url: path, method } = incoming;
    const address = incoming.socket.remoteAddress ?? "";
    const headers = { [ASKING.network]: networkId, [ASKING.address]: address };
    const onward = send({ socketPath, path, method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      pipeline(answer, outgoing, () => {});
    });
    onward.on("error", () => {
      if (!outgoing.headersSent) outgoing.writeHead(502);
      outgoing.end();
    });
    // The service only answers questions: nothing that a server sends along matters.
    incoming.resume();
    onward.end();
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, host, resolve));
  const bound = server.address();
  return { port: typeof bound === "object" && bound !== null ? bound.port : port, close: () => server.close() };
}
