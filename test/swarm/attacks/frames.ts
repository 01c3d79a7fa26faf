/** Packets that no socket would send, as bytes: pure functions from headers to frames in hex. */

export interface Udp {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Buffer;
}

export interface Ethernet {
  readonly source: string;
  readonly destination: string;
}

/** VXLAN's header (RFC 7348): flags with a valid network identifier, and the identifier. */
export function vxlan(vni: number, frame: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header[0] = 0x08;
  header.writeUIntBE(vni, 4, 3);
  return Buffer.concat([header, frame]);
}

/** An Ethernet frame with an IPv4 packet in it. */
export function ethernet({ source, destination }: Ethernet, packet: Buffer): Buffer {
  return Buffer.concat([mac(destination), mac(source), Buffer.from([0x08, 0x00]), packet]);
}

/** An IPv4 packet with a UDP datagram in it; both checksums right. */
export function udp4({ source, destination, sourcePort, destinationPort, payload }: Udp): Buffer {
  const datagram = Buffer.alloc(8 + payload.length);
  datagram.writeUInt16BE(sourcePort, 0);
  datagram.writeUInt16BE(destinationPort, 2);
  datagram.writeUInt16BE(datagram.length, 4);
  payload.copy(datagram, 8);
  const addresses = Buffer.concat([ipv4(source), ipv4(destination)]);
  const pseudo = Buffer.concat([addresses, Buffer.from([0, 17, datagram.length >> 8, datagram.length & 0xff])]);
  datagram.writeUInt16BE(checksum(Buffer.concat([pseudo, datagram])) || 0xffff, 6);

  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(20 + datagram.length, 2);
  header[8] = 64;
  header[9] = 17;
  addresses.copy(header, 12);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, datagram]);
}

/** The Internet checksum (RFC 1071). */
export function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function mac(address: string): Buffer {
  const bytes = Buffer.from(address.replaceAll(":", ""), "hex");
  if (bytes.length !== 6) throw new Error(`${JSON.stringify(address)} is no Ethernet address`);
  return bytes;
}

function ipv4(address: string): Buffer {
  const bytes = address.split(".").map(Number);
  if (bytes.length !== 4 || bytes.some((byte) => !(byte >= 0 && byte <= 255)))
    throw new Error(`${JSON.stringify(address)} is no IPv4 address`);
  return Buffer.from(bytes);
}
