// What this machine must have, and what we install ourselves. Plain Node: it runs before anything is installed.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, statfsSync } from "node:fs";
import { freemem } from "node:os";

/** Debian packages and what needs them. `testOnly` ones are left out of the demo. */
export const debianPackages = [
  { name: "qemu-system-x86", why: "virtual machines" },
  { name: "qemu-utils", why: "virtual machines' disks" },
  { name: "mmdebstrap", why: "virtual machines' image" },
  { name: "debian-archive-keyring", why: "virtual machines' image" },
  { name: "e2fsprogs", why: "virtual machines' image" },
  { name: "zstd", why: "virtual machines' image" },
  { name: "nftables", why: "the region's cloud firewalls" },
  { name: "iproute2", why: "the region's networks" },
  { name: "conntrack", why: "the region's cloud firewalls" },
  { name: "haproxy", why: "the region's load balancers" },
  { name: "openssh-client", why: "keys and connections" },
  { name: "util-linux", why: "nsenter" },
  { name: "iptables", why: "tests of rules in a scratch namespace", testOnly: true },
  { name: "ipset", why: "tests of rules in a scratch namespace", testOnly: true },
  { name: "openssh-server", why: "tests of the Command stand-in", testOnly: true },
  { name: "python3-venv", why: "the Python example", testOnly: true },
  { name: "chromium-headless-shell", why: "preview reports as pages", testOnly: true },
  { name: "systemd", why: "systemd-analyze, in tests of the host's units", testOnly: true },
  { name: "shellcheck", why: "checks of the host agent", testOnly: true },
];

const gib = 1024 ** 3;

/** Everything about this machine that we cannot mend ourselves, as sentences; empty when it is suitable. */
export function unsuitable(root) {
  const problems = [];
  if (process.platform !== "linux" || process.arch !== "x64")
    problems.push(
      `Linux on x86-64 is needed (virtual machines of that kind are run); this is ${process.platform} ${process.arch}.`,
    );
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 11))
    problems.push(`Node 20.11 or later is needed; this is ${process.versions.node}.`);
  if (process.getuid?.() !== 0)
    problems.push("Root is needed: network namespaces and packet filters are made. Run it with sudo, or as root.");
  if (!existsSync("/usr/bin/apt-get"))
    problems.push("A Debian system (12 or later) is needed: missing tools are installed with apt-get.");
  if (!goIsRecent())
    problems.push("Go (1.26 or later) is needed on PATH: the Pulumi engine and providers are built from Go modules.");
  const free = statfsSync(root);
  if (free.bavail * free.bsize < 12 * gib)
    problems.push(
      `12 GiB of free disk are needed under ${root}; there are ${((free.bavail * free.bsize) / gib).toFixed(1)}.`,
    );
  const memory = Math.max(availableMemory(), freemem());
  if (memory < 6 * gib)
    problems.push(
      `6 GiB of free memory are needed for three virtual machines and a build; there are ${(memory / gib).toFixed(1)}.`,
    );
  return problems;
}

function goIsRecent() {
  const run = spawnSync("go", ["env", "GOVERSION"], { encoding: "utf8" });
  const [, major = 0, minor = 0] = /^go(\d+)\.(\d+)/.exec(run.stdout ?? "")?.map(Number) ?? [];
  return run.status === 0 && (major > 1 || minor >= 26);
}

function availableMemory() {
  const match = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"));
  return match ? Number(match[1]) * 1024 : 0;
}

/** Names of the wanted packages that are not installed. */
export function missingPackages(wanted) {
  return wanted.filter(({ name }) => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own format
    const run = spawnSync("dpkg-query", ["-W", "-f=${db:Status-Status}", name], { encoding: "utf8" });
    return run.status !== 0 || run.stdout.trim() !== "installed";
  });
}

/**
 * Installs Debian packages. RUNLEVEL=1 makes their install scripts start no service: we want sshd's program for
 * tests, not an SSH server on somebody's machine.
 */
export function installPackages(names, output) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const options = { env, stdio: ["ignore", output, output] };
  execFileSync("apt-get", ["update", "-q"], options);
  execFileSync("apt-get", ["install", "-q", "-y", "--no-install-recommends", ...names], options);
}
