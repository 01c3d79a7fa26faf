/**
 * The package mirror: a process in the host's own network that serves Debian's archive from a cache over a Unix socket.
 * What it does not have it fetches with apt's downloader, from where this host's apt gets its packages.
 */
import { createReadStream, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type DebianSource, debianSource } from "../images/debianSource.js";
import { run } from "../support/command.js";
import { INDEX_SECONDS, type MirrorFile, mirrorFile } from "./paths.js";

const DOWNLOADER = "/usr/lib/apt/apt-helper";

/** Fetches a URI into a file. */
export type Fetch = (uri: string, target: string) => Promise<void>;

export const fetchWithApt: Fetch = async (uri, target) => {
  await run(DOWNLOADER, ["-o", "APT::Sandbox::User=root", "download-file", uri, target], { timeout: 600_000 });
};

/** A cache of files in which concurrent requests for one file fetch it once. */
export class MirrorCache {
  readonly #directory: string;
  readonly #fetch: Fetch;
  readonly #running = new Map<string, Promise<string | undefined>>();
  #count = 0;

  constructor(directory: string, fetch: Fetch = fetchWithApt) {
    this.#directory = directory;
    this.#fetch = fetch;
  }

  /** Path of the file in the cache; undefined when the archive does not have it. */
  async get(file: MirrorFile): Promise<string | undefined> {
    const path = join(this.#directory, file.cachePath);
    const age = this.#age(path);
    if (age !== undefined && (file.immutable || age < INDEX_SECONDS)) return path;
    const known = this.#running.get(path);
    if (known) return await known;
    const work = this.#bring(file, path).finally(() => this.#running.delete(path));
    this.#running.set(path, work);
    return await work;
  }

  async #bring(file: MirrorFile, path: string): Promise<string | undefined> {
    mkdirSync(dirname(path), { recursive: true });
    this.#count += 1;
    const part = join(this.#directory, `.part-${process.pid}-${this.#count}`);
    try {
      await this.#fetch(file.uri, part);
      renameSync(part, path);
      return path;
    } catch (error) {
      // A stale index is better than none: its signature says until when it is valid.
      if (this.#age(path) !== undefined) return path;
      const reason = String(error instanceof Error ? error.message : error);
      if (/404|not found/i.test(reason)) return undefined;
      throw error;
    } finally {
      rmSync(part, { force: true });
    }
  }

  /** Seconds since the file was fetched; undefined when it is not there. */
  #age(path: string): number | undefined {
    try {
      return (Date.now() - statSync(path).ctimeMs) / 1000;
    } catch {
      return undefined;
    }
  }
}

async function serve(cache: MirrorCache, source: DebianSource, request: IncomingMessage, response: ServerResponse) {
  if (request.method !== "GET" && request.method !== "HEAD") return void response.writeHead(405).end();
  const file = mirrorFile(request.url ?? "", source);
  const path = file && (await cache.get(file));
  if (!path) return void response.writeHead(404).end("not found\n");
  const { size, mtime } = statSync(path);
  const modified = new Date(Math.floor(mtime.getTime() / 1000) * 1000);
  const headers = { "last-modified": modified.toUTCString(), "accept-ranges": "bytes" };
  const since = Date.parse(request.headers["if-modified-since"] ?? "");
  if (since >= modified.getTime()) return void response.writeHead(304, headers).end();
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
  const start = range ? Number(range[1]) : 0;
  if (start > 0 && start >= size) return void response.writeHead(416, { "content-range": `bytes */${size}` }).end();
  response.writeHead(range ? 206 : 200, {
    ...headers,
    "content-length": size - start,
    ...(range ? { "content-range": `bytes ${start}-${size - 1}/${size}` } : {}),
  });
  if (request.method === "HEAD") return void response.end();
  await pipeline(createReadStream(path, { start }), response);
}

/** Serves the mirror at a Unix socket. */
export async function serveMirror(socket: string, directory: string): Promise<Server> {
  mkdirSync(directory, { recursive: true });
  rmSync(socket, { force: true });
  const cache = new MirrorCache(directory);
  let source: Promise<DebianSource> | undefined;
  const server = createServer((request, response) => {
    source ??= debianSource();
    source
      .then((known) => serve(cache, known, request, response))
      .catch((error: unknown) => {
        source = undefined;
        console.error(`mirror: ${request.url}: ${error instanceof Error ? error.message : error}`);
        if (!response.headersSent) response.writeHead(502);
        response.end();
      });
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(socket, resolve));
  return server;
}
