/**
 * A network that is there stays as it is. Pulumi would replace one for another range, and a subnet for another range or zone, and with
 * that delete the subnet that the servers are in, which Hetzner Cloud refuses and the provider tries again without end. So Pulumi is told
 * to ignore these changes, and what is there is compared with what is asked for.
 */
import { contains, parseRange4 } from "../args/cidr";
import { RefusedChangeError } from "../refusedChange";

export interface KeptValue {
  /** As Hetzner Cloud has it; undefined where that is not known. */
  readonly found: string | undefined;
  readonly asked: string;
}

/** Which argument of the network says it. */
export type KeptArgument = "ipRange" | "subnetRange" | "zone";

/** @throws RefusedChangeError where the network that is there is not the one that is asked for, with the ways that there are */
export function refuseOther(
  component: string,
  network: string,
  kept: Readonly<Partial<Record<KeptArgument, KeptValue>>>,
): void {
  const changed = Object.entries(kept).flatMap(([argument, { found, asked }]) =>
    found === undefined || found === asked ? [] : [{ argument: `network.${argument}`, found, asked }],
  );
  if (changed.length === 0) return;
  const facts = changed.map(({ argument, found, asked }) => `${argument}: given ${asked}, it has ${found}`).join("; ");
  const before = changed.map(({ argument, found }) => `${argument}: ${found}`).join(" and ");
  const wider = changed.find(
    ({ argument, found, asked }) => argument === "network.ipRange" && isExtension(asked, found),
  );
  const byHand = wider === undefined ? "" : extension(network, wider.asked);
  throw new RefusedChangeError(
    component,
    `the network ${network} is there and stays as it is. ${facts}. Say ${before} again${byHand}. For another network make another ` +
      "cluster beside this one, or destroy this one first",
  );
}

/** The provider has no way to do it. */
function extension(network: string, range: string): string {
  return `, or extend it: 'hcloud network change-ip-range --ip-range ${range} ${network}', then 'pulumi up --refresh'`;
}

/** Whether Hetzner Cloud can make the one range out of the other: it begins where that one does, and is larger. */
function isExtension(larger: string, text: string): boolean {
  const [outer, inner] = [parseRange4(larger), parseRange4(text)];
  return outer !== undefined && inner !== undefined && contains(outer, inner) && outer.first === inner.first;
}
