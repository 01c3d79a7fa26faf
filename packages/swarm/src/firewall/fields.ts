/** Fields that several parts of a policy have, and other arguments too, with messages that say what is allowed. */
import * as z from "zod";
import { formatNetwork, isNetwork, parseNetwork, simplifyNetworks } from "./address";
import { anySource, portProtocols, type Scope } from "./entries";

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const nameRule = "a name of letters, digits, '.', '_' and '-'";
const networkLimit = 65536;

export const port = whole(1, 65535, "a port");
export const protocol = z.enum(portProtocols, { error: portProtocols.join(", ") });
const scopeNames = z
  .array(z.string({ error: nameRule }).regex(namePattern, { error: nameRule }), { error: "a list of names" })
  .min(1, { error: "at least one name; leave it out for every node" })
  .transform((names): readonly string[] => [...new Set(names)].sort());
export const scope = { pools: scopeNames.optional(), nodes: scopeNames.optional() };

/** An object with these keys and no others. */
export function strict<S extends z.core.$ZodLooseShape>(shape: S): z.ZodObject<S, z.core.$strict> {
  const keys = Object.keys(shape).join(", ");
  return z.strictObject(shape, {
    error: (issue) => (issue.code === "unrecognized_keys" ? keys : `an object with ${keys}`),
  });
}

export function whole(min: number, max: number, unit: string): z.ZodNumber {
  const error = `a whole number from ${min} to ${max} (${unit})`;
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error });
}

export const flag = z.boolean({ error: "true or false" });

/** Networks and addresses of both families, by default all; the output is sorted, in canonical spelling, none inside another. */
export function networkList(whenEmpty: string) {
  return z
    .array(z.string({ error: "a network or an address" }), { error: "a list of networks and addresses" })
    .min(1, { error: whenEmpty })
    .max(networkLimit, { error: `up to ${networkLimit} networks` })
    .superRefine((networks, context) => {
      networks.forEach((network, index) => {
        const parsed = parseNetwork(network);
        if (!isNetwork(parsed)) context.addIssue({ code: "custom", path: [index], message: parsed.allowed });
      });
    })
    .transform((networks): readonly string[] =>
      simplifyNetworks(networks.map(parseNetwork).filter(isNetwork)).map(formatNetwork),
    )
    .default(anySource);
}

export function endNotBeforeStart(
  value: { port?: number | undefined; endPort?: number | undefined },
  context: z.core.$RefinementCtx,
): void {
  const { port: first, endPort } = value;
  if (endPort === undefined || (first !== undefined && endPort >= first)) return;
  const message =
    first === undefined
      ? "nothing without the range's first, `port`"
      : `a port from ${first} (the range's first) to 65535`;
  context.addIssue({ code: "custom", path: ["endPort"], message });
}

/** The scope of a checked entry, without what it does not say. */
export function scopeOf({
  pools,
  nodes,
}: {
  pools?: readonly string[] | undefined;
  nodes?: readonly string[] | undefined;
}): Scope {
  return { ...(pools && { pools }), ...(nodes && { nodes }) };
}
