/** Every check of the host agent says what it is about and how to put it right, and nothing is explained that is not checked. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { code, table } from "../testing/reference";

const folder = join(__dirname, "agent");
const explained = execFileSync("sh", ["-c", `. '${join(folder, "66-explain.sh")}'; explanations`], { encoding: "utf8" })
  .trimEnd()
  .split("\n")
  .map((line) => line.split("\t"));
const shell = readdirSync(folder)
  .filter((name) => name !== "66-explain.sh")
  .map((name) => readFileSync(join(folder, name), "utf8"))
  .join("\n");
/** Names of checks in the shell; what is not constant in one, and all that follows, is `*`. */
const checked = new Set(
  [
    ...shell.matchAll(/(?:^|[;&|{}]) *check "?([a-z][\w$-]*)/gm),
    ...shell.matchAll(/\bline\("([a-z][a-z0-9-]*)"/g),
    ...shell.matchAll(/printf ["']([a-z][a-z0-9-]*(?:%[sd])?)\\t/g),
  ]
    .map((match) => match[1] ?? "")
    .map((name) => name.replace(/[$%].*|-$/, (end) => (end === "-" ? "-*" : "*"))),
);

const head = `# Checks

Generated from the host agent's own explanations; \`vitest run packages/swarm/src/host/explain.test.ts -u\` writes it anew.

What \`/opt/hcloud-iptables.sh verify\` looks at, on a node and from \`pulumi up\`. A \`*\` stands for a family (\`4\`, \`6\`), a chain, a set or a
unit. A check that failed says in the report what must be, what is, and how to fix it; where a check has nothing to look at it is not in
the report: without Docker those of Docker are not, and outside of a swarm those of its addresses. How to get there and what to do
besides: [Operations](operations.md).

`;

describe("explanations", () => {
  it("are there for every check, and for no other", () => {
    const names = [...checked].filter((name) => name !== "no-nftables");
    expect([...new Set(names)].sort()).toEqual(explained.map(([name]) => name).sort());
  });

  it.each(explained)("of %s say what it is about and what to do", (_name, what, fix) => {
    expect(what).toMatch(/^[\x20-\x7e]{15,}$/);
    expect(fix).toMatch(/^[\x20-\x7e]{15,}$/);
    expect(fix).not.toMatch(/^(RELOAD|FILES|DOCKER)/);
  });

  it("are on the page of checks", async () => {
    const rows = explained.map(([name = "", what = "", fix = ""]) => [code(name), what, fix]);
    await expect(`${head}${table(["check", "what must be", "to fix"], rows)}\n`).toMatchFileSnapshot(
      join(__dirname, "..", "..", "..", "..", "docs", "checks.md"),
    );
  });
});
