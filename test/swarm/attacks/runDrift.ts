/** Breaks a node's rules, sees the verifier name it, and lets the timer's check do its work. */
import { program } from "./fixtures.js";
import { unanswered, underFlood } from "./floods.js";
import { closedUdp, type DriftAttack } from "./types.js";
import { dockerStartSeconds, type World } from "./world.js";

/** Published by a container, and a listener on the host's network. */
const published = 8083;
const ofHost = 7000;

/** What the agent has to have put right by itself, whatever else was broken. */
const agentsOwn = /^(jump|chain|set|kernel-rules|base-chains|apply-again)-|^peers$/;

/** Throws unless it is noticed by name, closed ports stay closed, and the check repairs or reports it. */
export async function drift(world: World, attack: DriftAttack): Promise<{ detail: string; clean: boolean }> {
  const node = world.worker;
  const failedChecks = async (looks = 2) => {
    const text = await world.ssh(
      node,
      `HC_LOOKS=${looks} HC_PAUSE=1 /opt/hcloud-iptables.sh verify --json 2>/dev/null || :`,
    );
    return world.attacked.cluster
      .parseReport(text)
      .checks.filter(({ passed }) => !passed)
      .map(({ name }) => name);
  };
  const journal = async (pattern: string) =>
    Number(
      await world.ssh(
        node,
        `journalctl -u hcloud-iptables-check -u docker --since @${since} -o cat --no-pager | grep -cE '${pattern}' || :`,
      ),
    );

  const before = await failedChecks(4);
  if (before.length > 0) throw new Error(`the verifier finds fault with the healthy node: ${before.join(", ")}`);
  await world.listens(node, published);
  await world.listens(node, ofHost);
  const since = (await world.ssh(node, "date +%s")).trim();
  const flooded = await underFlood(
    world,
    node,
    async () => {
      await world.ssh(node, attack.breakIt);
      const failed = await failedChecks();
      const said = await world.ssh(node, "systemctl start hcloud-iptables-check.service 2>/dev/null; echo $?");
      const checked = Date.now();
      return { failed, status: Number(said), checked, left: await failedChecks() };
    },
    [published, ofHost],
  );
  const { failed, status, checked, left } = flooded.result;
  const caught = failed.filter((name) => attack.caughtBy.test(name));
  if (caught.length === 0)
    throw new Error(`the verifier did not name it; failed checks: ${failed.join(", ") || "none"}`);
  if (attack.opensMeanwhile === undefined) unanswered(flooded);
  else if ((flooded.lastAnswer ?? 0) > checked) throw new Error(`closed ports answer after the check: ${flooded.said}`);
  const meanwhile = `${flooded.said}${flooded.answers > 0 ? ` (${attack.opensMeanwhile})` : ""}`;

  if (attack.outcome === "repaired") {
    const ours = left.filter((name) => agentsOwn.test(name));
    if (ours.length > 0) throw new Error(`the check did not repair what is the agent's own: ${ours.join(", ")}`);
    if (attack.restoresDocker === undefined && status !== 0)
      throw new Error(`the check's unit failed (${status}) although it repaired everything`);
    if (attack.restoresDocker !== undefined) await world.ssh(node, attack.restoresDocker);
    const rest = await failedChecks();
    if (rest.length > 0) throw new Error(`still wrong after the check: ${rest.join(", ")}`);
    if ((await journal("drifted:")) === 0) throw new Error("the check repaired it and did not say so in the journal");
    await world.mustBeAsBefore(node, attack.restoresDocker === undefined ? undefined : dockerStartSeconds);
    const byDocker = attack.restoresDocker === undefined ? "" : ", and what is Docker's by Docker's restart";
    return {
      detail: `caught by ${caught.join(", ")}; repaired by the check${byDocker}; ${meanwhile}`,
      clean: attack.restoresDocker === undefined,
    };
  }
  const others = left.filter((name) => !attack.caughtBy.test(name) && !attack.alsoWrong?.checks.test(name));
  if (left.length === 0) throw new Error("it is gone after the check, which is not its to change");
  if (others.length > 0) throw new Error(`after the check this is wrong as well: ${others.join(", ")}`);
  if (status === 0) throw new Error("the check's unit did not fail");
  if ((await journal(`FAILED (${left.join("|")})`)) === 0) throw new Error("the journal does not name what failed");
  await world.mustBeClosed(node);
  const later = attack.atNextStart === undefined ? "" : `; ${await nextStart(world, attack.atNextStart, since)}`;
  if (attack.undo !== undefined) {
    await world.ssh(node, `${attack.undo}; systemctl start hcloud-iptables-check.service`);
    const rest = await failedChecks();
    if (rest.length > 0) throw new Error(`still wrong after it was undone: ${rest.join(", ")}`);
    await world.mustBeAsBefore(node);
  }
  const withIt = left.filter((name) => attack.alsoWrong?.checks.test(name));
  const also = withIt.length === 0 ? "" : ` (and ${withIt.join(", ")}: ${attack.alsoWrong?.why})`;
  return {
    detail: `caught by ${caught.join(", ")}${also}; not the agent's to repair: the check's unit fails and says so; ${meanwhile}${later}`,
    clean: attack.undo !== undefined,
  };
}

/** What comes of a setting that Docker reads when it starts. */
async function nextStart(
  world: World,
  expected: NonNullable<DriftAttack["atNextStart"]>,
  since: string,
): Promise<string> {
  const node = world.worker;
  const restart = "systemctl restart docker 2>/dev/null; echo $?";
  const flooded = await underFlood(world, node, () => world.ssh(node, restart), [published, ofHost]);
  const status = Number(flooded.result);
  if ((status === 0) !== (expected === "starts")) throw new Error(`Docker's restart ended with ${status}`);
  if (expected !== "starts") {
    const journal = await world.ssh(node, `journalctl -u docker --since @${since} -o cat --no-pager`);
    if (!journal.includes(expected.refusedWith))
      throw new Error(`Docker's journal does not say why: ${journal.slice(-500)}`);
  }
  // The control: somebody is there who would answer. Containers are gone where Docker is.
  if (expected === "starts") await world.listens(node, published, { seconds: dockerStartSeconds });
  else await world.ssh(node, `systemd-run --quiet ${program} serve tcp:${ofHost} udp:${closedUdp}`);
  await world.listens(node, ofHost);
  await world.mustBeClosed(node);
  const came = expected === "starts" ? "Docker starts with it" : "Docker is not started with it";
  return `${came}, and what is closed stays closed: ${unanswered(flooded)}`;
}
