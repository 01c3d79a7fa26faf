/** What a host that nobody filters lets in: the sockets that listen on it, as `ss -Htuln` prints them there. */
import ipaddr from "ipaddr.js";
import { openings, type Rule } from "./rules.js";

export class ListeningError extends Error {}

const LINE = /^(tcp|udp|sctp)\s+(?:LISTEN|UNCONN)\s+\d+\s+\d+\s+(\S+):(\d{1,5})\s/;

/**
 * What the outside reaches on a host without a filter. Sockets of loopback and of private addresses are not reached from outside.
 * @throws ListeningError for text that `ss -Htuln` does not print
 */
export function listeningRules(text: string): Rule[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  if (lines.length === 0) throw new ListeningError("no socket listens there: is it the output of `ss -Htuln`?");
  return lines.flatMap((line, index) => {
    const [, protocol, address, port] = LINE.exec(`${line} `) ?? [];
    if (protocol === undefined || address === undefined || Number(port) > 65535)
      throw new ListeningError(`line ${index + 1} is none of \`ss -Htuln\``);
    return openings(protocol, { from: Number(port), to: Number(port) }, sourcesOf(address));
  });
}

/** Kinds of addresses that the Internet does not reach. */
const INSIDE = ["loopback", "private", "linkLocal", "carrierGradeNat", "uniqueLocal"];

function sourcesOf(address: string): readonly string[] {
  const [bare = "", device] = address.replace(/^\[|\]/g, "").split("%");
  if (device === "lo") return [];
  if (bare === "*") return ["0.0.0.0/0", "::/0"];
  if (!ipaddr.isValid(bare)) throw new ListeningError(`${JSON.stringify(bare)} is no address`);
  const parsed = ipaddr.parse(bare);
  if (INSIDE.includes(parsed.range())) return [];
  return [parsed.kind() === "ipv4" ? "0.0.0.0/0" : "::/0"];
}
