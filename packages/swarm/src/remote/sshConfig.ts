/** Text for `~/.ssh/config`, so that a person reaches the nodes as safely as the program does. */

export interface ReachableHost {
  /** What to type after `ssh`. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** `ssh-ed25519 AAAA…` */
  readonly hostKey: string;
}

/**
 * One `Host` block a host. The pinned key comes from the text itself (`KnownHostsCommand`, OpenSSH 8.5 or newer), so no
 * known_hosts file has to be kept in step, and an address that another server gets later is not trusted.
 */
export function sshConfig(hosts: readonly ReachableHost[]): string {
  return hosts
    .map((host) =>
      [
        `Host ${host.name}`,
        `  HostName ${host.address}`,
        `  Port ${host.port}`,
        `  User ${host.user}`,
        `  HostKeyAlias ${host.name}`,
        "  HostKeyAlgorithms ssh-ed25519",
        "  StrictHostKeyChecking yes",
        "  UserKnownHostsFile /dev/null",
        "  GlobalKnownHostsFile /dev/null",
        `  KnownHostsCommand /usr/bin/printf "%%s %%s %%s\\n" %H ${host.hostKey}`,
        "",
      ].join("\n"),
    )
    .join("\n");
}
