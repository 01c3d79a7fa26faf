/**
 * What a host can lose around its rules: units, Docker's options, the backend, the stored files. For a real host with systemd,
 * Docker and a swarm of its own; every undo leaves it as it was. AGENT is the agent's path.
 */
import type { Mutation } from "./ruleMutations";

const unit = "hcloud-iptables.service";
const units = "/etc/systemd/system";
const dropIn = `${units}/docker.service.d/10-hcloud-iptables.conf`;
const kept = "/run/mutation-kept";

function mutation(kind: string, what: string, apply: string, undo: string, ...caughtBy: string[]): Mutation {
  return { name: `${kind}: ${what}`, kind, apply, undo, caughtBy };
}

/** Changes a file; the undo puts the old one back. */
function edited(kind: string, what: string, path: string, edit: string, ...caughtBy: string[]): Mutation {
  return mutation(kind, what, `cp -a ${path} ${kept} && ${edit}`, `cp -a ${kept} ${path}`, ...caughtBy);
}

/** The same for a file that systemd reads. */
function editedUnit(what: string, path: string, edit: string, ...caughtBy: string[]): Mutation {
  const { apply, undo, ...rest } = edited("unit", what, path, edit, ...caughtBy);
  const reload = "systemctl daemon-reload";
  return { ...rest, apply: `${apply} && ${reload}`, undo: `${undo} && ${reload}` };
}

function overridden(of: string, what: string, lines: string, ...caughtBy: string[]): Mutation {
  const folder = `/run/systemd/system/${of}.d`;
  return mutation(
    "override",
    what,
    `mkdir -p ${folder} && cat >${folder}/zz-mutation.conf <<'LINES' && systemctl daemon-reload\n${lines}\nLINES`,
    `rm ${folder}/zz-mutation.conf && systemctl daemon-reload`,
    ...caughtBy,
  );
}

const dockerd = (flags: string): string =>
  `[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock ${flags}`;
const dockerFlag = (flags: string, caughtBy: string): Mutation =>
  overridden("docker.service", `dockerd ${flags}`, dockerd(flags), caughtBy);
const dockerKey = (key: string, caughtBy: string): Mutation =>
  edited(
    "daemon.json",
    key,
    "/etc/docker/daemon.json",
    `sed -i '0,/{/s##{ ${key.replaceAll("#", "")},#' /etc/docker/daemon.json`,
    caughtBy,
  );
const stranger = (name: string): Mutation =>
  mutation(
    "stranger",
    `${name}.service is there`,
    `printf '[Service]\\nExecStart=/bin/true\\n' >${units}/${name}.service && systemctl daemon-reload`,
    `rm ${units}/${name}.service && systemctl daemon-reload`,
    `no-${name}`,
  );

