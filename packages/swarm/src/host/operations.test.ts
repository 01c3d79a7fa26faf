/** docs/operations.md says of the host agent what the host agent is. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { agentScript, unitFiles } from "./agentSources";

const page = readFileSync(join(__dirname, "..", "..", "..", "..", "docs", "operations.md"), "utf8");

it("the page has every command of the agent, and no other", () => {
  const known = /^(apply \|[^)]*)\) ;;$/m.exec(agentScript)?.[1]?.split(" | ") ?? [];
  expect(known).toContain("rollback");
  const table = page.slice(page.indexOf("| command "), page.indexOf("They end with"));
  const told = [...table.matchAll(/^\| `([a-z-]+)[` ]/gm)].map((match) => match[1]);
  expect(told.sort()).toEqual([...known, "help"].sort());
});

it("the page has the units, and how often the timer looks", () => {
  const folder = readdirSync(join(__dirname, "units")).filter((name) => name.startsWith("hcloud-"));
  for (const name of folder) expect(page).toContain(`\`${name}\``);
  expect(unitFiles["hcloud-iptables-check.timer"]).toMatch(/OnActiveSec=2min\nOnUnitActiveSec=5min/);
  expect(page).toContain("two minutes after it was started, and every five minutes from then on");
});
