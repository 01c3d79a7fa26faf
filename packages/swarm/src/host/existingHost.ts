/** The host agent on a host that exists already: programs that put it there and take it away, for `sh -s` or as a command. */
import { gzipSync } from "node:zlib";
import { defaultDataPathPort } from "../firewall/index";
import { agentScript, unitFiles } from "./agentSources";
import { unitPath } from "./userData";

/** The host agent on a host. */
export const agentPath = "/opt/hcloud-iptables.sh";
const dropIn = "10-hcloud-iptables.conf";
const dropInFolder = unitPath(dropIn).slice(0, unitPath(dropIn).lastIndexOf("/"));
const files = [
  { path: agentPath, mode: "0755", text: agentScript },
  ...Object.entries(unitFiles).map(([name, text]) => ({ path: unitPath(name), mode: "0644", text })),
];

/** Writes standard input to a file: as a whole or not at all. `put MODE PATH` */
const put = `put() {
  mkdir -p "\${2%/*}"
  base64 -d | gzip -dc >"$2.new"
  chmod "$1" "$2.new"
  mv -f "$2.new" "$2"
}`;

const putText = ({ path, mode, text }: (typeof files)[number]) => `put ${mode} ${path} <<'EOF'\n${packed(text)}\nEOF\n`;

/**
 * Puts the agent and its units on the host. Nothing that runs is stopped, restarted or cut off, no rule changes before the
 * first `apply`, and nothing loads one at the next boot or start of Docker before {@link armProgram}: a host that never gets
 * a confirmed policy stays as it is. Exits with 1, and says why, on a host that cannot take the agent.
 */
export function installProgram(): string {
  const puts = files.filter(({ path }) => path !== unitPath(dropIn)).map(putText);
  return `set -eu
fail() { printf 'install: %s\\n' "$*" >&2; exit 1; }

${put}

need_tools() {
  for tool in iptables ip6tables iptables-nft ip6tables-nft nft ipset conntrack curl openssl; do
    command -v "$tool" >/dev/null || missing=yes
  done
  [ -n "\${missing-}" ] || return 0
  command -v apt-get >/dev/null || fail 'iptables, nftables, ipset, conntrack, curl and openssl must be installed'
  export DEBIAN_FRONTEND=noninteractive
  {
    apt-get -o DPkg::Lock::Timeout=300 update &&
      apt-get -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=300 install -y --no-install-recommends \\
        iptables nftables ipset conntrack curl ca-certificates openssl
  } >&2 || fail 'could not install iptables, nftables, ipset, conntrack, curl and openssl'
}

# A switch under a running Docker would leave its rules behind in the other backend: that is for the host's owner to do.
need_nft_backend() {
  for tool in iptables ip6tables; do
    case $("$tool" -V) in
      *nf_tables*) ;;
      *) fail "$tool is not of the nf_tables kind here: update-alternatives --set $tool /usr/sbin/$tool-nft, then restart Docker" ;;
    esac
  done
}

# The rules let peers' overlays in at Docker's own number; at another they would fall silent. Managers alone know it.
need_usual_data_path() {
  command -v docker >/dev/null || return 0
  port=$(timeout 30 docker info --format '{{with .Swarm.Cluster}}{{.DataPathPort}}{{end}}' 2>/dev/null) || return 0
  case $port in
    '' | 0 | ${defaultDataPathPort}) ;;
    *) fail "the data path of this swarm is UDP $port (docker swarm init --data-path-port); only ${defaultDataPathPort} can be kept open to peers" ;;
  esac
}

# Starting or stopping nftables flushes every rule. Masked, never stopped.
mask_nftables() {
  [ "$(systemctl is-enabled nftables.service 2>/dev/null || :)" != masked ] || return 0
  systemctl mask nftables.service >&2 || fail 'could not mask nftables.service'
  mkdir -p /var/lib/hcloud-iptables
  : >/var/lib/hcloud-iptables/nftables-was-not-masked
}

main() {
  command -v systemctl >/dev/null || fail 'this host has no systemd'
  need_tools
  need_nft_backend
  need_usual_data_path
  mask_nftables
  mkdir -p /var/lib/hcloud-iptables
  put_files
  systemctl daemon-reload
}

put_files() {
${puts.join("")}}
main </dev/null
`;
}

/**
 * From here on the rules are in force at each boot, Docker starts behind them only, and the timer looks after them. To be run
 * behind a confirmation: the unit loads the payload that is stored. Docker runs on. Part of a larger program.
 */
export function armProgram(): string {
  const file = files.find(({ path }) => path === unitPath(dropIn));
  if (!file) throw new Error(`the agent has no ${dropIn}`);
  return `${put}
${putText(file)}systemctl --no-reload enable hcloud-iptables.service hcloud-iptables-check.timer >&2
systemctl daemon-reload
systemctl start hcloud-iptables.service hcloud-iptables-check.timer
`;
}

/** Puts a newer agent on a host that runs with one already. Its rules and its Docker stay as they are. */
export function upgradeProgram(): string {
  return `${installProgram()}${armProgram()}`;
}

/** Takes away what {@link installProgram}, {@link armProgram} and the agent put there. Docker runs on; the host is open afterwards. */
export function removeProgram(): string {
  const paths = files.map(({ path }) => path);
  return `set -eu
main() {
  systemctl stop hcloud-iptables-check.timer || :
  systemctl --no-reload disable hcloud-iptables.service hcloud-iptables-check.timer >&2 || :
  # First Docker lets go of the unit: stopping the unit would stop Docker with it.
  rm -f ${unitPath(dropIn)}
  systemctl daemon-reload
  unmask=no
  [ ! -e /var/lib/hcloud-iptables/nftables-was-not-masked ] || unmask=yes
  [ ! -x ${agentPath} ] || ${agentPath} remove
  systemctl stop hcloud-iptables.service || :
  [ "$unmask" = no ] || systemctl unmask nftables.service >&2
  rm -f ${paths.join(" ")}
  rmdir ${dropInFolder} 2>/dev/null || :
  rm -rf /run/hcloud-iptables
  systemctl daemon-reload
}
main </dev/null
`;
}

/** Compressed, in lines of base64. */
function packed(text: string): string {
  const base64 = gzipSync(text, { level: 9 }).toString("base64");
  return base64.replace(/.{1,76}/g, "$&\n").trimEnd();
}
