/**
 * The program that a fresh server runs once, at the end of its first boot: packages in an order that never lets Docker run
 * unhardened. Not cloud-init's `packages`, which would start Docker as soon as it is unpacked, whatever came of the rest.
 */
import { type Additions, additionsText, noAdditions } from "./additions";
import { type WayOut, wayOutSetup } from "./wayOut";

export interface SetupPlan {
  /** `debian`: the distribution's docker.io. `docker`: Docker's own repository. */
  readonly channel: "debian" | "docker";
  /** What is done at the end, when Docker runs. Default: nothing. */
  readonly additions?: Additions;
  /** On a server without a public address: packages come by a way out that is made first. Default: it has a public one. */
  readonly wayOut?: WayOut | undefined;
}

/** Says that the program has come to its end. */
export const setupStamp = "/var/lib/hcloud-swarm/setup-done";

/** Text for `sh`. Its comments are for who reads them here: user-data has no room for them. */
export function setupProgram({ channel, additions = noAdditions, wayOut }: SetupPlan): string {
  const short = (text: string) => text.replaceAll(/^ *#.*\n|^\n/gm, "");
  const head = "#!/bin/sh\n# Made by hcloud-swarm; runs once, at first boot.\n";
  const way = wayOut === undefined ? "" : wayOutSetup(wayOut);
  return `${head}${short(preparation)}${way}${short(installation(channel))}${additionsText(additions)}${end}`;
}

const preparation = `set -eu
export DEBIAN_FRONTEND=noninteractive
say() { echo "hcloud-swarm: $*"; }
fail() { say "FAILED: $*" >&2; exit 1; }
apt() { apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@"; }

# Its start and its stop both flush every rule, and an upgrade of its package may do either. Masked, never stopped.
systemctl --no-reload mask nftables.service
# Once for all of these: a reload takes a small server that is busy booting many seconds.
systemctl --no-reload enable hcloud-iptables.service hcloud-iptables-check.timer
systemctl daemon-reload

# An image with Docker in it: no port is published before the rules are in, and its first start finds its settings.
if systemctl is-active --quiet docker.service docker.socket; then
  say 'stopping the Docker that the image came with'
  systemctl stop 'docker.*'
fi

# What an image has not come with. On a small server, asking apt for what is there takes as long as the boot.
listed=
refresh() {
  [ -n "$listed" ] || apt update
  listed=yes
}
install_packages() {
  for package in "$@"; do
    shift
    [ "$(dpkg-query -W -f '\${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || set -- "$@" "$package"
  done
  [ $# -gt 0 ] || return 0
  refresh
  apt install --no-install-recommends "$@"
}
`;

function installation(channel: SetupPlan["channel"]): string {
  return `say 'installing the packet filter'
install_packages iptables nftables ipset conntrack curl ca-certificates openssl
update-alternatives --set iptables /usr/sbin/iptables-nft
update-alternatives --set ip6tables /usr/sbin/ip6tables-nft

say 'loading the rules'
systemctl start hcloud-iptables.service || fail 'the rules could not be loaded, so Docker is not installed'
systemctl is-active --quiet hcloud-iptables.service || fail 'the rules are not loaded, so Docker is not installed'

if command -v dockerd >/dev/null && command -v docker >/dev/null; then
  say 'keeping the Docker that the image came with'
else
  say 'installing Docker'
${(channel === "docker" ? dockerRepository : debianDocker).replaceAll(/^(?=.)/gm, "  ")}
fi
# Its package has done so, but where a preset says no. 'enable' would ask its init script too, with a reload for each level; and
# without its manager's knowledge, or systemd would take every unit for changed.
systemctl is-enabled --quiet docker.service || SYSTEMD_OFFLINE=1 systemctl add-wants multi-user.target docker.service
systemctl start docker.service hcloud-iptables-check.timer
`;
}

const end = `mkdir -p ${setupStamp.slice(0, setupStamp.lastIndexOf("/"))}
touch ${setupStamp}
say 'done'
`;

// The client is a package of its own from Debian 13 on. Docker before 23 starts no container where the kernel has AppArmor and
// the parser of its profiles is missing; later ones do without.
const debianDocker = `refresh
client=
if apt-cache show docker-cli >/dev/null 2>&1; then client=docker-cli; fi
version=$(apt-cache show --no-all-versions docker.io | sed -n 's/^Version: //p')
if dpkg --compare-versions "$version" lt 23; then apt install --no-install-recommends apparmor; fi
apt install --no-install-recommends docker.io $client`;

// As https://docs.docker.com/engine/install/debian/ has it.
const dockerRepository = `install -m 0755 -d /etc/apt/keyrings
curl -fsSL https://download.docker.com/linux/debian/gpg -o /etc/apt/keyrings/docker.asc
chmod a+r /etc/apt/keyrings/docker.asc
. /etc/os-release
echo "deb [arch=$(dpkg --print-architecture) signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.com/linux/debian $VERSION_CODENAME stable" \\
  >/etc/apt/sources.list.d/docker.list
apt update
listed=yes
apt install --no-install-recommends docker-ce docker-ce-cli containerd.io`;
