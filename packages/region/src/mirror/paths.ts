/** Which paths the package mirror serves, where they come from and how long they are good. Pure. */
import type { DebianSource } from "../images/debianSource.js";

export interface MirrorFile {
  readonly uri: string;
  /** Path below the cache's directory. */
  readonly cachePath: string;
  /** Files whose name holds their version or digest never change. */
  readonly immutable: boolean;
}

/** Seconds after which an index is asked for again. */
export const INDEX_SECONDS = 6 * 3600;

const SEGMENT = /^[A-Za-z0-9._+~:=@%-]+$/;

/** The file that a request's path names; undefined for anything that is no file of a Debian archive. */
export function mirrorFile(path: string, source: DebianSource): MirrorFile | undefined {
  let plain: string;
  try {
    plain = decodeURIComponent(path.split("?")[0] ?? "");
  } catch {
    return undefined;
  }
  const [first, archive = "", ...rest] = plain.split("/");
  if (first !== "" || rest.length < 2) return undefined;
  if (rest.some((segment) => !SEGMENT.test(segment) || /^\.+$/.test(segment))) return undefined;
  const base = archive === "debian" ? source.archive : archive === "debian-security" ? source.security : undefined;
  if (base === undefined || (rest[0] !== "pool" && rest[0] !== "dists")) return undefined;
  const file = rest.join("/");
  return {
    uri: `${base}/${rest.map(encodeURIComponent).join("/").replaceAll("%2B", "+").replaceAll("%3A", ":").replaceAll("%7E", "~")}`,
    cachePath: `${archive}/${file}`,
    immutable: rest[0] === "pool" || rest.includes("by-hash"),
  };
}
