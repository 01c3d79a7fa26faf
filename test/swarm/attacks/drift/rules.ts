/** Rules that somebody takes away or puts in front. */
import type { DriftAttack } from "../types.js";

const both = (args: string) => `iptables ${args} && ip6tables ${args}`;
const repaired = (name: string, what: string, breakIt: string, caughtBy: RegExp): DriftAttack => ({
  group: "drift",
  name,
  what,
  breakIt,
  caughtBy,
  outcome: "repaired",
});

/** Docker's own chains are Docker's to bring back. */
const restartDocker = "systemctl restart docker";
const nothingLeft = "no rule is left in the kernel until the next check, so nothing can hold";

export const ruleDrifts: readonly DriftAttack[] = [
  repaired("flush-docker-user", "DOCKER-USER emptied", both("-F DOCKER-USER"), /jump-filter-docker-user/),
  repaired(
    "delete-jump",
    "Docker's jump to DOCKER-USER deleted, as live-restore once did",
    both("-D FORWARD -j DOCKER-USER"),
    /jump-filter-forward-docker-user/,
  ),
  repaired(
    "return-inserted-first",
    "a RETURN before ours",
    both("-I DOCKER-USER -j RETURN"),
    /jump-filter-docker-user/,
  ),
  repaired(
    "accept-inserted-first",
    "an ACCEPT before ours",
    both("-I DOCKER-USER -j ACCEPT"),
    /jump-filter-docker-user/,
  ),
  repaired(
    "ingress-jump-above-user",
    "Docker's ingress chain asked before DOCKER-USER",
    "iptables -I FORWARD -j DOCKER-INGRESS",
    /jump-filter-forward-docker-user-v4/,
  ),
  repaired(
    "v6-only-drift",
    "only IPv6's DOCKER-USER emptied",
    "ip6tables -F DOCKER-USER",
    /jump-filter-docker-user-hc-fwd-v6/,
  ),
  repaired(
    "belt-emptied",
    "the whole mangle table emptied: the rules in filter must hold alone, as those in mangle do where filter is emptied",
    both("-t mangle -F"),
    /chain-mangle-hc-belt/,
  ),
  {
    ...repaired("iptables-F", "the whole filter table emptied", "iptables -F", /chain-filter-hc-in-v4/),
    restoresDocker: restartDocker,
  },
  {
    ...repaired(
      "iptables-restore-noflag",
      "iptables-restore of a saved file without --noflush: all of the filter table replaced",
      `printf '*filter\\n:INPUT ACCEPT [0:0]\\n:FORWARD ACCEPT [0:0]\\n:OUTPUT ACCEPT [0:0]\\nCOMMIT\\n' | iptables-restore`,
      /chain-filter-hc-in-v4/,
    ),
    restoresDocker: restartDocker,
  },
  {
    ...repaired(
      "nft-flush-ruleset",
      "every table of both families flushed",
      "nft flush ruleset",
      /chain-filter-hc-in-v4/,
    ),
    restoresDocker: restartDocker,
    opensMeanwhile: nothingLeft,
  },
  {
    ...repaired(
      "nftables-stop",
      "nftables.service unmasked, started and stopped: both flush everything",
      "systemctl unmask nftables; systemctl start nftables; systemctl stop nftables",
      /chain-filter-hc-in-v4/,
    ),
    restoresDocker: `systemctl mask nftables; ${restartDocker}`,
    opensMeanwhile: nothingLeft,
  },
];