export const hostMutations: readonly Mutation[] = [
  // Units.
  mutation("unit", "disabled", `systemctl disable -q ${unit}`, `systemctl enable -q ${unit}`, "unit-enabled"),
  mutation(
    "unit",
    "stopped",
    `systemctl stop --job-mode=ignore-dependencies ${unit}`,
    `systemctl start ${unit}`,
    "unit-active",
  ),
  overridden(unit, "the unit loads nothing", "[Service]\nExecStart=\nExecStart=/bin/true", "unit-runs-agent"),
  overridden(unit, "the unit undoes it at once", "[Service]\nExecStart=/bin/true", "unit-runs-agent"),
  editedUnit(
    "loaded some time after the network",
    `${units}/${unit}`,
    `sed -i 's/network-pre.target//' ${units}/${unit}`,
    "unit-before-network",
  ),
  edited(
    "unit",
    "changed behind systemd's back",
    `${units}/${unit}`,
    `sleep 1.1 && echo '# changed' >>${units}/${unit}`,
    "unit-file-current",
  ),
  mutation(
    "timer",
    "disabled",
    "systemctl disable -q hcloud-iptables-check.timer",
    "systemctl enable -q hcloud-iptables-check.timer",
    "timer-enabled",
  ),
  mutation(
    "timer",
    "stopped",
    "systemctl stop hcloud-iptables-check.timer",
    "systemctl start hcloud-iptables-check.timer",
    "timer-active",
  ),
  overridden(
    "hcloud-iptables-check.service",
    "the timer starts something else",
    "[Service]\nExecStart=\nExecStart=/bin/true",
    "timer-runs-agent",
  ),
  mutation(
    "stranger",
    "nftables.service is no longer masked",
    "systemctl unmask -q nftables.service",
    "systemctl mask -q nftables.service",
    "no-nftables",
  ),
  ...["ufw", "firewalld", "netfilter-persistent", "ferm", "shorewall", "shorewall6"].map(stranger),
  // Docker's unit.
  editedUnit("the drop-in is gone", dropIn, `rm ${dropIn}`, "docker-drop-in", "docker-start-checked"),
  edited("unit", "the drop-in is gone, and systemd has not read that", dropIn, `rm ${dropIn}`, "docker-unit-current"),
  editedUnit("Docker's start is not looked at", dropIn, `sed -i /ExecStartPost/d ${dropIn}`, "docker-start-checked"),
  mutation(
    "unit",
    "Docker starts without the rules",
    `cp -a ${dropIn} ${kept} && rm ${dropIn} ${units}/docker.service.requires/${unit} && systemctl daemon-reload`,
    `cp -a ${kept} ${dropIn} && systemctl enable -q ${unit} && systemctl daemon-reload`,
    "docker-requires-firewall",
  ),
  mutation(
    "unit",
    "Docker may start before the rules",
    `cp -a ${dropIn} ${kept} && cp -a ${units}/${unit} ${kept}-2 && sed -i /^After=/d ${dropIn} &&
sed -i 's/ docker.service docker.socket//' ${units}/${unit} && systemctl daemon-reload`,
    `cp -a ${kept} ${dropIn} && cp -a ${kept}-2 ${units}/${unit} && systemctl daemon-reload`,
    "docker-after-firewall",
  ),
  // What Docker would be told at its next start.
  dockerFlag("--iptables=false", "docker-iptables-on"),
  dockerFlag("--ip6tables=0", "docker-iptables-on"),
  dockerFlag("--allow-direct-routing", "docker-no-direct-routing"),
  dockerFlag("--firewall-backend=nftables", "docker-backend"),
  dockerFlag("-H tcp://0.0.0.0:2375", "docker-api-local"),
  dockerFlag("--host=tcp://127.0.0.1:4000", "docker-api-local"),
  dockerFlag(
    "--default-network-opt=bridge=com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected",
    "docker-no-direct-routing",
  ),
  overridden(
    "docker.service",
    "DOCKER_INSECURE_NO_IPTABLES_RAW",
    "[Service]\nEnvironment=DOCKER_INSECURE_NO_IPTABLES_RAW=1",
    "docker-raw-rules-on",
  ),
  overridden(
    "docker.service",
    "DOCKER_FIREWALL_BACKEND",
    "[Service]\nEnvironment=DOCKER_FIREWALL_BACKEND=nftables",
    "docker-backend",
  ),
  overridden(
    "docker.socket",
    "systemd opens Docker's API",
    "[Socket]\nListenStream=0.0.0.0:2375",
    "docker-socket-local",
  ),
  mutation(
    "defaults",
    "DOCKER_OPTS in /etc/default/docker",
    `touch /etc/default/docker && cp -a /etc/default/docker ${kept} && echo 'DOCKER_OPTS="--iptables=false"' >>/etc/default/docker`,
    `cp -a ${kept} /etc/default/docker`,
    "docker-iptables-on",
  ),
  dockerKey('"iptables": false', "docker-iptables-on"),
  dockerKey('"ip6tables" : false', "docker-iptables-on"),
  dockerKey('"allow-direct-routing": true', "docker-no-direct-routing"),
  dockerKey('"firewall-backend": "nftables"', "docker-backend"),
  dockerKey('"hosts": ["fd://", "tcp://10.0.0.2:2375"]', "docker-api-local"),
  edited(
    "daemon.json",
    "another control group for containers",
    "/etc/docker/daemon.json",
    `sed -i 's/docker.slice/other.slice/' /etc/docker/daemon.json`,
    "docker-cgroup-parent",
  ),
  mutation(
    "network",
    "one that is not guarded",
    "docker network create -o com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected open-network",
    "docker network rm open-network",
    "docker-no-direct-routing",
  ),
  ...[2375, 2376].map((port) =>
    mutation(
      "listener",
      `somebody listens on ${port}`,
      `systemd-run -q --unit=mutation-listener python3 -m http.server ${port} &&
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do ss -Hltn sport = :${port} | grep -q . && break; sleep 1; done`,
      "systemctl stop mutation-listener",
      "docker-api-local",
    ),
  ),
  mutation(
    "Docker",
    "does not answer",
    'kill -STOP "$(systemctl show --value -p MainPID docker.service)"',
    'kill -CONT "$(systemctl show --value -p MainPID docker.service)"',
    "docker-answers",
  ),
  // The backend.
  ...[4, 6].map((version) => {
    const tool = version === 4 ? "iptables" : "ip6tables";
    const set = (flavour: string) => `update-alternatives --quiet --set ${tool} /usr/sbin/${tool}-${flavour}`;
    // Docker may have written there meanwhile, as it does whenever a task comes or goes.
    const tables = ["nat", "mangle", "filter"];
    const legacy = `${tool}-legacy`;
    const module = (table: string) => `ip${version === 4 ? "" : "6"}table_${table}`;
    const emptied = tables.map(
      (table) => `${legacy} -t ${table} -F && ${legacy} -t ${table} -X && modprobe -r ${module(table)}`,
    );
    const undo = [set("nft"), ...emptied].join("\n");
    return mutation("backend", `${tool} is the legacy one`, set("legacy"), undo, `iptables-nft-v${version}`);
  }),
  ...[4, 6].map((version) => {
    const tool = version === 4 ? "iptables-legacy" : "ip6tables-legacy";
    return mutation(
      "backend",
      `rules loaded by ${tool}`,
      `${tool} -A INPUT -p tcp --dport 1 -j DROP`,
      `${tool} -F && modprobe -r ${version === 4 ? "iptable_filter" : "ip6table_filter"}`,
      `no-legacy-rules-v${version}`,
    );
  }),
  mutation(
    "tool",
    "nft is gone",
    "mv /usr/sbin/nft /usr/sbin/nft.away",
    "mv /usr/sbin/nft.away /usr/sbin/nft",
    "nft-present",
  ),
  // What is stored.
  edited("stored", "no payload", "/etc/hcloud-iptables/payload", "rm /etc/hcloud-iptables/payload", "payload-present"),
  edited(
    "stored",
    "half a payload",
    "/etc/hcloud-iptables/payload",
    `head -n 30 ${kept} >/etc/hcloud-iptables/payload`,
    "payload-present",
  ),
  edited(
    "stored",
    "a payload that cannot be loaded",
    "/etc/hcloud-iptables/payload",
    "sed -i 's/-A HC-IN -j DROP/-A HC-IN -j NOWHERE/' /etc/hcloud-iptables/payload",
    "payload-loadable",
  ),
  edited(
    "stored",
    "another payload than the one in force",
    "/etc/hcloud-iptables/payload",
    "sed -i 's/--ctorigdstport 443/--ctorigdstport 8443/' /etc/hcloud-iptables/payload",
    "chain-filter-hc-fwd-v4",
    "chain-mangle-hc-belt-v6",
  ),
  mutation(
    "stored",
    "one peer more than is in force",
    `touch /etc/hcloud-iptables/peers && cp -a /etc/hcloud-iptables/peers ${kept} && echo 10.9.9.9 >>/etc/hcloud-iptables/peers`,
    `cp -a ${kept} /etc/hcloud-iptables/peers`,
    "peers",
  ),
  edited(
    "control group",
    "another one than the rules name",
    "/run/hcloud-iptables/cgroup",
    "echo 1 >/run/hcloud-iptables/cgroup",
    "container-cgroup",
  ),
  edited(
    "swarm",
    "traffic between containers takes a public address",
    "/var/lib/docker/swarm/docker-state.json",
    `sed -i 's/"DataPathAddr":"[^"]*"/"DataPathAddr":"203.0.113.1"/' /var/lib/docker/swarm/docker-state.json`,
    "data-path-address-private",
  ),
];
