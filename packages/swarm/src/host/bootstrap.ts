/** The first contact with a fresh server, as a program for `sh -s`. */
import { setupStamp } from "./setup";

export interface BootstrapPlan {
  /** How long cloud-init may take from now on, in seconds. */
  readonly cloudInitSeconds: number;
}

/**
 * Waits for cloud-init, says what went wrong when it did, and gives the server a host key of its own. Prints the public half
 * of that key and nothing else. The swap comes a second later, when the output has left: until then a second run still
 * meets the key that it knows.
 */
export function bootstrapProgram({ cloudInitSeconds }: BootstrapPlan): string {
  return `set -eu
limit=${cloudInitSeconds}
begin=$(date +%s)
while :; do
  status=$(cloud-init status 2>/dev/null | sed -n 's/^status: //p')
  case $status in running | 'not started' | 'not run' | '') ;; *) break ;; esac
  waited=$(($(date +%s) - begin))
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
    systemctl --failed --no-legend --plain || :
    systemctl --failed --no-legend --plain | while read -r unit _; do journalctl -q -n 10 --no-pager -u "$unit"; done
  } >&2
  exit 1
fi
fresh=$(mktemp -d /etc/ssh/fresh.XXXXXX)
ssh-keygen -q -t ed25519 -N '' -C '' -f "$fresh/key"
swap="mv -f $fresh/key /etc/ssh/ssh_host_ed25519_key && mv -f $fresh/key.pub /etc/ssh/ssh_host_ed25519_key.pub && rmdir $fresh && systemctl reload ssh"
systemd-run --quiet --on-active=1 --timer-property=AccuracySec=100ms sh -c "$swap" >&2
cut -d ' ' -f 1,2 "$fresh/key.pub"
`;
}
