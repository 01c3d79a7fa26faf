import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../harness/src/index.js";
import { ready } from "../lib.js";

const description = process.env.HCLOUD_OPENAPI ?? join(root, "../shared/reference/hcloud-openapi.json");

test.skipIf(!existsSync(description))(
  `every answer of the region in this run is valid by the API's description${existsSync(description) ? "" : " (skipped: set HCLOUD_OPENAPI to the description)"}`,
  async () => {
    const { region } = await ready();
    const said = await region.command("api-check", "--description", description);
    process.stdout.write(`${said}\n`);
    expect(said).toMatch(/[1-9]\d* answers of [1-9]\d* operations: 0 not as described/);
  },
);
