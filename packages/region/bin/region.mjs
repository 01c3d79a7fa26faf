#!/usr/bin/env node
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const cli = new URL("../dist/cli.js", import.meta.url);
if (!existsSync(fileURLToPath(cli))) {
  process.stderr.write("region: it is not built yet: run `pnpm build` at the top of the repository\n");
  process.exit(1);
}
await import(cli.href);
