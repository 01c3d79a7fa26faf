/** Text for a file that `~/.ssh/config` includes, so that a person reaches the nodes as safely as the program does. */

export interface ReachableHost {
  /** What to type after `ssh`. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** `ssh-ed25519 AAAA…`; hosts that the component did not make may have one of another kind. */
  readonly hostKey: string;
  /** Name of another of the hosts, over which this one is reached. Default: none. */
  readonly jump?: string;
}

/**
 * One `Host` block a host. The pinned key comes from the text itself (`KnownHostsCommand`, OpenSSH 8.5 or newer), so no
 * known_hosts file has to be kept in step, and an address that another server gets later is not trusted.
 */
export function sshConfig(hosts: readonly ReachableHost[]): string {
  return hosts
    .map((host) => {
      const [kind = "", key = ""] = host.hostKey.trim().split(" ");
      return [
        `Host ${host.name}`,
        `  HostName ${host.address}`,
        `  Port ${host.port}`,
        `  User ${host.user}`,
        `  HostKeyAlias ${host.name}`,
        `  HostKeyAlgorithms ${algorithmsOf(kind)}`,
        "  StrictHostKeyChecking yes",
        "  UserKnownHostsFile /dev/null",
        "  GlobalKnownHostsFile /dev/null",
        ...(host.jump === undefined ? [] : [`  ProxyJump ${host.jump}`]),
        `  KnownHostsCommand /usr/bin/printf "%%s %%s %%s\\n" %H ${kind} ${key}`,
        "",
      ].join("\n");
    })
    .join("\n");
}

/** What a host proves a key of that kind with; RSA no longer by SHA-1. */
function algorithmsOf(kind: string): string {
  return kind === "ssh-rsa" ? "rsa-sha2-512,rsa-sha2-256" : kind;
}
