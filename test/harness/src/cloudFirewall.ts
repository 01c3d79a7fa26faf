import { z } from "zod";
import { api } from "./api.js";
import type { Region } from "./region.js";

/** What a firewall is applied to, in the form in which it is given back: a server, or all with a label. */
const firewalledSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("server"), server: z.object({ id: z.number() }) }),
  z.object({ type: z.literal("label_selector"), label_selector: z.object({ selector: z.string() }) }),
]);

const firewallsSchema = z.object({
  firewalls: z.array(z.object({ id: z.number(), applied_to: z.array(firewalledSchema) })),
});

/**
 * Takes every cloud firewall off everything while `work` runs. The cloud's firewall stops most probes before they reach the
 * host, so a port found closed behind it says nothing about the host's own rules.
 */
export async function withoutCloudFirewall<T>(region: Region, work: () => Promise<T>): Promise<T> {
  const { firewalls } = firewallsSchema.parse(await api(region, "GET", "/firewalls"));
  const applied = firewalls.filter(({ applied_to }) => applied_to.length > 0);
  const change = async (action: string, field: string) => {
    for (const { id, applied_to } of applied)
      await api(region, "POST", `/firewalls/${id}/actions/${action}`, { [field]: applied_to });
  };
  await change("remove_from_resources", "remove_from");
  try {
    return await work();
  } finally {
    await change("apply_to_resources", "apply_to");
  }
}
