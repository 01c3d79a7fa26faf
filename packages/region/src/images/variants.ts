/** The images that a region can build, as data. */

export interface Variant {
  /** Name in the API. */
  readonly name: string;
  /** Debian's code name. */
  readonly suite: string;
  /** Suites beside it, of the main archive. */
  readonly updates: readonly string[];
  /** Suite in the security archive; sid has none. */
  readonly security?: string;
  /** Size of the disk's file system; smaller server types do not exist, larger ones grow it at first boot. */
  readonly gib: number;
  readonly packages: readonly string[];
  /** Options of apt, while the image is built and in it. */
  readonly apt?: readonly string[];
  /** Kernel modules, beside the disk's and the network's, without which there is no disk: newer kernels have them built in. */
  readonly modules?: readonly string[];
  /** Units that its packages enable and that shall not start with the machine. */
  readonly disabledUnits?: readonly string[];
  /** What this release's cloud-init wants otherwise than the others. */
  readonly cloudInit?: Readonly<Record<string, unknown>>;
}

const BASE = [
  "systemd-sysv",
  "systemd-resolved",
  "udev",
  "dbus",
  "cloud-init",
  "cloud-guest-utils",
  "openssh-server",
  "linux-image-cloud-amd64",
  "initramfs-tools",
  "qemu-guest-agent",
  "python3",
  "curl",
  "ca-certificates",
  "iproute2",
  "iputils-ping",
  "sudo",
  "nftables",
  "procps",
  "kmod",
  "e2fsprogs",
  "less",
  "vim-tiny",
  "tzdata",
  // The guest agent sets the clock with its hwclock.
  "util-linux-extra",
  "gpg",
  "netbase",
];

const variants: readonly Variant[] = [
  {
    name: "debian-13",
    suite: "trixie",
    updates: ["trixie-updates"],
    security: "trixie-security",
    gib: 40,
    packages: BASE,
  },
  {
    // As one bakes an image for servers that shall be up soon: what their first boot would install is there, and Docker waits.
    name: "debian-13-docker",
    suite: "trixie",
    updates: ["trixie-updates"],
    security: "trixie-security",
    gib: 40,
    packages: [...BASE, "iptables", "ipset", "conntrack", "openssl", "docker.io", "docker-cli"],
    disabledUnits: ["docker.service", "docker.socket"],
  },
  {
    name: "debian-12",
    suite: "bookworm",
    updates: ["bookworm-updates"],
    security: "bookworm-security",
    gib: 40,
    packages: BASE,
    modules: ["virtio_pci"],
    // Its schema knows no locale but a text.
    cloudInit: { locale: "false" },
  },
  {
    name: "debian-sid",
    suite: "sid",
    updates: [],
    gib: 40,
    packages: BASE,
    // Sid's lists are good for a week, and a host's archive may well be a snapshot that is older. They stay signed.
    apt: ['Acquire::Check-Valid-Until "false"'],
  },
];

export const variantNames = variants.map(({ name }) => name);

export function variantOf(name: string): Variant {
  const variant = variants.find((item) => item.name === name);
  if (!variant) throw new Error(`there is no image ${JSON.stringify(name)}; there are ${variantNames.join(", ")}`);
  return variant;
}

/** Lines of sources.list for archives at these addresses. */
export function sourceLines(variant: Variant, archive: string, security: string): string[] {
  const line = (uri: string, suite: string) => `deb ${uri} ${suite} main`;
  return [
    ...[variant.suite, ...variant.updates].map((suite) => line(archive, suite)),
    ...(variant.security ? [line(security, variant.security)] : []),
  ];
}
