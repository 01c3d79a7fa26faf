/** The run-time check of what stands around the servers (`network.ts`), with its defaults. */
import * as z from "zod";
import { flag, strict } from "../firewall/fields";
import { contains, formatRange4, overlap, parseRange4, type Range4 } from "./cidr";
import { existing } from "./hostSchema";
import { inputOf, oneOf, text } from "./invalidArgument";
import { BeyondLimits } from "./network";
import { egress } from "./privateNodesSchema";

const subnetId = inputOf(text(/^[1-9]\d*-\d+\.\d+\.\d+\.\d+\/\d+$/, "the id of a subnet, such as 4711-10.0.1.0/24"));

const range4 = z.string({ error: "an IPv4 range" }).transform((value, context): Range4 => {
  const range = parseRange4(value);
  if (range !== undefined) return range;
  context.addIssue({ code: "custom", message: "an IPv4 range such as 10.0.0.0/16, its host bits zero" });
  return z.NEVER;
});

export const network = strict({
  ipRange: range4.prefault("10.0.0.0/16"),
  subnetRange: range4.optional(),
  zone: text(/^[a-z0-9-]{2,30}$/, "a network zone, such as eu-central").default("eu-central"),
  existing: existing.optional(),
  existingSubnet: strict({ id: subnetId }).optional(),
  overlayRange: range4.prefault("10.128.0.0/9"),
  egress: egress.optional(),
})
  .superRefine((value, context) => {
    const issue = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    if (value.existingSubnet !== undefined && value.subnetRange !== undefined)
      issue("subnetRange", "nothing beside existingSubnet, which is not made anew");
    if (value.subnetRange !== undefined && !contains(value.ipRange, value.subnetRange))
      issue("subnetRange", `a range within ${formatRange4(value.ipRange)}`);
    if (overlap(value.ipRange, value.overlayRange))
      issue("overlayRange", `a range that does not overlap with ${formatRange4(value.ipRange)}`);
    if (value.overlayRange.prefix > 16) issue("overlayRange", "a range of /16 or larger");
  })
  .transform(({ ipRange, subnetRange, overlayRange, ...rest }) => ({
    ...rest,
    ipRange: formatRange4(ipRange),
    overlayRange: formatRange4(overlayRange),
    subnetRange: subnetOf(ipRange, subnetRange, (rest.existing ?? rest.existingSubnet) !== undefined),
  }));

/** No subnet is made in a network that is there, unless it is asked for. */
function subnetOf(ipRange: Range4, asked: Range4 | undefined, isThere: boolean): string | undefined {
  if (asked !== undefined) return formatRange4(asked);
  return isThere ? undefined : formatRange4({ ...ipRange, prefix: Math.max(ipRange.prefix, 24) });
}

export const cloudFirewall = strict({
  enabled: flag.default(true),
  existing: existing.optional(),
  beyondLimits: oneOf(BeyondLimits).default(BeyondLimits.Refuse),
});
export const placementGroups = strict({ enabled: flag.default(true) });
