/** The mirror's process: `mirrorMain.js SOCKET CACHE`. It runs in the host's own network, the daemon in the region's. */
import { rmSync } from "node:fs";
import { createMirror, hostRepositories } from "./mirror.js";

const [socket, cache] = process.argv.slice(2);
if (socket === undefined || cache === undefined) throw new Error("usage: mirrorMain.js SOCKET CACHE");
rmSync(socket, { force: true });
const log = (line: string) => process.stdout.write(`${new Date().toISOString()} ${line}\n`);
createMirror({ repositories: await hostRepositories(), cache, log }).listen(socket, () => log(`listening`));
