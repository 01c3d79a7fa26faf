/** User-data as counts and names of cloud-init's own sections. Its text never leaves this file. */
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { SECRET, UNKNOWN, type Value } from "../values/value.js";

export interface UserData {
  state: "text" | "unknown" | "secret" | "none";
  lines: number;
  /** cloud-init's sections by digest of their content; `write_files` has one digest for each file, by position of path. */
  sections: ReadonlyMap<string, string>;
  digest: string;
}

/** Sections that cloud-init knows. A name outside the list is text of the input and is counted as `other`. */
const KNOWN = new Set(
  `ansible apk_repos apt apt_pipelining bootcmd byobu ca_certs chef chpasswd device_aliases disable_ec2_metadata disable_root
  disk_setup drivers fan final_message fqdn fs_setup groups growpart grub_dpkg hostname keyboard landscape locale lxd
  manage_etc_hosts manage_resolv_conf mcollective merge_how mounts network no_ssh_fingerprints ntp output package_reboot_if_required
  package_update package_upgrade packages password phone_home power_state prefer_fqdn_over_hostname preserve_hostname puppet
  random_seed resize_rootfs resolv_conf rh_subscription rsyslog runcmd salt_minion snap spacewalk ssh ssh_authorized_keys
  ssh_deletekeys ssh_fp_console_blacklist ssh_genkeytypes ssh_import_id ssh_keys ssh_publish_hostkeys ssh_pwauth swap
  system_info timezone ubuntu_advantage updates user users vendor_data wireguard write_files yum_repos zypper`
    .split(/\s+/)
    .filter(Boolean),
);

const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex");
const cache = new Map<string, UserData>();

export function userDataOf(value: Value | undefined): UserData {
  const empty = { lines: 0, sections: new Map<string, string>(), digest: "" };
  if (value === UNKNOWN) return { state: "unknown", ...empty };
  if (value === SECRET) return { state: "secret", ...empty };
  if (typeof value !== "string" || value === "") return { state: "none", ...empty };
  const digest = digestOf(value);
  const known = cache.get(digest);
  if (known) return known;
  const text = unpacked(value);
  const lines = text.replace(/\n$/, "").split("\n").length;
  const result: UserData = { state: "text", lines, sections: sectionsOf(text), digest };
  if (cache.size > 256) cache.clear();
  cache.set(digest, result);
  return result;
}

/** As cloud-init reads it: user-data that is too long for Hetzner Cloud comes as the base64 of its gzip. */
function unpacked(text: string): string {
  // How gzip begins, in base64.
  if (!text.startsWith("H4sI")) return text;
  try {
    return gunzipSync(Buffer.from(text, "base64"), { maxOutputLength: 1024 * 1024 }).toString();
  } catch {
    return text;
  }
}

function sectionsOf(text: string): Map<string, string> {
  const sections = new Map<string, string>();
  const add = (name: string, content: string) => sections.set(name, digestOf(`${sections.get(name) ?? ""}${content}`));
  if (!/^#cloud-config\s*$/m.test(text.slice(0, 200))) {
    add(text.startsWith("#!") ? "script" : text.startsWith("Content-Type: multipart") ? "multipart" : "other", text);
    return sections;
  }
  let name = "other";
  let content: string[] = [];
  const flush = () => {
    if (content.some((line) => line.trim() !== "")) add(name, content.join("\n"));
    content = [];
  };
  // Top-level keys stand at the line's start, so that a document that no parser takes has sections all the same.
  for (const line of text.split("\n")) {
    const key = /^([A-Za-z_]+)\s*:/.exec(line)?.[1];
    if (key !== undefined) {
      flush();
      name = KNOWN.has(key) ? key : "other";
    }
    if (!line.startsWith("#")) content.push(line);
  }
  flush();
  return sections;
}

/** The sections that differ, by name. */
export function changedSections(before: UserData, after: UserData): string[] {
  const names = new Set([...before.sections.keys(), ...after.sections.keys()]);
  return [...names].filter((name) => before.sections.get(name) !== after.sections.get(name)).sort();
}
