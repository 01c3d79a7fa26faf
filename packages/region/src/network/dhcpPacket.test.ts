import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { answer, type Lease, MESSAGE, parseRequest } from "./dhcpPacket.js";

const SERVER = "172.31.1.1";
const lease: Lease = {
  address: "203.0.113.7",
  router: SERVER,
  dns: [SERVER],
  seconds: 3600,
  routes: [
    { destination: "172.31.1.1/32", gateway: "0.0.0.0" },
    { destination: "10.0.0.0/16", gateway: "10.0.0.1" },
    { destination: "0.0.0.0/0", gateway: SERVER },
  ],
};

function message(type: number, options: readonly number[] = [], client = "0.0.0.0"): Buffer {
  const header = Buffer.alloc(240);
  header.set([1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef]);
  header.set(client.split(".").map(Number), 12);
  header.set([0x96, 0, 0, 0, 0, 0x0a], 28);
  header.writeUInt32BE(0x63825363, 236);
  return Buffer.concat([header, Buffer.from([53, 1, type, ...options, 255])]);
}

/** Parses or fails the test. */
function request(packet: Buffer) {
  const parsed = parseRequest(packet);
  if (!parsed) throw new Error("not a request");
  return parsed;
}

const typeOf = (packet: Buffer | undefined) => packet?.[242];

describe("parseRequest", () => {
  it("reads who asks for what", () => {
    const asked = message(MESSAGE.request, [50, 4, 203, 0, 113, 7, 54, 4, 172, 31, 1, 1]);
    expect(request(asked)).toEqual({
      type: MESSAGE.request,
      transaction: 0xdeadbeef,
      flags: 0,
      clientAddress: "0.0.0.0",
      mac: "96:00:00:00:00:0a",
      requestedAddress: "203.0.113.7",
      serverId: "172.31.1.1",
    });
  });

  it("never throws on what guests send", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, headed) => {
        const packet = headed ? Buffer.concat([message(1).subarray(0, 240), Buffer.from(bytes)]) : Buffer.from(bytes);
        const parsed = parseRequest(packet);
        expect(parsed === undefined || typeof parsed.type === "number").toBe(true);
      }),
    );
  });
});

describe("answer", () => {
  it("offers a /32 with classless routes", () => {
    const offer = answer(request(message(MESSAGE.discover)), lease, SERVER);
    expect(typeOf(offer)).toBe(MESSAGE.offer);
    const text = offer?.toString("hex") ?? "";
    expect(offer?.subarray(16, 20)).toEqual(Buffer.from([203, 0, 113, 7]));
    expect(text).toContain("0104ffffffff");
    // 121: on-link host route, then 10.0.0.0/16 with two significant bytes, then the default route.
    expect(text).toContain("7915".concat("20ac1f010100000000", "100a000a000001", "00ac1f0101"));
    expect(offer?.length).toBeGreaterThanOrEqual(300);
  });

  it("acknowledges its own address, refuses another, and leaves other servers' clients alone", () => {
    const own = message(MESSAGE.request, [50, 4, 203, 0, 113, 7]);
    const other = message(MESSAGE.request, [50, 4, 203, 0, 113, 8]);
    const elsewhere = message(MESSAGE.request, [50, 4, 203, 0, 113, 7, 54, 4, 10, 0, 0, 1]);
    expect(typeOf(answer(request(own), lease, SERVER))).toBe(MESSAGE.ack);
    expect(typeOf(answer(request(other), lease, SERVER))).toBe(MESSAGE.nak);
    expect(answer(request(elsewhere), lease, SERVER)).toBeUndefined();
  });

  it("renews by the client's own address", () => {
    expect(typeOf(answer(request(message(MESSAGE.request, [], "203.0.113.7")), lease, SERVER))).toBe(MESSAGE.ack);
  });

  it("is silent to strangers", () => {
    expect(answer(request(message(MESSAGE.discover)), undefined, SERVER)).toBeUndefined();
  });

  it("tells the MTU", () => {
    const offer = answer(request(message(MESSAGE.discover)), { ...lease, mtu: 1450 }, SERVER);
    expect(offer?.toString("hex")).toContain("1a0205aa");
  });
});
