import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { cacheDir, root } from "./paths.js";
import type { Region } from "./region.js";

const source = join(root, "test/harness/responder");

/** The responder's program (static, for hosts and containers alike), built once for each state of its source. */
export function responderBinary(): Promise<string> {
  // Asked for by every node at once: one build serves them all.
  built ??= build();
  return built;
}
let built: Promise<string> | undefined;

async function build(): Promise<string> {
  const hash = createHash("sha256");
  for (const file of readdirSync(source).sort()) hash.update(file).update(readFileSync(join(source, file)));
  const target = join(cacheDir("responder"), `responder-${hash.digest("hex").slice(0, 16)}`);
  if (!existsSync(target)) {
    const fresh = `${target}.${process.pid}`;
    await execa("go", ["build", "-trimpath", "-ldflags=-s -w", "-o", fresh, "."], {
      cwd: source,
      env: { CGO_ENABLED: "0" },
    });
    renameSync(fresh, target);
  }
  return target;
}

/** One question: does this port answer, seen from there? See the responder's Probe. */
export interface Probe {
  readonly id: string;
  readonly network: "tcp4" | "tcp6" | "udp4" | "udp6" | "sctp4" | "sctp6";
  readonly address: string;
  readonly port: number;
  /** `answer`: our greeting must come back. `connect`: the TCP handshake suffices, for services that are not ours. */
  readonly kind: "answer" | "connect";
  readonly timeoutMs: number;
  readonly attempts: number;
  /** Sent, and expected back, where the answer is not our greeting. */
  readonly request?: string;
  readonly expect?: string;
  /** Default: any. */
  readonly sourcePort?: number;
}

const resultsSchema = z.array(
  z.object({ id: z.string(), open: z.boolean(), reached: z.boolean(), detail: z.string() }),
);
export type ProbeResult = z.infer<typeof resultsSchema>[number];

/** Asks all probes at once from the outside of the region. */
export async function probeFromOutside(region: Region, probes: readonly Probe[]): Promise<ProbeResult[]> {
  const run = await region.exec(await responderBinary(), ["probe"], { input: JSON.stringify(probes) });
  return resultsSchema.parse(JSON.parse(String(run.stdout)));
}

/** Ports on which the responder's own greeting comes back from the outside, as `5432/4`: port and family. */
export async function answeringPorts(
  region: Region,
  { ipv4, ipv6 }: { readonly ipv4: string; readonly ipv6: string },
  ports: readonly number[],
): Promise<string[]> {
  const asked = ports.flatMap((port) => (["4", "6"] as const).map((family) => ({ port, family })));
  const answers = await probeFromOutside(
    region,
    asked.map(({ port, family }) => ({
      id: `${port}/${family}`,
      network: `tcp${family}`,
      address: family === "4" ? ipv4 : ipv6,
      port,
      kind: "answer",
      timeoutMs: 4000,
      attempts: 3,
    })),
  );
  return answers.flatMap((answer) => (answer.open ? [answer.id] : [])).sort();
}

/** Parses what `responder probe` printed elsewhere, such as on a node. */
export function parseResults(text: string): ProbeResult[] {
  return resultsSchema.parse(JSON.parse(text));
}

/** A responder client that runs until it is told to stop, then gives its report. */
export interface Watch<T> {
  stop(): Promise<T>;
}

const holdSchema = z.object({
  requests: z.number(),
  failures: z.number(),
  connections: z.number(),
  longestMs: z.number(),
  lastError: z.string().optional(),
});

const floodSchema = z.object({
  sent: z.number(),
  answers: z.number(),
  reached: z.number(),
  firstAnswerMs: z.number(),
  lastAnswerMs: z.number(),
  longestPauseMs: z.number(),
});

/** Keeps one HTTP connection busy from the outside; the report says whether it had to be made anew. */
export async function holdConnection(region: Region, url: string): Promise<Watch<z.infer<typeof holdSchema>>> {
  return await watch(region, ["hold", url, "250ms"], holdSchema);
}

/** Repeats a probe every `interval` (such as `20ms`) from the outside and counts the answers. */
export async function flood(
  region: Region,
  probe: Probe,
  interval: string,
): Promise<Watch<z.infer<typeof floodSchema>>> {
  return await watch(region, ["flood", JSON.stringify(probe), interval], floodSchema);
}

async function watch<T>(region: Region, args: readonly string[], schema: z.ZodType<T>): Promise<Watch<T>> {
  const child = region.exec(await responderBinary(), args, { stdin: "pipe", buffer: true });
  const lines = child.iterable()[Symbol.asyncIterator]();
  // The first line says that it is at work; without it a failed start would look like a quiet one.
  const first = await lines.next();
  if (first.done) await child;
  return {
    async stop() {
      child.stdin?.end();
      let last = "";
      for (let line = await lines.next(); !line.done; line = await lines.next()) last = String(line.value);
      await child;
      return schema.parse(JSON.parse(last));
    },
  };
}
