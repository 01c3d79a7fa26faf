/** What a region needs of the machine it runs on, checked before anything is made. */
import { accessSync, constants, existsSync, statfsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Layout } from "./layout.js";

const TOOLS: Readonly<Record<string, string>> = {
  "qemu-system-x86_64": "qemu-system-x86",
  "qemu-img": "qemu-utils",
  ip: "iproute2",
  nsenter: "util-linux",
  setpriv: "util-linux",
  nft: "nftables",
  conntrack: "conntrack",
  sysctl: "procps",
  haproxy: "haproxy",
};

const IMAGE_TOOLS: Readonly<Record<string, string>> = { mmdebstrap: "mmdebstrap", "mkfs.ext4": "e2fsprogs" };

const FREE_BYTES = 2 * 2 ** 30;

function isOnPath(tool: string): boolean {
  const path = `${process.env.PATH ?? ""}${delimiter}/usr/sbin${delimiter}/sbin`;
  return path.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function missing(tools: Readonly<Record<string, string>>): string[] {
  const absent = Object.keys(tools).filter((tool) => !isOnPath(tool));
  if (absent.length === 0) return [];
  const packages = [...new Set(absent.map((tool) => tools[tool]))].join(" ");
  return [`missing: ${absent.join(", ")}; on Debian: apt-get install ${packages}`];
}

/** Everything that stands in the way, as sentences. */
function obstacles(layout: Layout, withImages: boolean): string[] {
  const problems: string[] = [];
  if (process.platform !== "linux" || process.arch !== "x64") {
    problems.push(`a region runs on Linux on x86-64 only, not on ${process.platform} ${process.arch}`);
  }
  if (process.getuid?.() !== 0) problems.push("root is needed to make network namespaces: use sudo");
  problems.push(...missing(withImages ? { ...TOOLS, ...IMAGE_TOOLS } : TOOLS));
  if (!existsSync("/dev/net/tun")) problems.push("/dev/net/tun is missing: the kernel needs its tun driver");
  let directory = layout.state;
  while (!existsSync(directory)) directory = join(directory, "..");
  const free = statfsSync(directory);
  if (free.bavail * free.bsize < FREE_BYTES) problems.push(`no space: less than 2 GiB are free under ${directory}`);
  return problems;
}

/** Throws one error with all that stands in the way. `withImages`: an image has to be built as well. */
export function assertSuitable(layout: Layout, withImages: boolean): void {
  const problems = obstacles(layout, withImages);
  if (problems.length > 0) throw new Error(problems.join("\n"));
}
