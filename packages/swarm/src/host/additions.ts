/** What a user adds to a server's first boot: files before everything else, packages and commands when Docker runs behind its rules. */
import { quote } from "../shell";

export interface Additions {
  readonly packages: readonly string[];
  readonly writeFiles: readonly { readonly path: string; readonly content: string; readonly permissions: string }[];
  readonly runcmd: readonly string[];
}

export const noAdditions: Additions = { packages: [], writeFiles: [], runcmd: [] };

/**
 * Files that are not to be added: those of the host agent, of cloud-init, of SSH, of Docker's service and its configuration, which
 * has arguments of its own.
 */
export const reservedPath = new RegExp(
  [
    "^/etc/(hcloud-iptables|ssh|cloud)(/|$)",
    "^/etc/docker/daemon\\.json$",
    "^/(opt|run)/hcloud-",
    "^/var/lib/(hcloud-swarm|cloud)(/|$)",
    "^/root/\\.ssh(/|$)",
    "^/(etc|lib|usr/lib|run)/systemd/system/(hcloud-|docker\\.|nftables\\.|sshd?[.@])",
  ].join("|"),
);

/** Packages that bring another packet filter, or another Docker than `docker.channel` says. */
export const reservedPackage =
  /^(ufw|firewalld|(iptables|netfilter)-persistent|docker\.io|docker-ce(-cli)?|docker-engine|containerd(\.io)?|podman-docker)(=|$)/;

/** Shell for the setup, with its `apt`, `refresh`, `say` and `fail`; nothing where there is nothing to add. A command's text is never printed. */
export function additionsText({ packages, runcmd }: Additions): string {
  const install =
    packages.length === 0
      ? ""
      : `
say 'installing the packages of cloudInit'
refresh
apt install --no-install-recommends ${packages.map(quote).join(" ")} || fail 'packages of cloudInit could not be installed'
`;
  const commands = runcmd.map((text, index) => `own ${index} ${quote(text)}\n`);
  const run =
    commands.length === 0
      ? ""
      : `
own() {
  say "running cloudInit.runcmd[$1]"
  sh -c "$2" </dev/null || fail "cloudInit.runcmd[$1] ended with status $?. Put it right, and raise the node's 'replacement' for a fresh server"
}
${commands.join("")}`;
  return `${install}${run}`;
}
