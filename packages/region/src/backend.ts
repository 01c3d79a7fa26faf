/**
 * What the hcloud API asks of the machines and networks under it. The API owns names, ids, validation and actions; the
 * backend owns disks, processes, interfaces and packet filters. Every method is idempotent and rejects with an Error
 * whose message may be shown to the API's user.
 */

/** A server's public interface; absent families are switched off (a server without any is private-only). */
export interface PublicInterface {
  /** MAC address, `96:00:00:…` as on Hetzner. */
  readonly mac: string;
  /** IPv4 address given by DHCP as a /32. */
  readonly ipv4?: string;
  /** IPv6 network in CIDR form, a /64; the server takes its `::1`. */
  readonly ipv6Network?: string;
}

/** A server's interface in one Network. */
export interface PrivateInterface {
  readonly networkId: number;
  /** MAC address, `86:00:00:…` as on Hetzner. */
  readonly mac: string;
  readonly ip: string;
  readonly aliasIps: readonly string[];
}

export interface MachineSpec {
  readonly serverId: number;
  readonly name: string;
  /** Image name, such as `debian-13`; the backend knows where its disk is. */
  readonly image: string;
  readonly cores: number;
  /** Memory in MiB. */
  readonly memory: number;
  /** Disk in GiB. */
  readonly disk: number;
  /** Absent when both families are switched off. */
  readonly publicInterface?: PublicInterface;
  readonly privateInterfaces: readonly PrivateInterface[];
  /** Ids of its Volumes; they are there. Default: none. */
  readonly volumes?: readonly number[];
}

export interface VolumeSpec {
  readonly volumeId: number;
  /** GiB. */
  readonly size: number;
  /** What it is formatted with when it is made; absent: nothing. */
  readonly format?: "ext4" | "xfs";
}

/** One rule of an hcloud Firewall, as the API stores it. */
export interface FirewallRule {
  readonly direction: "in" | "out";
  readonly protocol: "tcp" | "udp" | "icmp" | "esp" | "gre";
  /** `80` or `80-85`; absent for icmp, esp and gre. */
  readonly port?: string;
  /** CIDRs: sources when `direction` is `in`, destinations when `out`. */
  readonly cidrs: readonly string[];
}

export interface NetworkSpec {
  readonly networkId: number;
  /** CIDR of the whole network, such as `10.0.0.0/16`. Its first address is the gateway. */
  readonly ipRange: string;
  readonly subnets: readonly { readonly ipRange: string; readonly gateway: string }[];
  readonly routes: readonly { readonly destination: string; readonly gateway: string }[];
}

/** How a Load Balancer finds out whether a target serves. */
interface HealthCheckSpec {
  readonly port: number;
  /** Seconds between two checks. */
  readonly interval: number;
  /** Seconds that a check may take. */
  readonly timeout: number;
  /** Checks in a row that turn a target's state. */
  readonly retries: number;
  /** Absent: a TCP connection is enough. */
  readonly http?: {
    /** Value of the Host header; absent: none is sent. */
    readonly domain?: string;
    readonly path: string;
    /** Text that the answer must have in it; empty: any. */
    readonly response: string;
    /** `200`, or with `?` for any digit: `2??`. */
    readonly statusCodes: readonly string[];
    readonly tls: boolean;
  };
}

export interface BalancedService {
  readonly protocol: "tcp" | "http";
  readonly listenPort: number;
  readonly destinationPort: number;
  readonly proxyProtocol: boolean;
  /** Sticky sessions by this cookie (protocol http); absent: none. Its lifetime is in seconds. */
  readonly cookie?: { readonly name: string; readonly lifetime: number };
  readonly healthCheck: HealthCheckSpec;
}

export interface BalancedTarget {
  readonly serverId: number;
  /** Whether `address` is the one in a Network that both are in. */
  readonly usePrivateIp: boolean;
  readonly address: string;
}

