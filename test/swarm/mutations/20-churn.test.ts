/** A healthy host under churn of services and networks is never called broken: 50 verifications, as `pulumi up` runs them. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Cluster, say } from "../../harness/src/index.js";
import { ready, restoreReady } from "../lib.js";

const rounds = 50;
// Everything that makes Docker rewrite its chains: tasks, published ports, networks (an encrypted one too), plain containers.
const churn = `
n=0
while [ -e /run/churn ]; do
  n=$((n + 1))
  docker service update --detach --quiet --force allowed
  docker network create --driver overlay --opt encrypted churn-net
  docker service create --detach --quiet --no-resolve-image --name churn --network churn-net \\
    --publish published=7001,target=80 --publish published=7002,target=80,mode=host hcloud-swarm/responder:local serve tcp:80
  docker network create churn-bridge
  docker run --detach --rm --name churn-run --network churn-bridge -p 7003:80 hcloud-swarm/responder:local serve tcp:80
  sleep 3
  docker rm --force churn-run
  docker service rm churn
  docker network rm churn-bridge
  sleep 3
  docker network rm churn-net
  echo "$n" >/run/churn-rounds
done`;

let cluster: Cluster;
beforeAll(async () => {
  cluster = (await ready()).cluster;
});
afterAll(restoreReady);

test(`${rounds} verifications during churn, no false alarm`, async () => {
  const { manager } = cluster;
  await cluster.ssh(
    manager,
    "touch /run/churn; cat >/run/churn.sh; systemd-run --quiet --unit=churn --setenv=HOME=/root sh /run/churn.sh",
    churn,
  );
  const alarms: string[] = [];
  let secondLooks = 0;
  for (let round = 1; round <= rounds; round++) {
    const text = await cluster.ssh(
      manager,
      `/opt/hcloud-iptables.sh verify --json 2>/run/looks; echo "$?"; grep -c '^hcloud-iptables: look' /run/looks || :`,
    );
    const [json = "", status = "none", looks = "0"] = text.trim().split("\n");
    const failed = cluster.parseReport(json).checks.filter((check) => !check.passed);
    if (Number(looks) > 0) secondLooks++;
    if (failed.length > 0 || status !== "0")
      alarms.push(`round ${round}: exit status ${status}, ${JSON.stringify(failed)}`);
    if (round % 10 === 0) say(`${round} verifications, ${alarms.length} false alarms, ${secondLooks} looked again`);
  }
  await cluster.ssh(manager, "rm /run/churn");
  // The control: there was churn.
  const churned = Number(await cluster.ssh(manager, "cat /run/churn-rounds"));
  say(`${churned} rounds of churn`);
  expect(churned).toBeGreaterThan(5);
  expect(alarms).toEqual([]);
});
