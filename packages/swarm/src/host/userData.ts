/** The cloud-init user-data of a server that boots hardened. */
import { gzipSync } from "node:zlib";
import { stringify } from "yaml";
import { type Additions, noAdditions } from "./additions";
import { agentPacked, unitFiles } from "./agentSources";
import { daemonJson, versionedOptions } from "./dockerOptions";
import { setupProgram } from "./setup";
import type { WayOut } from "./wayOut";

export interface UserDataPlan {
  /** The one-use host key, the only secret in here: the server replaces it on first contact. */
  readonly hostKey: { readonly privateKey: string; readonly publicKey: string };
  /** Payload of the policy at first boot; later ones come over SSH. */
  readonly payload: string;
  /** Boots in its place where `payload` does not fit: one that opens no more than it, and SSH at least. */
  readonly smallPayload?: string;
  /** What the server is born with at a path of its own. Default: nothing. */
  readonly record?: { readonly path: string; readonly text: string };
  readonly sshPort: number;
  readonly docker: { readonly channel: "debian" | "docker"; readonly daemonOptions: Record<string, unknown> };
  /** What the user adds. Default: nothing. */
  readonly additions?: Additions | undefined;
  /** How a server without a public address gets out. Default: it has a public one. */
  readonly wayOut?: WayOut | undefined;
}

/** Most bytes that Hetzner Cloud takes as user-data. */
export const userDataLimit = 32 * 1024;
const setupPath = "/opt/hcloud-swarm-setup.sh";

/** Control group of all containers, by which the rules tell those on the host's network from the host itself. */
export const containerSlice = "docker.slice";

/**
 * Text that starts with `#cloud-config`, or the base64 of its gzip where that text is larger than Hetzner Cloud takes.
 * @throws Error when that is too large as well, with the small payload too.
 */
export function userData({ payload, smallPayload = payload, ...plan }: UserDataPlan): string {
  for (const one of [payload, smallPayload])
    for (const way of [readable, packedWhole]) {
      const text = way({ ...plan, payload: one });
      if (Buffer.byteLength(text) <= userDataLimit) return text;
    }
  const bytes = userDataBytes({ ...plan, payload: smallPayload });
  const more = plan.additions === undefined ? "" : ", or shorten cloudInit";
  throw new Error(
    `user-data has ${bytes} bytes, packed, and Hetzner Cloud takes ${userDataLimit}: name fewer sources of SSH in the policy${more}`,
  );
}

/** How many bytes a server's user-data has at least: with the small payload, packed as a whole, whether Hetzner Cloud takes them or not. */
export function userDataBytes({ payload, smallPayload = payload, ...plan }: UserDataPlan): number {
  return Buffer.byteLength(packedWhole({ ...plan, payload: smallPayload }));
}

type Contents = Omit<UserDataPlan, "smallPayload">;

/** Large files are packed one by one. */
function readable(plan: Contents): string {
  return cloudConfig(plan, { large: packed, any: shorter });
}

/**
 * Packed once, which takes less than packing file by file (the agent comes packed already): base64 of gzip, as cloud-init's data
 * source for Hetzner Cloud has it (`maybe_b64decode` in DataSourceHetzner.py; what it decodes is unpacked as all user-data is).
 */
function packedWhole(plan: Contents): string {
  return gzipped(cloudConfig(plan, { large: plain, any: plain }));
}

type Writing = (path: string, permissions: string, content: string) => object;

function cloudConfig(plan: Contents, { large, any }: { large: Writing; any: Writing }): string {
  const { hostKey, payload, record, sshPort, docker, wayOut, additions = noAdditions } = plan;
  const config = {
    // Ed25519 only: a client that prefers another type would be shown a key that nobody pinned. Where keys are given,
    // cloud-init makes no others.
    ssh_deletekeys: true,
    ssh_keys: { ed25519_private: hostKey.privateKey, ed25519_public: hostKey.publicKey },
    ssh_pwauth: false,
    // Files come before anything is installed, so Docker finds its drop-in at its very first start.
    write_files: [
      { path: "/opt/hcloud-iptables.sh", permissions: "0755", encoding: "gz+b64", content: agentPacked },
      ...Object.entries(unitFiles).map(([name, text]) => any(unitPath(name), "0644", text)),
      large("/etc/hcloud-iptables/payload", "0600", payload),
      plain(
        "/etc/docker/daemon.json",
        "0644",
        daemonJson({ ...docker.daemonOptions, "cgroup-parent": containerSlice }),
      ),
      plain("/etc/hcloud-iptables/docker-options", "0600", versionedOptions(docker.daemonOptions)),
      plain("/etc/ssh/sshd_config.d/10-hcloud-swarm.conf", "0644", sshdOptions(sshPort)),
      // Commands of the user's are nobody's to read.
      large(setupPath, additions.runcmd.length === 0 ? "0755" : "0700", setupProgram({ ...docker, additions, wayOut })),
      ...(record === undefined ? [] : [plain(record.path, "0644", record.text)]),
      ...additions.writeFiles.map(({ path, permissions, content }) => any(path, permissions, content)),
    ],
    runcmd: [["sh", setupPath]],
  };
  return `#cloud-config\n${stringify(config, { lineWidth: 0 })}`;
}

function sshdOptions(port: number): string {
  const lines = [
    "HostKey /etc/ssh/ssh_host_ed25519_key",
    "PasswordAuthentication no",
    "PermitRootLogin prohibit-password",
    ...(port === 22 ? [] : [`Port ${port}`]),
  ];
  return `${lines.join("\n")}\n`;
}

export function unitPath(name: string): string {
  return name.endsWith(".conf") ? `/etc/systemd/system/docker.service.d/${name}` : `/etc/systemd/system/${name}`;
}

function plain(path: string, permissions: string, content: string) {
  return { path, permissions, content };
}

function packed(path: string, permissions: string, content: string) {
  return { path, permissions, encoding: "gz+b64", content: gzipped(content) };
}

function gzipped(text: string): string {
  return gzipSync(text, { level: 9 }).toString("base64");
}

/** Plain where that is not longer, so that most can be read. */
function shorter(path: string, permissions: string, content: string) {
  const ways = [plain(path, permissions, content), packed(path, permissions, content)] as const;
  const [one, other] = ways.map((way) => Buffer.byteLength(stringify([way], { lineWidth: 0 })));
  return (one ?? 0) <= (other ?? 0) ? ways[0] : ways[1];
}
