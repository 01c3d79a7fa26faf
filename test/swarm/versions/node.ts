/** What a node tells of its boot and of its configuration. */
import { z } from "zod";

/** Runs a command on a node; rejects when it fails. */
export type Run = (command: string) => Promise<string>;

const reportSchema = z.looseObject({
  checks: z.array(z.looseObject({ name: z.string(), passed: z.boolean(), expected: z.string(), found: z.string() })),
});
const entrySchema = z.looseObject({ __MONOTONIC_TIMESTAMP: z.coerce.number() });

/** The checks of the node's own verifier that fail, and how many there are. */
export async function verification(run: Run): Promise<{ failed: string[]; count: number }> {
  const { checks } = reportSchema.parse(JSON.parse(await run("/opt/hcloud-iptables.sh verify --json || :")));
  const failed = checks.filter(({ passed }) => !passed);
  return {
    failed: failed.map(({ name, expected, found }) => `${name}: must be ${expected}, is ${found}`),
    count: checks.length,
  };
}

export interface FirstStarts {
  /** Seconds from the kernel's start until the rules were loaded. */
  readonly rulesLoaded: number;
  /** Until the first start of Docker was begun, and until dockerd said its first word. */
  readonly dockerStarting: number;
  readonly dockerdSpoke: number;
}

/** systemd's marks of a unit that begins to start and of one that has started. */
const starting = "MESSAGE_ID=7d4958e842da4a758f6c1cdc7b36dcc5";
const started = "MESSAGE_ID=39f53479d3a045ac8e11786248231fbf";

/** What happened first in the node's present boot, from its journal. */
export async function firstStarts(run: Run): Promise<FirstStarts> {
  const first = async (...matches: string[]) => {
    const text = await run(`journalctl -b -q -o json --no-pager ${matches.join(" ")} | head -n 1`);
    if (text.trim() === "") throw new Error(`the journal of this boot has nothing of ${matches.join(" ")}`);
    return entrySchema.parse(JSON.parse(text)).__MONOTONIC_TIMESTAMP / 1e6;
  };
  return {
    rulesLoaded: await first("UNIT=hcloud-iptables.service", started),
    dockerStarting: await first("UNIT=docker.service", starting),
    dockerdSpoke: await first("_COMM=dockerd"),
  };
}

/** Everything that cloud-init has against what it was given and that went wrong; nothing when all is well. */
export async function cloudInitComplaints(run: Run): Promise<string> {
  return await run(`
    cloud-id | grep -vx hetzner || :
    cloud-init status | grep -vx 'status: done' || :
    cloud-init schema --system >/tmp/schema 2>&1 || echo 'not valid:'
    grep -iE 'invalid|error|deprecat|not valid' /tmp/schema || :
    grep -E ' - [a-z_.]+\\[(WARNING|ERROR|CRITICAL)\\]' /var/log/cloud-init.log || :`);
}

/** Everything that this version of systemd has against our units and Docker's with our drop-in. */
export async function unitComplaints(run: Run): Promise<string> {
  return await run(
    "systemd-analyze verify --man=no hcloud-iptables.service hcloud-iptables-check.service hcloud-iptables-check.timer docker.service 2>&1",
  );
}
