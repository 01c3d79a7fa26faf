/** The region's DNS: answers for the names of the region, and "no such name" for all others, as there is no world. */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

const A = 1;
const NAME_ERROR = 3;

/** Names (lower case, without the last dot) and their IPv4 addresses. */
export type Records = Readonly<Record<string, string>>;

interface Question {
  readonly name: string;
  readonly type: number;
  /** Offset of the first byte after the question. */
  readonly end: number;
}

function questionOf(query: Buffer): Question | undefined {
  if (query.length < 17 || query.readUInt16BE(4) !== 1 || (query[2] ?? 0) & 0x80) return undefined;
  const labels: string[] = [];
  let at = 12;
  for (;;) {
    const length = query[at];
    if (length === undefined || length > 63) return undefined;
    at += 1;
    if (length === 0) break;
    labels.push(query.toString("latin1", at, at + length));
    at += length;
  }
  if (at + 4 > query.length) return undefined;
  return { name: labels.join(".").toLowerCase(), type: query.readUInt16BE(at), end: at + 4 };
}

/** The answer to a query's bytes; undefined when they are no query. Pure. */
export function answerQuery(query: Buffer, records: Records): Buffer | undefined {
  const question = questionOf(query);
  if (!question) return undefined;
  const address = Object.hasOwn(records, question.name) ? records[question.name] : undefined;
  const found = address !== undefined && question.type === A;
  const header = Buffer.from(query.subarray(0, 12));
  // Response, authoritative, recursion available; the client's "recursion desired" is kept.
  header.writeUInt16BE(0x8480 | (header.readUInt16BE(2) & 0x0100) | (address === undefined ? NAME_ERROR : 0), 2);
  header.writeUInt16BE(found ? 1 : 0, 6);
  header.writeUInt16BE(0, 8);
  header.writeUInt16BE(0, 10);
  const asked = query.subarray(12, question.end);
  if (!found) return Buffer.concat([header, asked]);
  const record = Buffer.from([0xc0, 12, 0, A, 0, 1, 0, 0, 0, 60, 0, 4, ...address.split(".").map(Number)]);
  return Buffer.concat([header, asked, record]);
}

/** Serves UDP and TCP port 53 of one address. */
export async function serveDns(address: string, records: Records): Promise<{ close(): void }> {
  const udp = createSocket("udp4");
  udp.on("message", (query, client) => {
    const reply = answerQuery(query, records);
    if (reply) udp.send(reply, client.port, client.address, () => {});
  });
  const tcp = createServer((socket) => {
    let received = Buffer.alloc(0);
    socket.setTimeout(5_000, () => socket.destroy());
    socket.on("error", () => socket.destroy());
    socket.on("data", (data) => {
      received = Buffer.concat([received, data]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const reply = answerQuery(received.subarray(2, 2 + received.readUInt16BE(0)), records);
      if (!reply) return void socket.destroy();
      const size = Buffer.alloc(2);
      size.writeUInt16BE(reply.length);
      socket.end(Buffer.concat([size, reply]));
    });
  });
  await new Promise<void>((resolve, reject) => udp.once("error", reject).bind(53, address, resolve));
  await new Promise<void>((resolve, reject) => tcp.once("error", reject).listen(53, address, resolve));
  return {
    close() {
      udp.close();
      tcp.close();
    },
  };
}
