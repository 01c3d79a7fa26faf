/**
 * Debian's archives for virtual machines: files come from a cache on disk, and what is missing is fetched with apt's own
 * downloader, configured as this machine's apt is. Signatures are checked by apt in the virtual machine, as everywhere.
 */
import { createReadStream } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { indexTargetsFormat, type MirrorFile, mirrorFile, type Repositories, repositoriesFrom } from "./sources.js";

/** How long an index that may change is served without a look at its origin, in seconds. */
const freshSeconds = 6 * 3600;

/** Fetches a URI to a file; rejects with a message when it cannot be had. */
export type Fetch = (uri: string, file: string) => Promise<void>;

/** apt's own downloader, which uses apt's proxies and certificates. */
export const aptFetch: Fetch = async (uri, file) => {
  await execa("/usr/lib/apt/apt-helper", ["-q", "download-file", uri, file], { timeout: 600_000 });
};

/** The Debian archives that this machine's apt uses. */
export async function hostRepositories(): Promise<Repositories> {
  const { stdout } = await execa("apt-get", ["indextargets", "--format", indexTargetsFormat]);
  return repositoriesFrom(stdout);
}

export interface MirrorOptions {
  readonly repositories: Repositories;
  /** Folder of the cache. */
  readonly cache: string;
  readonly fetch?: Fetch;
  readonly log?: (line: string) => void;
}

/** An HTTP server over the cache; not listening yet. */
export function createMirror({ repositories, cache, fetch = aptFetch, log = () => {} }: MirrorOptions): Server {
  const underWay = new Map<string, Promise<void>>();

  const isFresh = async (file: MirrorFile): Promise<boolean> => {
    const info = await stat(join(cache, file.path)).catch(() => undefined);
    return info !== undefined && (file.immutable || Date.now() - info.mtimeMs < freshSeconds * 1000);
  };

  const bring = async (file: MirrorFile): Promise<void> => {
    const target = join(cache, file.path);
    const partial = `${target}.${process.pid}.part`;
    await mkdir(dirname(target), { recursive: true });
    try {
      await fetch(file.uri, partial);
      await rename(partial, target);
      log(`fetched ${file.path}`);
    } finally {
      await rm(partial, { force: true });
    }
  };

  /** Several machines that ask for one file at a time cause one download. */
  const ensure = async (file: MirrorFile): Promise<void> => {
    if (await isFresh(file)) return;
    const running = underWay.get(file.path) ?? bring(file).finally(() => underWay.delete(file.path));
    underWay.set(file.path, running);
    await running;
  };

  return createServer((request, response) => {
    const refuse = (status: number, text: string) => {
      response.writeHead(status, { "content-type": "text/plain" }).end(`${text}\n`);
    };
    const path = new URL(request.url ?? "/", "http://mirror").pathname;
    const file = mirrorFile(repositories, path);
    if (request.method !== "GET" && request.method !== "HEAD") return refuse(405, "GET and HEAD only");
    if (file === undefined) return refuse(404, "no such file in this mirror");
    ensure(file)
      .then(async () => {
        const local = join(cache, file.path);
        const info = await stat(local);
        response.writeHead(200, {
          "content-length": info.size,
          "content-type": "application/octet-stream",
          "last-modified": info.mtime.toUTCString(),
        });
        if (request.method === "HEAD") response.end();
        else
          createReadStream(local)
            .on("error", () => response.destroy())
            .pipe(response);
      })
      .catch((error: unknown) => {
        log(`not fetched: ${file.path}: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`);
        // apt treats 404 as "this archive has no such file" and goes on, which is right for optional indexes.
        refuse(404, "not to be had");
      });
  });
}
