/** Closed ports asked all the time from outside, while something happens to their node. */
import { type ClusterNode, flood, type Probe } from "../../harness/src/index.js";
import { closedUdp, meshPorts } from "./types.js";
import type { World } from "./world.js";

/** Milliseconds from one probe of a flood to the next. */
const interval = 20;
/** Longest time that a flood may be without a probe: emulated machines take the processor from it. */
const longestPause = 1000;

/** What came of a flood. */
export interface Flooded<T> {
  readonly result: T;
  readonly answers: number;
  /** Probes without their answer that somebody took all the same: a handshake or a refusal, which no rule of ours gives. */
  readonly reached: number;
  /** When the last answer came, in milliseconds since 1970; undefined without one. */
  readonly lastAnswer: number | undefined;
  /** For the table. */
  readonly said: string;
}

/** Nobody answered: gives what the table says of it. */
export function withoutAnswers({ answers, said }: Flooded<unknown>): string {
  if (answers > 0) throw new Error(`closed ports answered: ${said}`);
  return said;
}

/** Nor did anybody take a packet in any other way, which is asked wherever the rules are in force all the time. */
export function unanswered(flooded: Flooded<unknown>): string {
  const { reached } = flooded;
  const said = withoutAnswers(flooded);
  if (reached > 0) throw new Error(`closed ports took packets, ${reached} of them: ${said}`);
  return `${said}, none refused`;
}

/**
 * Runs `work` while ports of a node are probed from outside every 20 ms: TCP in both families, and a published UDP port.
 * The caller has seen with `World.listens` that they would answer.
 */
export async function underFlood<T>(
  { attacked: { region } }: World,
  node: ClusterNode,
  work: () => Promise<T>,
  ports: readonly number[] = [8083],
): Promise<Flooded<T>> {
  const probe = (network: Probe["network"], address: string, port: number): Probe => {
    const kind = network === "tcp6" && meshPorts.includes(port) ? "connect" : "answer";
    return { id: "flood", network, address, port, kind, timeoutMs: 2000, attempts: 1 };
  };
  const probes = [
    ...ports.flatMap((port) => [probe("tcp4", node.publicIpv4, port), probe("tcp6", node.publicIpv6, port)]),
    probe("udp4", node.publicIpv4, closedUdp),
  ];
  const started = Date.now();
  const floods = await Promise.all(
    probes.map(async (asked) => ({ asked, running: await flood(region, asked, `${interval}ms`) })),
  );
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await Promise.all(floods.map(({ running }) => running.stop()));
    throw error;
  }
  const elapsed = Date.now() - started;
  const reports = await Promise.all(floods.map(async ({ asked, running }) => ({ asked, ...(await running.stop()) })));
  // A sender that starves would make any window a quiet one.
  for (const { asked, sent, longestPauseMs } of reports)
    if (sent * interval < elapsed / 2 || longestPauseMs > longestPause)
      throw new Error(
        `the flood of ${asked.network} ${asked.port} sent ${sent} probes in ${elapsed} ms, and none for ${longestPauseMs} ms`,
      );
  const total = (key: "sent" | "answers" | "reached") => reports.reduce((sum, one) => sum + one[key], 0);
  const [sent, answers, reached] = [total("sent"), total("answers"), total("reached")];
  const lastAnswerMs = Math.max(...reports.map((report) => report.lastAnswerMs));
  const rate = Math.round((elapsed * reports.length) / sent);
  const pause = Math.max(...reports.map(({ longestPauseMs }) => longestPauseMs));
  return {
    result,
    answers,
    reached,
    lastAnswer: lastAnswerMs < 0 ? undefined : started + lastAnswerMs,
    said: `${answers} of ${sent} probes answered, TCP and UDP, one every ${rate} ms a port and family, at most ${pause} ms apart`,
  };
}
