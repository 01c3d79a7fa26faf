/** Passes requests of the servers for packages on to the mirror's Unix socket. */
import { createServer, type Server, request as send } from "node:http";
import { pipeline } from "node:stream";

export async function serveMirrorProxy(address: string, socketPath: string): Promise<Server> {
  const server = createServer((incoming, outgoing) => {
    const { url: path, method, headers } = incoming;
    const onward = send({ socketPath, path, method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      pipeline(answer, outgoing, () => {});
    });
    onward.on("error", () => {
      if (!outgoing.headersSent) outgoing.writeHead(502);
      outgoing.end();
    });
    pipeline(incoming, onward, () => {});
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(80, address, resolve));
  return server;
}
