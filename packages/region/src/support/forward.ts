/** HTTP requests that go on to a Unix socket. */
import {
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
  request as send,
} from "node:http";
import { pipeline } from "node:stream";

/** Begins the request to the socket and passes its answer on. The caller ends it, with a body or without. */
export function forward(
  { url: path, method }: IncomingMessage,
  outgoing: ServerResponse,
  socketPath: string,
  headers: OutgoingHttpHeaders,
): ClientRequest {
  const onward = send({ socketPath, path, method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    pipeline(answer, outgoing, () => {});
  });
  onward.on("error", () => {
    if (!outgoing.headersSent) outgoing.writeHead(502);
    outgoing.end();
  });
  return onward;
}

/** Resolves when the server listens. */
export async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, host, resolve));
}
