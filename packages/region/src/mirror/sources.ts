/** Which repositories the mirror serves, and from where: what this machine's own apt uses, so no address is written down here. */

/** The mirror's repositories, by the first part of the path that virtual machines ask for. */
export type Repositories = ReadonlyMap<string, string>;

/** Output format for `apt-get indextargets` that {@link repositoriesFrom} reads. */
export const indexTargetsFormat = "$(ORIGIN)|$(RELEASE)|$(REPO_URI)";

/**
 * Finds Debian's archives in the output of `apt-get indextargets --format '$(ORIGIN)|$(RELEASE)|$(REPO_URI)'`: `debian` for
 * the archive, `debian-security` for its security updates.
 * @throws Error when this machine's apt knows no Debian archive.
 */
export function repositoriesFrom(indexTargets: string): Repositories {
  const found = new Map<string, string>();
  for (const line of indexTargets.split("\n")) {
    const [origin = "", release = "", uri = ""] = line.trim().split("|");
    if (origin !== "Debian" || !/^https?:\/\//.test(uri)) continue;
    const name = release.endsWith("-security") ? "debian-security" : "debian";
    if (!found.has(name)) found.set(name, uri.endsWith("/") ? uri : `${uri}/`);
  }
  if (!found.has("debian"))
    throw new Error("apt on this machine has no Debian archive among its sources (run apt-get update?)");
  return found;
}

/** A file that was asked for. */
export interface MirrorFile {
  /** Where it is fetched from. */
  readonly uri: string;
  /** Its place below the cache. */
  readonly path: string;
  /** Never changes under this name: packages, and indexes named by their content. */
  readonly immutable: boolean;
}

const safePart = /^[A-Za-z0-9][A-Za-z0-9+._~:-]*$/;

/** The file behind a request's path; undefined when the path is none of an archive's (the path is untrusted). */
export function mirrorFile(repositories: Repositories, requestPath: string): MirrorFile | undefined {
  let decoded: string;
  try {
    decoded = decodeURIComponent(requestPath);
  } catch {
    return undefined;
  }
  const [, name = "", ...parts] = decoded.split("/");
  const base = repositories.get(name);
  if (base === undefined || parts.length < 2 || !parts.every((part) => safePart.test(part))) return undefined;
  if (parts[0] !== "dists" && parts[0] !== "pool") return undefined;
  return {
    uri: base + parts.map(encodeURIComponent).join("/"),
    path: [name, ...parts].join("/"),
    immutable: parts[0] === "pool" || parts.includes("by-hash"),
  };
}