export interface LoadBalancerSpec {
  readonly loadBalancerId: number;
  /** Absent when the public interface is disabled. It takes the `::1` of its IPv6 /64. */
  readonly publicInterface?: { readonly ipv4: string; readonly ipv6Network: string };
  /** `ipRange` is the Network's. */
  readonly privateInterfaces: readonly { readonly networkId: number; readonly ip: string; readonly ipRange: string }[];
  readonly algorithm: "round_robin" | "least_connections";
  readonly maxConnections: number;
  readonly services: readonly BalancedService[];
  readonly targets: readonly BalancedTarget[];
}

/** What the health checks of one service found at one target. */
export interface TargetHealth {
  readonly serverId: number;
  readonly usePrivateIp: boolean;
  readonly listenPort: number;
  readonly healthy: boolean;
}

export type PowerState = "running" | "off";

export interface Backend {
  /** Names of the images that can be booted now. */
  images(): Promise<readonly string[]>;
  /** Makes or updates a Network (idempotent; also called again when subnets or routes change). */
  putNetwork(spec: NetworkSpec): Promise<void>;
  deleteNetwork(networkId: number): Promise<void>;
  /** Makes the disk and interfaces; does not boot. */
  createMachine(spec: MachineSpec): Promise<void>;
  /** Replaces the disk by a fresh copy of the image; the machine is off after it. */
  rebuildMachine(serverId: number, image: string): Promise<void>;
  /** Changes cores and memory of a machine that is off. */
  resizeMachine(serverId: number, size: { cores: number; memory: number; disk: number }): Promise<void>;
  /** Stops the machine at once and removes disk, interfaces and console log. */
  deleteMachine(serverId: number): Promise<void>;
  powerOn(serverId: number): Promise<void>;
  /** Cuts the power. */
  powerOff(serverId: number): Promise<void>;
  /** Presses the power button (ACPI); resolves when pressed, not when off. */
  shutdown(serverId: number): Promise<void>;
  /** ACPI reboot as Hetzner's soft reboot: a power button press followed by power-on, or Ctrl-Alt-Del; resolves when asked. */
  reboot(serverId: number): Promise<void>;
  /** Hard reset. */
  reset(serverId: number): Promise<void>;
  powerState(serverId: number): Promise<PowerState>;
  /** Adds an interface to a machine, also while it runs (hot plug). */
  attachPrivate(serverId: number, nic: PrivateInterface): Promise<void>;
  detachPrivate(serverId: number, networkId: number): Promise<void>;
  /** Makes a Volume's disk, or a larger one out of it, also while a server has it. Never a smaller one. */
  putVolume(spec: VolumeSpec): Promise<void>;
  deleteVolume(volumeId: number): Promise<void>;
  /** Adds a Volume to a machine, also while it runs: the guest sees `/dev/disk/by-id/scsi-0HC_Volume_ID`. */
  attachVolume(serverId: number, volumeId: number): Promise<void>;
  /** Takes it away, also from under a file system that is mounted. */
  detachVolume(serverId: number, volumeId: number): Promise<void>;
  /** Changes the public interface of a machine that is off. */
  setPublic(serverId: number, nic: PublicInterface | undefined): Promise<void>;
  /**
   * The packet filter of the API's Firewalls on the server's public path. `undefined`: no firewall applied, all
   * passes. A list (the union of all applied firewalls): inbound only what a rule allows, outbound all unless there
   * are `out` rules; established traffic and replies pass. Private networks are not filtered (as on Hetzner).
   */
  setFirewall(serverId: number, rules: readonly FirewallRule[] | undefined): Promise<void>;
  /** Makes or updates a Load Balancer; its Networks must be there. Connections that are open stay open. */
  putLoadBalancer(spec: LoadBalancerSpec): Promise<void>;
  deleteLoadBalancer(loadBalancerId: number): Promise<void>;
  /** What its health checks know now; what none was made of is left out. */
  targetHealth(loadBalancerId: number): Promise<readonly TargetHealth[]>;
}

/** Headers that say who asks the metadata service from inside a Network. Its worker sets them; no server can. */
export const ASKING = { network: "x-region-network", address: "x-region-address" } as const;
