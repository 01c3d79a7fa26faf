import { describe, expect, test } from "vitest";
import { checksum, ethernet, udp4, vxlan } from "../frames.js";

describe("frames", () => {
  const packet = udp4({
    source: "192.0.2.1",
    destination: "198.51.100.2",
    sourcePort: 1234,
    destinationPort: 4789,
    payload: Buffer.from("odd"),
  });

  test("a header's checksum makes its sum zero", () => {
    expect(checksum(packet.subarray(0, 20))).toBe(0);
    const pseudo = Buffer.concat([packet.subarray(12, 20), Buffer.from([0, 17, 0, packet.length - 20])]);
    expect(checksum(Buffer.concat([pseudo, packet.subarray(20)]))).toBe(0);
  });

  test("lengths and addresses stand where RFC 791 and 768 have them", () => {
    expect(packet.length).toBe(20 + 8 + 3);
    expect(packet.readUInt16BE(2)).toBe(packet.length);
    expect([...packet.subarray(12, 20)]).toEqual([192, 0, 2, 1, 198, 51, 100, 2]);
    expect(packet.readUInt16BE(22)).toBe(4789);
    expect(packet.readUInt16BE(24)).toBe(11);
    expect(packet.subarray(28).toString()).toBe("odd");
  });

  test("VXLAN carries its network's identifier and the frame behind it", () => {
    const frame = ethernet({ source: "02:00:00:00:00:01", destination: "02:00:00:00:00:02" }, packet);
    const whole = vxlan(4097, frame);
    expect([...whole.subarray(0, 8)]).toEqual([8, 0, 0, 0, 0, 16, 1, 0]);
    expect(whole.subarray(8, 14).toString("hex")).toBe("020000000002");
    expect(whole.readUInt16BE(20)).toBe(0x0800);
  });

  test("what is no address is refused", () => {
    expect(() => ethernet({ source: "02:00", destination: "02:00:00:00:00:02" }, packet)).toThrow(/Ethernet/);
    expect(() =>
      udp4({ source: "1.2.3", destination: "1.2.3.4", sourcePort: 1, destinationPort: 1, payload: packet }),
    ).toThrow(/IPv4/);
  });
});
