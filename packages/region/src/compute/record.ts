/** What is kept of a machine: its shape, where its interfaces sit, which disk it has. */
import { z } from "zod";

const publicInterface = z.object({ mac: z.string(), ipv4: z.string().optional(), ipv6Network: z.string().optional() });
const privateInterface = z.object({
  networkId: z.int(),
  mac: z.string(),
  ip: z.string(),
  aliasIps: z.array(z.string()),
});

export const machineRecord = z.object({
  spec: z.object({
    serverId: z.int().positive(),
    name: z.string(),
    image: z.string(),
    cores: z.int().positive(),
    memory: z.int().positive(),
    disk: z.int().positive(),
    publicInterface: publicInterface.optional(),
  }),
  /** `slot` counts from 0; it stays with an interface for its life, so that its name in the guest does. */
  privateInterfaces: z.array(z.object({ slot: z.int().nonnegative(), nic: privateInterface })),
  /** Volumes and where they sit: it stays for as long as one is attached. Records of before there were any lack them. */
  volumes: z.array(z.object({ slot: z.int().nonnegative(), volumeId: z.int().positive() })).default([]),
  /** Whether it has the controller that Volumes hang on: it comes with the first one and stays. */
  holdsVolumes: z.boolean().default(false),
  /** Name of the disk's file in the machine's directory. A rebuild takes the next one. */
  disk: z.string(),
  /** Directory of the image that the disk lies over: its kernel boots it, also when a newer image has been built. */
  base: z.string(),
});

export type MachineRecord = z.infer<typeof machineRecord>;
