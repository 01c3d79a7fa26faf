/** A web service asked all the time from outside, over a new connection each time, while something is done to its nodes. */
import { join } from "node:path";
import { z } from "zod";
import { say } from "./phases.js";
import type { Region } from "./region.js";

const recordSchema = z.object({
  url: z.string(),
  asked: z.number(),
  failed: z.number(),
  outageMs: z.number(),
  lastError: z.string(),
});
export type Watched = z.infer<typeof recordSchema>;

/** Asks through each of these servers, from before `work` until after it, every `interval` milliseconds. */
export async function watched<T>(
  region: Region,
  servers: readonly { readonly publicIpv4: string }[],
  work: () => Promise<T>,
  interval = 300,
): Promise<{ result: T; records: readonly Watched[] }> {
  const watcher = join(import.meta.dirname, "../watcher.mjs");
  const urls = servers.map(({ publicIpv4 }) => `http://${publicIpv4}/`);
  const child = region.exec(process.execPath, [watcher, String(interval), ...urls], { stdin: "pipe", buffer: true });
  const lines = child.iterable()[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.done) await child;
  let result: T;
  try {
    result = await work();
  } finally {
    child.stdin?.end();
  }
  const records: Watched[] = [];
  for (let line = await lines.next(); !line.done; line = await lines.next())
    records.push(recordSchema.parse(JSON.parse(String(line.value))));
  await child;
  for (const { url, asked, failed, outageMs, lastError } of records)
    say(`    ${url}: ${asked} probes, ${failed} failed, longest outage ${(outageMs / 1000).toFixed(1)} s ${lastError}`);
  return { result, records };
}
