/** The run-time check of `privateNodes.ts`, with its defaults; `plan/privateNodes.ts` checks it against the rest of the cluster. */
import * as z from "zod";
import { strict, whole } from "../firewall/fields";
import { address, address4, hostKeySchema, plainName, privateKeySchema, user } from "./hostSchema";
import { inputOf, text } from "./invalidArgument";

/** Resolvers that Hetzner gives its customers. */
const hetznerResolvers = ["185.12.64.1", "185.12.64.2"];

export const egress = strict({
  node: plainName,
  publicInterface: text(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,14}$/, "a network interface, such as eth0").default("eth0"),
  resolvers: z
    .array(address4, { error: "a list of IPv4 addresses" })
    .min(1, { error: "at least one IPv4 address" })
    .default(hetznerResolvers),
});

export const bastion = strict({
  node: plainName.optional(),
  host: address.optional(),
  port: whole(1, 65535, "a port").optional(),
  user: user.unwrap().optional(),
  privateKey: inputOf(privateKeySchema).optional(),
  hostKey: inputOf(hostKeySchema).optional(),
});

export type BastionInput = z.output<typeof bastion>;
