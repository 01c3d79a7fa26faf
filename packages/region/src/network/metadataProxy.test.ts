import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { ASKING } from "../backend.js";
import { serveMetadata } from "./metadataProxy.js";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

it("hands a question on with the Network and the address it came from, whatever the server claims", async () => {
  const directory = mkdtempSync(join(tmpdir(), "metadata-"));
  const socket = join(directory, "metadata.sock");
  const daemon = createServer(({ url, headers }, answer) => {
    answer.writeHead(200, { "content-type": "text/plain" });
    answer.end(`${url} ${headers[ASKING.network]} ${headers[ASKING.address]}`);
  });
  await new Promise<void>((resolve) => daemon.listen(socket, resolve));
  const proxy = await serveMetadata("7", socket, { host: "127.0.0.1", port: 0 });
  cleanups.push(() => {
    proxy.close();
    daemon.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const ask = (path: string) =>
    fetch(`http://127.0.0.1:${proxy.port}${path}`, {
      headers: { [ASKING.network]: "8", [ASKING.address]: "10.0.0.9" },
    });
  expect(await (await ask("/hetzner/v1/userdata")).text()).toBe("/hetzner/v1/userdata 7 127.0.0.1");
  daemon.closeAllConnections();
  await new Promise((resolve) => daemon.close(resolve));
  expect((await ask("/hetzner/v1/userdata")).status).toBe(502);
});
