// watcher.mjs MILLISECONDS URL…: asks every URL that often until its standard input ends; then one line of JSON a URL.
import { get } from "node:http";

const patience = 5000;

const interval = Number(process.argv[2]);
const urls = process.argv.slice(3);
const records = urls.map((url) => ({ url, asked: 0, failed: 0, outageMs: 0, lastError: "" }));
let stopped = false;
process.stdin.resume().on("end", () => {
  stopped = true;
});
process.stdout.write("watching\n");

/** Over a connection of its own each time: the mesh chooses where each one goes. */
function ask(url) {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, signal: AbortSignal.timeout(patience) }, (answer) => {
      let text = "";
      answer.on("data", (part) => {
        text += part;
      });
      answer.on("end", () => resolve(text)).on("error", reject);
    });
    request.on("error", reject);
  });
}

await Promise.all(
  records.map(async (record) => {
    let answeredAt = Date.now();
    while (!stopped) {
      const begun = Date.now();
      record.asked += 1;
      try {
        const answer = await ask(record.url);
        if (!answer.startsWith("hcloud-swarm responder "))
          throw new Error("an answer without the responder's greeting");
        if (record.asked > 1 && record.failing) record.outageMs = Math.max(record.outageMs, Date.now() - answeredAt);
        record.failing = false;
        answeredAt = Date.now();
      } catch (error) {
        record.failed += 1;
        record.failing = true;
        record.lastError = String(error);
      }
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, interval - (Date.now() - begun))));
    }
    if (record.failing) record.outageMs = Math.max(record.outageMs, Date.now() - answeredAt);
  }),
);
for (const { failing: _, ...record } of records) process.stdout.write(`${JSON.stringify(record)}\n`);
