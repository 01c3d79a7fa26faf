/** The volumes of a node. */

export interface VolumePlan {
  readonly name: string;
  /** GB. */
  readonly size: number;
  readonly format: "ext4" | "xfs";
  readonly mountPath: string;
  readonly deleteProtection: boolean;
}

/** In Hetzner Cloud. */
export function volumeName(prefix: string, node: string, volume: string): string {
  return `${prefix}-${node}-${volume}`;
}
