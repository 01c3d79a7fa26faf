/**
 * Everything about a host that the component may touch, read before and after: every rule of every table in both families, sets,
 * all unit files and their states, all files under /etc and /opt with their contents, modes and owners, kernel settings.
 */
import type { Host } from "../../harness/src/index.js";

export interface HostState {
  /** Packages by name and version. */
  readonly packages: readonly string[];
  /** Everything else, a line a thing, such as `file 0644 root:root SHA256 /etc/hosts`. */
  readonly lines: readonly string[];
}

// Unit files that come and go with containers and mounts are no file that anybody put there.
const survey = `
  # Half a survey would be taken for a host without the other half.
  set -euo pipefail
  for tool in iptables ip6tables; do
    # Built-in chains that are there but empty are no difference to a packet; counters count on.
    "$tool-save" | awk -v tool="$tool" '
      /^\\*/ { table = $0; next }
      /^(#|COMMIT|:[A-Z]+ ACCEPT)/ { next }
      { sub(/ \\[[0-9]+:[0-9]+\\]/, ""); print "rule", tool, table, $0 }'
  done
  if command -v ipset >/dev/null; then ipset list -n | sed 's/^/set /'; fi
  systemctl list-unit-files --no-legend --no-pager --plain |
    awk '$2 != "transient" && $2 != "generated" { print "unit", $1, $2 }'
  for unit in docker.service docker.socket containerd.service nftables.service hcloud-iptables.service \\
    hcloud-iptables-check.timer; do
    echo "active $unit $(systemctl is-active "$unit")"
  done
  systemctl show docker.service --property=Requires,Wants,After,BindsTo,PartOf,DropInPaths,ExecStart |
    sed -E 's/(start_time|stop_time|pid|code|status)=[^;]*;?//g' |
    awk '{ at = index($0, "="); n = split(substr($0, at + 1), words, " "); for (i = 1; i <= n; i++) print "docker", substr($0, 1, at) words[i] }' |
    sort -u
  systemctl list-units --failed --no-legend --plain --no-pager | sed 's/^/failed /'
  places="/etc /opt"
  for place in /var/lib/hcloud-iptables "$HOME/.docker"; do if [ -e "$place" ]; then places="$places $place"; fi; done
  find $places -xdev -not -type f -printf 'entry %y %m %u:%g %l %p\\n'
  find $places -xdev -type f -printf 'file %m %u:%g %p\\n'
  find /etc /opt -xdev -type f -exec sha256sum {} + | sed 's/^/content /'
  find /run -maxdepth 1 -name 'hcloud*' | sed 's/^/run /'
  { sysctl -a 2>/dev/null || :; } | grep -E '^net\\.(bridge|ipv[46]\\..*forward)' | sed 's/^/sysctl /'
`;

export async function stateOf(host: Host): Promise<HostState> {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own format
  const packages = await host.ssh("dpkg-query -W -f '${Package} ${Version}\\n'");
  return { packages: packages.trim().split("\n").sort(), lines: (await host.ssh(survey)).trim().split("\n").sort() };
}

/** Files that package tools rewrite whenever a package comes. */
const rewritten = ["/etc/ld.so.cache"];

/**
 * What is different, `-` for what is gone and `+` for what is new. Packages that came stay, as is said in the docs: their own
 * files and units do not count.
 */
export async function differences(host: Host, before: HostState, after: HostState): Promise<readonly string[]> {
  const came = after.packages.filter((one) => !before.packages.includes(one)).map((one) => one.split(" ")[0]);
  const listed = came.length === 0 ? "" : await host.ssh(`dpkg -L ${came.join(" ")}`);
  const theirs = new Set([...listed.split("\n"), ...rewritten]);
  const units = new Set([...theirs].map((path) => path.split("/").at(-1)));
  const own = (line: string) => {
    const words = line.split(" ");
    return !theirs.has(words.at(-1) ?? "") && !(words[0] === "unit" && units.has(words[1]));
  };
  const [was, is] = [new Set(before.lines), new Set(after.lines)];
  return [
    ...before.lines.filter((line) => !is.has(line)).map((line) => `- ${line}`),
    ...after.lines.filter((line) => !was.has(line)).map((line) => `+ ${line}`),
    ...before.packages.filter((one) => !after.packages.includes(one)).map((one) => `- package ${one}`),
  ].filter(own);
}

/** The packages that came, by name. */
export function newPackages(before: HostState, after: HostState): readonly string[] {
  return after.packages.filter((one) => !before.packages.includes(one)).map((one) => one.split(" ")[0] ?? "");
}
