/**
 * The way out on a server without a public address. Hetzner Cloud hands out the Network's own routes by DHCP, but neither a default
 * route nor name servers. What configures the network may differ between images, and may drop a route that is not its own: so a
 * small service keeps the route, whatever happens, rather than a file for one of them.
 */

export interface WayOut {
  /** The Network's router, such as `10.0.0.1`. */
  readonly gateway: string;
  /** IPv4 addresses of name servers. */
  readonly resolvers: readonly string[];
}

const scriptPath = "/opt/hcloud-swarm-way-out.sh";
const unit = "hcloud-swarm-way-out.service";
/** Bounds the wait for the way out during setup, in seconds; the node that is it may still boot, or be told to be it. */
const patienceSeconds = 3600;

/**
 * Shell text for the setup, before its first package, with its `apt`, `say` and `fail`: starts the service and waits until the package
 * sources answer, for whatever the setup and the user's additions fetch. The files are part of it, and not of cloud-init's, for
 * user-data is short.
 */
export function wayOutSetup(wayOut: WayOut): string {
  return `
say 'waiting for the way out'
cat >${scriptPath} <<'EOF'
${keeperProgram(wayOut)}EOF
chmod 0755 ${scriptPath}
cat >/etc/systemd/system/${unit} <<'EOF'
${unitText}EOF
mkdir -p /etc/systemd/resolved.conf.d
echo '[Resolve]
DNS=${wayOut.resolvers.join(" ")}' >/etc/systemd/resolved.conf.d/60-hcloud-swarm.conf
systemctl --no-reload enable ${unit}
systemctl daemon-reload
systemctl start ${unit}
systemctl try-restart systemd-resolved.service || :
begin=$(date +%s)
until apt update -o APT::Update::Error-Mode=any -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15; do
  waited=$(($(date +%s) - begin))
  [ "$waited" -lt ${patienceSeconds} ] || fail "no package source answers after $waited s: does the way out (network.egress) work?"
  say "no package source answers yet ($waited s): trying again"
  sleep 5
done
listed=yes
`;
}

const unitText = `[Unit]
Description=Way out of a server without a public address (hcloud-swarm)
[Service]
ExecStart=${scriptPath}
Restart=always
RestartSec=5
[Install]
WantedBy=multi-user.target
`;

/** What the service runs. */
export function keeperProgram({ gateway, resolvers }: WayOut): string {
  return `#!/bin/sh
# Made by hcloud-swarm: keeps the default route of a server without a public address, and name servers where there are none.
while :; do
  pause=30
  if [ -z "$(ip -4 route show default)" ]; then
    device=$(ip -4 -o route get ${gateway} 2>/dev/null | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p')
    if [ -n "$device" ] && ip -4 route add default via ${gateway} dev "$device" onlink; then
      echo "default route via ${gateway} on $device"
    else
      pause=1
    fi
  fi
  grep -qs '^nameserver ' /etc/resolv.conf || printf 'nameserver %s\\n' ${resolvers.join(" ")} >>/etc/resolv.conf
  sleep "$pause"
done
`;
}
