# shellcheck shell=sh
# What each check is about, and what to do when it fails.

# explanations: NAME<tab>WHAT<tab>FIX a line. A `*` at the end of a name stands for the part that differs by family, chain or set.
explanations() {
  while IFS='|' read -r name what fix; do
    case $fix in
      RELOAD) fix="systemctl reload hcloud-iptables puts the rules back; journalctl -u hcloud-iptables-check says what changed" ;;
      FILES) fix="systemctl daemon-reload; if that does not help, put the agent on the host again: pulumi up, or a new server" ;;
      DOCKER*) fix="take what was found out of ${fix#DOCKER }, then: systemctl restart docker" ;;
    esac
    printf '%s\t%s\t%s\n' "$name" "$what" "$fix"
  done <<'TABLE'
iptables-nft-v*|the iptables of dockerd writes to the nf_tables of the kernel|update-alternatives --set iptables /usr/sbin/iptables-nft, likewise ip6tables; then: systemctl restart docker
no-legacy-rules-v*|no rules of the old iptables backend, which would apply beside ours unseen|find what loads them with iptables-legacy -S and ip6tables-legacy -S, remove it, and restart the host
no-unreadable-tables-v*|iptables can read the tables that our rules are in|nft -a list ruleset shows the rule that nft put there; nft delete rule, then systemctl reload hcloud-iptables
docker-chains-in-force|dockerd keeps its rules where ours are|let dockerd find the iptables that the host uses (PATH of docker.service), then: systemctl restart docker
payload-present|the host has rules to enforce; without them only SSH is open|send the policy again: pulumi up
payload-loadable|the stored payload can be loaded at the next boot|install what is missing (ipset, unshare, the kernel modules that the error names), or send the policy again: pulumi up
chain-*|a chain has exactly the rules of the payload, in their order|RELOAD
jump-*|the kernel enters our chain first of all, and once|RELOAD
set-*|a set of sources has exactly the networks of the payload|RELOAD
peers|the ports of the swarm are open to the nodes of the cluster and to nobody else|systemctl reload hcloud-iptables, or send the peers again: pulumi up
apply-again-changes-nothing-v*|nothing is left over that the next payload would have to clear away|RELOAD
egress-forwarding|this host hands on what others send through it|sysctl -w net.ipv4.ip_forward=1
nft-present|nft is there to ask whether the rules are in force|apt-get install nftables, with nftables.service masked
base-chains-v*|the kernel enters the chains of iptables, at the right moment|restart the host, or: nft delete the chain that is named, then systemctl reload hcloud-iptables
kernel-rules-v*|the kernel has the rules of the payload, asked without iptables|RELOAD
no-foreign-nft-rules|no rules of others change packets, connections or their way|remove what loads them, then the table or the rule that was found
unit-enabled|the rules are loaded at boot|systemctl enable hcloud-iptables.service
unit-active|the rules were loaded since boot|systemctl start hcloud-iptables.service
unit-runs-agent|the unit loads the rules|remove overrides of hcloud-iptables.service (systemctl revert hcloud-iptables.service)
unit-before-network|the rules are loaded before the network is up|remove overrides of hcloud-iptables.service (systemctl revert hcloud-iptables.service)
unit-file-current|systemd has read the unit as it is on disk|systemctl daemon-reload, then verify again
timer-enabled|the host looks at its rules every few minutes|systemctl enable --now hcloud-iptables-check.timer
timer-active|the host looks at its rules every few minutes|systemctl enable --now hcloud-iptables-check.timer
timer-runs-agent|what the timer starts looks at the rules|remove overrides of hcloud-iptables-check.service (systemctl revert hcloud-iptables-check.service)
no-*|no other program replaces or flushes the rules|systemctl mask the unit that the check names (for nftables without stopping it: its stop flushes everything), then systemctl reload hcloud-iptables
docker-requires-firewall|Docker does not start without the rules|FILES
docker-after-firewall|Docker starts after the rules|FILES
docker-drop-in|what ties Docker to the rules is in place|FILES
docker-start-checked|each start of Docker is followed by a look at the rules|FILES
docker-unit-current|systemd has read the unit of Docker as it is on disk|systemctl daemon-reload, then verify again
docker-socket-local|systemd does not open the API of Docker to the network|remove the ListenStream from docker.socket (systemctl revert docker.socket), then restart docker.socket
docker-iptables-on|Docker translates and guards its ports with iptables|DOCKER /etc/docker/daemon.json or docker.service
docker-backend|Docker uses iptables: with nftables there is no DOCKER-USER|DOCKER /etc/docker/daemon.json or docker.service
docker-raw-rules-on|Docker keeps strangers from dialing containers directly|DOCKER the environment of docker.service
docker-no-direct-routing|Docker keeps strangers from dialing containers directly|DOCKER /etc/docker/daemon.json, docker.service or the options of a network
docker-api-local|the API of Docker does not listen on TCP: who reaches it is root|DOCKER /etc/docker/daemon.json or docker.service, or stop what listens there
no-listener-on-published-ports|what answers on a published port over IPv6 is Docker, no daemon of the host|name the port under hostServices in the policy, or let the daemon listen elsewhere
container-cgroup|the rules name the control group that containers are in|RELOAD
docker-cgroup-parent|containers on the network of the host can be told from the host|put "cgroup-parent" as named into /etc/docker/daemon.json, then: systemctl restart docker
docker-answers|Docker answers questions about its networks and its swarm|journalctl -u docker says why it does not
swarm-address-private|the node shows itself to the swarm with a private address, unless the program names public ones|let it leave the swarm and join with --advertise-addr set to its private address
data-path-address-private|traffic between containers takes private addresses, unless the program names public ones|let it leave the swarm and join with --data-path-addr set to its private address
TABLE
}
