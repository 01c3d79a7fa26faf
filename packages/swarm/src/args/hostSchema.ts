/** The run-time check of what every host and server takes (`host.ts`), with its defaults. */
import * as z from "zod";
import { flag, strict, whole } from "../firewall/fields";
import { publicKeyOf, SshKeyError } from "../remote/sshKey";
import { parseAddress4 } from "./cidr";
import { DockerChannel } from "./host";
import { inputOf, oneOf, text } from "./invalidArgument";

export const idText = inputOf(text(/^[1-9]\d*$/, "the number of something in Hetzner Cloud, as text"));
export const existing = strict({ id: idText });

/** A private key that can be used: parsed, so that a wrong file is told before a server is made. */
export const privateKeySchema = z.string({ error: "an SSH private key as text" }).superRefine((value, context) => {
  try {
    publicKeyOf(value);
  } catch (error) {
    if (!(error instanceof SshKeyError)) throw error;
    const message = `an SSH private key without a passphrase, as text (this one: ${error.message})`;
    const given = value === "" ? "an empty text" : "a text, not shown here";
    context.addIssue({ code: "custom", message, params: { given } });
  }
});

export const publicKeySchema = text(
  /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+=*( [^\n]*)?\n?$/,
  "an SSH public key as in authorized_keys",
);

/** Nodes serve Ed25519 only, and Go's SSH client would negotiate another type with a host that has one. */
export const hostKeySchema = text(
  /^(ssh-ed25519 [A-Za-z0-9+/]{68}|(ecdsa-sha2-nistp(256|384|521)|ssh-rsa) [A-Za-z0-9+/]{100,1500}={0,2})( [^\n]*)?\n?$/,
  "a host key of one line, such as ecdsa-sha2-nistp256 AAAA… or ssh-ed25519 AAAA…",
);

/** That of a server which the component made: it serves Ed25519 only. A comment says nothing. */
export const ownHostKey = text(
  /^ssh-ed25519 [A-Za-z0-9+/]{68}( [^\n]*)?\n?$/,
  "a host key of one line, as ssh-ed25519 AAAA…",
).transform((key) => key.trim().split(" ").slice(0, 2).join(" "));

export const address4 = z
  .string({ error: "an IPv4 address" })
  .refine((value) => parseAddress4(value) !== undefined, { error: "an IPv4 address, such as 10.0.0.254" });

/** A name that a host can have in DNS. */
export const hostName = text(
  /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/,
  "up to 63 small letters, digits and '-', a letter first",
);

export const ssh = strict({
  privateKey: inputOf(privateKeySchema),
  previousPrivateKey: inputOf(privateKeySchema).optional(),
  publicKey: inputOf(publicKeySchema).optional(),
  existing: existing.optional(),
}).superRefine(({ privateKey, previousPrivateKey }, context) => {
  if (
    typeof privateKey === "string" &&
    typeof previousPrivateKey === "string" &&
    isSameKey(privateKey, previousPrivateKey)
  )
    context.addIssue({
      code: "custom",
      path: ["previousPrivateKey"],
      message: otherKey.allowed,
      params: { given: otherKey.given },
    });
});

/** What is wrong with a previous key that is the present one. */
export const otherKey = { given: "the key of ssh.privateKey", allowed: "the key before it, or nothing" } as const;

/** Whether two private keys, each checked by its own schema, are one. */
export function isSameKey(one: string, other: string): boolean {
  try {
    return publicKeyOf(one) === publicKeyOf(other);
  } catch (error) {
    if (error instanceof SshKeyError) return false;
    throw error;
  }
}

/** What Hetzner Cloud takes as labels: keys and values of up to 63 characters. */
export const labels = z.record(
  text(/^([a-z0-9A-Z.-]{1,253}\/)?[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?$/, "a label's name"),
  text(/^([a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?)?$/, "up to 63 letters, digits, '.', '_' and '-'"),
  { error: "texts by name" },
);

/** What a server is where nobody says otherwise: the smallest type with 4 GB, in Germany, on the current Debian. */
export const serverDefaults = { serverType: "cx23", location: "fsn1", image: "debian-13" } as const;
export const serverType = text(/^[a-z0-9-]{2,30}$/, "a Hetzner Cloud server type, such as cx23");
export const location = text(/^[a-z0-9-]{2,30}$/, "a Hetzner Cloud location, such as fsn1");
export const image = text(/^[a-zA-Z0-9._-]{1,100}$/, "an image's name, such as debian-13");
export const shape = {
  serverType: serverType.optional(),
  location: location.optional(),
  image: image.optional(),
  labels: labels.optional(),
  privateOnly: flag.optional(),
  deleteProtection: flag.optional(),
};

/** The last label of a host name, and the key of a node or a pool. */
export const plainName = text(
  /^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$/,
  "up to 20 small letters, digits and '-', a letter first",
);

export const address = inputOf(text(/^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$/, "a host's name or address"));
export const user = text(/^[a-z_][a-z0-9_-]{0,31}$/, "a user's name").default("root");
export const swarmAddress = inputOf(text(/^[0-9a-fA-F.:]{2,45}$/, "an address"));

/** Settings of dockerd that would undo what the host agent does, or that swarm refuses. */
const refusedDaemonOptions = [
  "allow-direct-routing",
  "bridge",
  "cgroup-parent",
  "firewall-backend",
  "hosts",
  "ip-forward",
  "ip6tables",
  "iptables",
  "live-restore",
];

/** Settings that people set and over which Docker does not start when they are wrong. */
const daemonOptionSchemas: Readonly<Record<string, z.ZodType>> = {
  mtu: whole(576, 9000, "bytes"),
  "registry-mirrors": z.array(
    text(/^https?:\/\/[^\s?#@]+$/, "a URL such as https://mirror.example.com, without a password"),
    {
      error: "a list of URLs",
    },
  ),
};

const daemonOptions = z
  .record(z.string(), z.any(), { error: "values by name" })
  .superRefine((value: Readonly<Record<string, unknown>>, context) => {
    for (const [name, option] of Object.entries(value)) {
      if (refusedDaemonOptions.includes(name))
        context.addIssue({ code: "custom", path: [name], message: "anything but what opens the firewall" });
      for (const { path, message } of daemonOptionSchemas[name]?.safeParse(option).error?.issues ?? [])
        context.addIssue({ code: "custom", path: [name, ...path], message });
    }
  });

export const docker = strict({
  channel: oneOf(DockerChannel).default(DockerChannel.Debian),
  daemonOptions: daemonOptions.prefault({}),
});

/** Over the cluster's. */
export const poolDocker = strict({
  channel: oneOf(DockerChannel).optional(),
  daemonOptions: daemonOptions.optional(),
});

export const timeouts = strict({
  boot: whole(30, 3600, "seconds").default(600),
  cloudInit: whole(30, 3600, "seconds").default(900),
  swarm: whole(10, 900, "seconds").default(120),
  drain: whole(10, 3600, "seconds").default(300),
  probation: whole(60, 900, "seconds").default(180),
});
