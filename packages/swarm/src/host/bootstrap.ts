/** The first contact with a fresh server, as a program for `sh -s`. */
import { setupStamp } from "./setup";

export interface BootstrapPlan {
  /** How long cloud-init may take from now on, in seconds. */
  readonly cloudInitSeconds: number;
}

const key = "/etc/ssh/ssh_host_ed25519_key";
/** Holds the one-use key and the new one until the server is claimed. */
const unclaimed = "/etc/ssh/hcloud-swarm-unclaimed";
const unclaimedUnit = "hcloud-swarm-unclaimed.service";
/** How long an unclaimed server shows one key before it shows the other, in seconds: less than any step keeps dialling. */
const turn = 60;

const show = (which: string) =>
  `cp -p ${unclaimed}/${which} ${key}.next && cp -p ${unclaimed}/${which}.pub ${key}.pub && mv -f ${key}.next ${key} && systemctl reload ssh`;

/**
 * Ends the first contact: from here on the server shows its own key and no other. To be run over a connection that was made
 * with that key pinned; does nothing on a server that is claimed already. One line, for a command.
 */
export const claimCommand = `if [ -d ${unclaimed} ]; then systemctl stop ${unclaimedUnit} 2>/dev/null; ${show("fresh")} && rm -rf ${unclaimed} || exit 1; fi`;

/**
 * Waits for cloud-init, says what went wrong when it did, and gives the server a host key of its own. Prints the public half
 * of that key and nothing else. The swap comes a second later, when the output has left: until then a second run still
 * meets the key that it knows.
 *
 * A deployment may be killed before it has written down what was printed. Until the server is claimed over a connection with
 * the new key it therefore shows both keys by turns, and whichever step comes next meets the one that it knows.
 */
export function bootstrapProgram({ cloudInitSeconds }: BootstrapPlan): string {
  return `set -eu
limit=${cloudInitSeconds}
begin=$(date +%s)
ask=0
status=running
# Its answer costs a small server seconds of CPU time, and it is busy: asked at first, at the end, and now and then.
while :; do
  waited=$(($(date +%s) - begin))
  if [ "$waited" -ge "$ask" ] || [ -e /run/cloud-init/result.json ]; then
    ask=$((waited + 60))
    status=$(cloud-init status 2>/dev/null | sed -n 's/^status: //p')
    case $status in running | 'not started' | 'not run' | '') ;; *) break ;; esac
  fi
  if [ "$waited" -ge "$limit" ]; then break; fi
  if [ $((waited % 30)) -lt 3 ]; then echo "waiting for cloud-init: $waited s of at most $limit s" >&2; fi
  sleep 3
done
if [ ! -e ${setupStamp} ]; then
  {
    echo "cloud-init is '$status' after $(($(date +%s) - begin)) s and the server's setup has not come to its end."
    echo '--- end of /var/log/cloud-init-output.log'
    tail -n 30 /var/log/cloud-init-output.log || :
    echo '--- failed units'
    {
      systemctl --failed --no-legend --plain | cut -d ' ' -f 1
      # One that systemd starts again and again, as it does Docker, is not among those.
      for unit in hcloud-iptables.service containerd.service docker.service; do
        state="$(systemctl show --property=Result --value "$unit") $(systemctl show --property=NRestarts --value "$unit")"
        if [ "$state" != 'success 0' ]; then echo "$unit"; fi
      done
    } | sort -u | while read -r unit; do
      systemctl list-units --all --no-legend --plain "$unit"
      journalctl -q -n 10 --no-pager -u "$unit"
    done
  } >&2
  exit 1
fi
systemctl stop ${unclaimedUnit} 2>/dev/null || :
mkdir -p ${unclaimed}
chmod 700 ${unclaimed}
if [ ! -e ${unclaimed}/first ]; then
  cp -p ${key}.pub ${unclaimed}/first.pub
  cp -p ${key} ${unclaimed}/first
fi
rm -f ${unclaimed}/fresh ${unclaimed}/fresh.pub
ssh-keygen -q -t ed25519 -N '' -C '' -f ${unclaimed}/fresh
turns='sleep 1; while :; do ${show("fresh")}; sleep ${turn}; ${show("first")}; sleep ${turn}; done'
systemd-run --quiet --collect --unit=${unclaimedUnit} sh -c "$turns" >&2
cut -d ' ' -f 1,2 ${unclaimed}/fresh.pub
`;
}
