import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { answerQuery } from "./dns.js";

const records = { "mirror.region.internal": "172.31.1.1" };

function query(name: string, type: number): Buffer {
  const labels = name.split(".").map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([
    Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1]),
    ...labels,
    Buffer.from([0, 0, type, 0, 1]),
  ]);
}

describe("answerQuery", () => {
  it("answers a name of the region, whatever its case", () => {
    const reply = answerQuery(query("Mirror.Region.Internal", 1), records);
    expect(reply?.readUInt16BE(0)).toBe(0x1234);
    expect((reply?.readUInt16BE(2) ?? 0) & 15).toBe(0);
    expect(reply?.readUInt16BE(6)).toBe(1);
    expect(reply?.subarray(-4)).toEqual(Buffer.from([172, 31, 1, 1]));
  });

  it("has no other kind of record for it, and says so without an error", () => {
    const reply = answerQuery(query("mirror.region.internal", 28), records);
    expect((reply?.readUInt16BE(2) ?? 0) & 15).toBe(0);
    expect(reply?.readUInt16BE(6)).toBe(0);
  });

  it("knows no name of the real world", () => {
    for (const name of ["example.com", "__proto__"]) {
      expect((answerQuery(query(name, 1), records)?.readUInt16BE(2) ?? 0) & 15).toBe(3);
    }
  });

  it("never throws", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const reply = answerQuery(Buffer.from(bytes), records);
        expect(reply === undefined || reply.length >= 12).toBe(true);
      }),
    );
  });
});
