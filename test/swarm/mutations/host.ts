/** Runs mutations on the manager of the shared cluster: many in one SSH session, for each the report while it was in force. */
import { parsePayload } from "../../../packages/swarm/src/firewall/payload.js";
import { parseReport, type Report } from "../../../packages/swarm/src/verification/index.js";
import type { Mutation } from "../../../packages/swarm/src/verification/testing/ruleMutations.js";
import type { Cluster } from "../../harness/src/index.js";
import { type Outcome, statusOf } from "./outcomes.js";

const agent = "/opt/hcloud-iptables.sh";
const hold = "/run/systemd/system/hcloud-iptables-check.service.d";

/** The payload in force. */
export async function payloadOf(cluster: Cluster) {
  // What a command prints comes without its last newline, which a payload must have.
  return parsePayload(`${await cluster.ssh(cluster.manager, "cat /etc/hcloud-iptables/payload")}\n`);
}

/** @throws where exit status and report do not say the same. */
export async function verify(cluster: Cluster): Promise<Report> {
  const output = await cluster.ssh(cluster.manager, `${agent} verify --json; echo "$?"`);
  const [json = "", status] = output.trim().split("\n");
  const report = parseReport(json);
  const expected = statusOf(report);
  if (Number(status) !== expected) throw new Error(`verify ended with ${status} instead of ${expected}: ${json}`);
  return report;
}

/** Keeps the timer's look from mending what a test has broken. The timer itself goes on, so the checks of it still pass. */
export async function holdTimer(cluster: Cluster): Promise<void> {
  await cluster.ssh(
    cluster.manager,
    `mkdir -p ${hold} && printf '[Service]\\nExecCondition=/bin/false\\n' >${hold}/hold.conf && systemctl daemon-reload`,
  );
}

const mark = "=== mutation";

/** One look each, without pauses: a mutation stays until it is undone. */
export async function run(cluster: Cluster, mutations: readonly Mutation[]): Promise<Outcome[]> {
  const script = [
    `export AGENT=${agent} HC_LOOKS=1`,
    "cd /",
    ...mutations.map(
      ({ apply, undo }) => `
( set -e
${apply}
) >/run/mutation.log 2>&1; applied=$?
if [ "$applied" -eq 0 ]; then report=$("$AGENT" verify --json 2>/dev/null); status=$?; else report=; status=0; fi
( set -e
${undo}
) >>/run/mutation.log 2>&1; undone=$?
printf '${mark} %s %s %s\\n%s\\n' "$applied" "$status" "$undone" "$report"
if [ "$applied$undone" != 00 ]; then tail -n 5 /run/mutation.log; fi`,
    ),
  ].join("\n");
  const output = await cluster.ssh(cluster.manager, "sh -s", script);
  const parts = output.split(`${mark} `).slice(1);
  return mutations.map((mutation, i) => {
    const [head = "", report = "", ...log] = (parts[i] ?? "").split("\n");
    const [applied, status, undone] = head.split(" ").map(Number);
    if (applied !== 0 || undone !== 0) {
      const trouble = `${applied !== 0 ? "it could not be made" : "it could not be undone"}: ${log.join(" ").trim() || "no output"}`;
      return { mutation, failed: [], missed: mutation.caughtBy, exitStatus: status ?? -1, trouble };
    }
    const failed = parseReport(report)
      .checks.filter((check) => !check.passed)
      .map((check) => check.name);
    const missed = mutation.caughtBy.filter((name) => !failed.includes(name));
    return { mutation, failed, missed, exitStatus: status ?? -1 };
  });
}
