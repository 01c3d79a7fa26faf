/** Where this host gets Debian's packages from: read from apt's own configuration, never written down here. */
import { run } from "../support/command.js";

export interface DebianSource {
  /** URI of the main archive, without a slash at its end. */
  readonly archive: string;
  readonly security: string;
}

const FORMAT = "$(REPO_URI)\t$(ORIGIN)\t$(LABEL)\t$(COMPONENT)";

/** Picks the archives out of `apt-get indextargets` lines. Pure. */
export function parseIndexTargets(text: string): DebianSource {
  const rows = text.split("\n").map((line) => line.split("\t"));
  const find = (wanted: string) => {
    const row = rows.find(
      ([, origin, label, component]) => origin === "Debian" && label === wanted && component === "main",
    );
    return row?.[0]?.replace(/\/+$/, "");
  };
  const archive = find("Debian");
  if (!archive) {
    throw new Error(
      "apt knows no Debian archive on this machine: run `apt-get update` first, and see /etc/apt/sources.list.d",
    );
  }
  // A mirror keeps the security archive beside the main one, when it has one.
  return { archive, security: find("Debian-Security") ?? `${archive}-security` };
}

export async function debianSource(): Promise<DebianSource> {
  return parseIndexTargets(await run("apt-get", ["indextargets", "--format", FORMAT]));
}
