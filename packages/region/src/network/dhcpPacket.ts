/** DHCP messages (RFC 2131, 2132, 3442) between bytes and data: what a server needs of them. Pure. */

export const MESSAGE = { discover: 1, offer: 2, request: 3, ack: 5, nak: 6, inform: 8 } as const;

const OPTION = {
  mask: 1,
  router: 3,
  dns: 6,
  mtu: 26,
  requested: 50,
  lease: 51,
  type: 53,
  server: 54,
  routes: 121,
} as const;
const COOKIE = 0x63825363;
const HEADER = 240;

export interface DhcpRequest {
  /** Message type, one of {@link MESSAGE}. */
  readonly type: number;
  readonly transaction: number;
  readonly flags: number;
  /** Address that the client uses already; `0.0.0.0` when none. */
  readonly clientAddress: string;
  /** MAC address in lower case, with colons. */
  readonly mac: string;
  readonly requestedAddress: string | undefined;
  readonly serverId: string | undefined;
}

export interface Route {
  /** CIDR. */
  readonly destination: string;
  /** `0.0.0.0` for on-link. */
  readonly gateway: string;
}

/** What a client is given. Addresses are always /32, as on Hetzner. */
export interface Lease {
  readonly address: string;
  readonly routes: readonly Route[];
  readonly router?: string;
  readonly dns?: readonly string[];
  readonly mtu?: number;
  /** Seconds. */
  readonly seconds: number;
}

const bytesOf = (address: string): number[] => address.split(".").map(Number);
const addressAt = (packet: Buffer, at: number): string => [...packet.subarray(at, at + 4)].join(".");

function optionsOf(packet: Buffer): Map<number, Buffer> {
  const options = new Map<number, Buffer>();
  let at = HEADER;
  while (at < packet.length) {
    const code = packet[at] ?? 255;
    if (code === 255) break;
    if (code === 0) {
      at += 1;
      continue;
    }
    const length = packet[at + 1] ?? 0;
    const value = packet.subarray(at + 2, at + 2 + length);
    if (value.length === length) options.set(code, value);
    at += 2 + length;
  }
  return options;
}

/** Reads a client's message; undefined when the bytes are none. */
export function parseRequest(packet: Buffer): DhcpRequest | undefined {
  if (packet.length < HEADER || packet[0] !== 1 || packet[1] !== 1 || packet[2] !== 6) return undefined;
  if (packet.readUInt32BE(236) !== COOKIE) return undefined;
  const options = optionsOf(packet);
  const type = options.get(OPTION.type)?.[0];
  if (type === undefined) return undefined;
  const address = (code: number) => {
    const value = options.get(code);
    return value?.length === 4 ? addressAt(value, 0) : undefined;
  };
  return {
    type,
    transaction: packet.readUInt32BE(4),
    flags: packet.readUInt16BE(10),
    clientAddress: addressAt(packet, 12),
    mac: [...packet.subarray(28, 34)].map((byte) => byte.toString(16).padStart(2, "0")).join(":"),
    requestedAddress: address(OPTION.requested),
    serverId: address(OPTION.server),
  };
}

function routeBytes({ destination, gateway }: Route): number[] {
  const [network = "", length = "32"] = destination.split("/");
  return [Number(length), ...bytesOf(network).slice(0, Math.ceil(Number(length) / 8)), ...bytesOf(gateway)];
}

function encode(request: DhcpRequest, type: number, serverId: string, lease: Lease | undefined): Buffer {
  const header = Buffer.alloc(HEADER);
  header.set([2, 1, 6, 0]);
  header.writeUInt32BE(request.transaction, 4);
  header.writeUInt16BE(request.flags, 10);
  if (lease) {
    header.set(bytesOf(request.clientAddress), 12);
    header.set(bytesOf(lease.address), 16);
  }
  header.set(bytesOf(serverId), 20);
  header.set(
    request.mac.split(":").map((byte) => Number.parseInt(byte, 16)),
    28,
  );
  header.writeUInt32BE(COOKIE, 236);
  const options: number[] = [];
  const put = (code: number, bytes: readonly number[]) => options.push(code, bytes.length, ...bytes);
  put(OPTION.type, [type]);
  put(OPTION.server, bytesOf(serverId));
  if (lease) {
    const seconds = Buffer.alloc(4);
    seconds.writeUInt32BE(lease.seconds);
    put(OPTION.lease, [...seconds]);
    put(OPTION.mask, [255, 255, 255, 255]);
    if (lease.router) put(OPTION.router, bytesOf(lease.router));
    if (lease.dns?.length) put(OPTION.dns, lease.dns.flatMap(bytesOf));
    if (lease.mtu) put(OPTION.mtu, [lease.mtu >> 8, lease.mtu & 255]);
    if (lease.routes.length > 0) put(OPTION.routes, lease.routes.flatMap(routeBytes));
  }
  options.push(255);
  const packet = Buffer.concat([header, Buffer.from(options)]);
  // BOOTP's least size; some clients drop shorter ones.
  return packet.length < 300 ? Buffer.concat([packet, Buffer.alloc(300 - packet.length)]) : packet;
}

/** The answer to a client's message; undefined when none is due. A client that is not known gets silence. */
export function answer(request: DhcpRequest, lease: Lease | undefined, serverId: string): Buffer | undefined {
  if (!lease) return undefined;
  if (request.type === MESSAGE.discover) return encode(request, MESSAGE.offer, serverId, lease);
  if (request.type === MESSAGE.inform) return encode(request, MESSAGE.ack, serverId, lease);
  if (request.type !== MESSAGE.request) return undefined;
  if (request.serverId !== undefined && request.serverId !== serverId) return undefined;
  const wanted = request.requestedAddress ?? request.clientAddress;
  if (wanted !== "0.0.0.0" && wanted !== lease.address) return encode(request, MESSAGE.nak, serverId, undefined);
  return encode(request, MESSAGE.ack, serverId, lease);
}
