/** Settings of a region, as the command line gives them and as they are kept beside its state. */
import { z } from "zod";

export const settingsSchema = z.object({
  name: z.string(),
  stateDirectory: z.string(),
  /** Most memory that any server gets, MiB. */
  memory: z.int().min(256),
  /** Most cores that any server gets; the accelerator's default when absent. */
  cores: z.int().min(1).max(64).optional(),
  accelerator: z.enum(["auto", "kvm", "tcg"]),
  /** Whether each request to the API and its answer is kept, for `region api-check`. */
  record: z.boolean(),
});
export type Settings = z.infer<typeof settingsSchema>;

/** What the control socket tells. */
export const statusSchema = z.object({
  name: z.string(),
  ready: z.boolean(),
  endpoint: z.string(),
  accelerator: z.string(),
  acceleratorReason: z.string(),
  stateDirectory: z.string(),
  limits: z.object({ memory: z.int(), cores: z.int() }),
  images: z.array(z.string()),
  servers: z.array(
    z.object({
      id: z.int(),
      name: z.string(),
      status: z.string(),
      ipv4: z.string().nullable(),
      ipv6: z.string().nullable(),
      privateIps: z.array(z.string()),
      console: z.string(),
    }),
  ),
  checkpoints: z.array(z.object({ name: z.string(), created: z.string(), servers: z.int() })),
  problems: z.array(z.string()),
});
export type Status = z.infer<typeof statusSchema>;
