import { expect, test } from "vitest";
import { ready } from "../lib.js";

test("a second up changes nothing and opens no SSH session", async () => {
  const { stack } = await ready();
  const run = await stack.up();
  expect(run.text).toMatch(/\d+ unchanged/);
  expect(run.text).not.toMatch(/\d+ (created|updated|deleted|replaced)|[+~-]+ \d+ to (create|update|delete|replace)/);
  expect(run.sshSessions).toEqual([]);
});

test("refresh finds nothing that drifted", async () => {
  const { stack } = await ready();
  const run = await stack.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes");
  expect(run.exitCode, run.text).toBe(0);
});
