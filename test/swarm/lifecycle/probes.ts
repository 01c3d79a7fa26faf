/** Questions to ports, from outside and from nodes. */
import { type ClusterNode, type Probe, parseResults, responderProgram } from "../../harness/src/index.js";
import type { Life } from "./lib.js";

export const tcp = (id: string, address: string, port: number, kind: Probe["kind"]): Probe => ({
  ...{ id, address, port, kind, network: "tcp4" },
  timeoutMs: 4000,
  attempts: 3,
});

/** Which of these are open, by their ids. */
export const openOf = (results: readonly { id: string; open: boolean }[]): Record<string, boolean> =>
  Object.fromEntries(results.map(({ id, open }) => [id, open]));

/** Asks on a host that has the responder. */
export const askedOn = async (run: (command: string, input: string) => Promise<string>, probes: readonly Probe[]) =>
  openOf(parseResults(await run(`${responderProgram} probe`, JSON.stringify(probes))));

export const onNode = (life: Life, node: ClusterNode) => (command: string, input: string) =>
  life.cluster.ssh(node, command, input);
